"""A walk with a vector form of its own, which keeps its promises or breaks one of them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

STEP, WIND, EDGE, LIMIT = 0.1, 0.05, 0.5, 12

OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-2, 2, (2,), np.float64),
    "dict": spaces.Dict({"at": spaces.Box(-2, 2, (2,), np.float64), "side": spaces.Discrete(2)}),
    "discrete": spaces.Discrete(2),
}


def shown(kind: str, at: np.ndarray) -> Any:
    """Return what is seen of places [..., 2]."""
    side = (at[..., 0] > 0).astype(np.int64)
    return {"box": at.copy(), "dict": {"at": at.copy(), "side": side}, "discrete": side}[kind]


class Walk(gymnasium.Env[Any, np.int64]):
    """A step to the left, none, or to the right, in a wind; ends beyond the edge, is cut after twelve steps."""

    action_space = spaces.Discrete(3)

    def __init__(self, kind: str, **_: Any) -> None:
        self.kind, self.observation_space = kind, OBSERVATIONS[kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.steps = self.np_random.uniform(-0.2, 0.2, 2), 0
        return shown(self.kind, self.at), {}

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at = self.at + STEP * (action - 1) + WIND * self.np_random.normal(size=2)
        self.steps += 1
        over = bool(abs(self.at[0]) > EDGE)
        return shown(self.kind, self.at), float(self.at[0]), over, self.steps >= LIMIT, {}


class WalkVector(VectorEnv[Any, Any, Any]):
    """Several walks at once, in the same arithmetic."""

    def __init__(
        self, num_envs: int, kind: str, mode: AutoresetMode = AutoresetMode.DISABLED, heeds_mask: bool = True
    ) -> None:
        self.num_envs, self.kind, self.mode, self.heeds_mask = num_envs, kind, mode, heeds_mask
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space, self.single_action_space = OBSERVATIONS[kind], spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.winds = [np_random(0)[0] for _ in range(num_envs)]
        self.at, self.steps = np.zeros((num_envs, 2)), np.zeros(num_envs, np.int64)
        self.over = np.zeros(num_envs, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        mask = np.ones(self.num_envs, bool) if options is None else options["reset_mask"]
        assert mask.dtype == bool
        assert len(seed) == mask.sum(), "a seed for each walk that begins"
        rows = np.flatnonzero(mask).tolist()
        if not self.heeds_mask:
            rows, seed = list(range(self.num_envs)), np.resize(seed, self.num_envs)
        for row, own in zip(rows, seed, strict=True):
            self.winds[row] = np_random(int(own))[0]
            self._begin(row)
        return shown(self.kind, self.at), {}

    def step(self, actions: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        begun = self.over & (self.mode is AutoresetMode.NEXT_STEP)
        for row in np.flatnonzero(begun).tolist():
            self._begin(row)
        wind = np.stack([wind.normal(size=2) for wind in self.winds])
        moved = self.at + STEP * (np.asarray(actions)[:, None] - 1) + WIND * wind
        self.at = np.where(begun[:, None], self.at, moved)
        self.steps += ~begun
        terminated, truncated = (abs(self.at[:, 0]) > EDGE) & ~begun, (self.steps >= LIMIT) & ~begun
        self.over = terminated | truncated
        return shown(self.kind, self.at), np.where(begun, 0.0, self.at[:, 0]), terminated, truncated, {}

    def _begin(self, row: int) -> None:
        self.at[row], self.steps[row], self.over[row] = self.winds[row].uniform(-0.2, 0.2, 2), 0, False


class StrictWalk(Walk):
    """A walk whose actions are numbered from 1, which accepts no others, and which must begin again after its end."""

    action_space = spaces.Discrete(3, start=1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.over = False
        return super().reset(seed=seed)

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space, f"{action} is no action"
        assert not self.over, "a walk that is over goes on"
        result = super().step(action - 1)
        self.over = result[2] or result[3]
        return result


class StrictWalkVector(WalkVector):
    """Several such walks."""

    def __init__(self, num_envs: int, kind: str) -> None:
        super().__init__(num_envs, kind)
        self.single_action_space = StrictWalk.action_space
        self.action_space = batch_space(self.single_action_space, num_envs)

    def step(self, actions: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        assert actions in self.action_space, f"{actions} are no actions"
        assert not self.over.any(), "a walk that is over goes on"
        return super().step(actions - 1)


def register() -> None:
    """Make the walks known to Gymnasium."""
    variants: dict[str, dict[str, Any]] = {
        "Walk-v0": {"kind": "box"},
        "WalkNextStep-v0": {"kind": "box", "mode": AutoresetMode.NEXT_STEP},
        "WalkSameStep-v0": {"kind": "box", "mode": AutoresetMode.SAME_STEP},
        "WalkDict-v0": {"kind": "dict"},
        "WalkDiscrete-v0": {"kind": "discrete"},
        "WalkMaskless-v0": {"kind": "box", "heeds_mask": False},
    }
    for name, settings in variants.items():
        single, vector = f"{__name__}:Walk", f"{__name__}:WalkVector"
        gymnasium.register(name, single, vector_entry_point=vector, kwargs=settings)
    single, vector = f"{__name__}:StrictWalk", f"{__name__}:StrictWalkVector"
    gymnasium.register("StrictWalk-v0", single, vector_entry_point=vector, kwargs={"kind": "box"})
