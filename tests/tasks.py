"""Tasks whose best return, and that of chance, is known; `import tests.environments` registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SEQUENCE = (0, 1, 2, 3, 0, 2, 1, 3)  # each of four actions twice in eight steps
DELAY = 4  # steps for which Memory's cue must be kept
PIXELS = 36  # the smallest image that the convolutions take


class Task(gymnasium.Env[Any, Any]):
    """A fixed number of steps, each rewarded by how right the action is: from 0 to 1."""

    length = 10

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self.show(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = self.rightness(action)
        self.steps += 1
        return self.show(), reward, False, self.steps == self.length, {}

    def show(self) -> Any:
        """Return the next observation."""
        raise NotImplementedError

    def rightness(self, action: Any) -> float:
        """Return the reward of an action for what was last shown."""
        raise NotImplementedError


class Target(Task):
    """The action must equal what the observation shows; ten steps, best return 10.

    A random action is right in 1 of n choices on the average: 2.5 for Discrete(4), 10 (1/3 + 1/4) / 2 = 2.9 for
    MultiDiscrete([3, 4]), 5 for MultiBinary(3), and less than 5 for the Box.
    """

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space
        self.choices = choices_of(action_space)
        self.observation_space = spaces.Box(-1, 1, (sum(self.choices) or 4,), np.float64)

    def show(self) -> np.ndarray:
        if not self.choices:
            self.wanted: np.ndarray = self.np_random.uniform(-0.8, 0.8, 4)
            return self.wanted
        self.wanted = self.np_random.integers(self.choices)
        return np.concatenate([np.eye(n)[k] for n, k in zip(self.choices, self.wanted, strict=True)])

    def rightness(self, action: Any) -> float:
        if not self.choices:
            return 1.0 - float(np.mean(np.square(np.asarray(action) - self.wanted[:2])))
        return float(np.mean(np.atleast_1d(action) == self.wanted))


def choices_of(space: spaces.Space[Any]) -> list[int]:
    """Return the number of choices of each part of an action; nothing for a continuous one."""
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return list(map(int, space.nvec))
    return [2] * int(space.shape[0]) if isinstance(space, spaces.MultiBinary) else []


class Shown(Task):
    """One of four actions is wanted, and shown in one way or another; best return 10, a random one 2.5."""

    action_space = spaces.Discrete(4)

    def show(self) -> Any:
        self.wanted = int(self.np_random.integers(4))
        return self.picture(self.wanted)

    def picture(self, wanted: int) -> Any:
        """Return an observation that shows it."""
        raise NotImplementedError

    def rightness(self, action: Any) -> float:
        return float(int(action) == self.wanted)


class ShownByNumber(Shown):
    """As a Discrete observation that begins with 5."""

    observation_space = spaces.Discrete(4, start=5)

    def picture(self, wanted: int) -> np.int64:
        return np.int64(wanted + 5)


class ShownByParts(Shown):
    """Half of it by a Discrete, half by the sign of a Box, in a Dict or a Tuple; one part alone is worth 5."""

    def __init__(self, named: bool) -> None:
        parts = {"half": spaces.Discrete(2), "sign": spaces.Box(-1, 1, (1, 2), np.float32)}
        self.named = named
        self.observation_space = spaces.Dict(parts) if named else spaces.Tuple(list(parts.values()))

    def picture(self, wanted: int) -> Any:
        sign = self.np_random.uniform(0.2, 1.0, (1, 2)) * (1 if wanted % 2 else -1)
        parts = {"half": np.int64(wanted // 2), "sign": sign.astype(np.float32)}
        return parts if self.named else tuple(parts.values())


class ShownByPicture(Shown):
    """A bright square somewhere in the quadrant that is wanted, among dim noise."""

    def __init__(self, channels_first: bool) -> None:
        self.channels_first = channels_first
        shape = (1, PIXELS, PIXELS) if channels_first else (PIXELS, PIXELS, 1)
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)

    def picture(self, wanted: int) -> np.ndarray:
        image, half = self.np_random.integers(30, size=(PIXELS, PIXELS), dtype=np.uint8), PIXELS // 2
        row, column = self.np_random.integers(half - 8, size=2) + half * np.array(divmod(wanted, 2))
        image[row : row + 8, column : column + 8] = 255
        return image[None] if self.channels_first else image[..., None]


class ShownByClock(Shown):
    """By two clocks, in seconds since 1970, of which each is late by ten seconds or is not; one alone is worth 5."""

    observation_space = spaces.Box(0, np.inf, (2,), np.float64)

    def picture(self, wanted: int) -> np.ndarray:
        return 1_764_000_000 + self.np_random.uniform(0, 2, 2) - 10 * np.array(divmod(wanted, 2))


class ShownByCodes(Shown):
    """By two codes of the many on a small map; one alone is worth 5."""

    observation_space = spaces.Box(0, 10, (7, 7, 3), np.uint8)

    def picture(self, wanted: int) -> np.ndarray:
        codes = np.ones((7, 7, 3), np.uint8)
        codes[3, [1, 5], 0] += np.array(divmod(wanted, 2), np.uint8)
        return codes


class ShownByEye(Shown):
    """Half of it by which half of a picture is bright, half by the sign of a number beside it; one alone is worth 5."""

    observation_space = spaces.Dict(
        {"eye": spaces.Box(0, 255, (PIXELS, PIXELS, 1), np.uint8), "sign": spaces.Box(-1, 1, (1,), np.float64)}
    )

    def picture(self, wanted: int) -> dict[str, np.ndarray]:
        image = self.np_random.integers(60, size=(PIXELS, PIXELS, 1), dtype=np.uint8)
        image[PIXELS // 2 :] += np.uint8(195 * (wanted // 2))
        return {"eye": image, "sign": self.np_random.uniform(0.2, 1.0, 1) * (1 if wanted % 2 else -1)}


class ShownByChoices(Shown):
    """As a MultiDiscrete of two."""

    observation_space = spaces.MultiDiscrete(np.array([[2], [2]]), start=np.array([[4], [-1]]))

    def picture(self, wanted: int) -> np.ndarray:
        return np.array(divmod(wanted, 2))[:, None] + self.observation_space.start


class ShownBySwitches(Shown):
    """As a MultiBinary of two."""

    observation_space = spaces.MultiBinary(2)

    def picture(self, wanted: int) -> np.ndarray:
        return np.array(divmod(wanted, 2), np.int8)


class Sequence(Task):
    """A fixed sequence of actions, while the observation is always the same; best return 8.

    Without memory every step's action is drawn alike, so that action k is right in as many steps as the sequence has
    it: in two, for each of the four. No such policy has an expected return other than 2.
    """

    observation_space = spaces.Box(-1, 1, (1,), np.float64)
    action_space = spaces.Discrete(4)
    length = len(SEQUENCE)

    def show(self) -> np.ndarray:
        return np.ones(1)

    def rightness(self, action: Any) -> float:
        return float(int(action) == SEQUENCE[self.steps])


class Memory(Task):
    """One of four cues is seen in the first step only, and asked for in each of the four after it; best return 4.

    Without memory those steps look the same whatever the cue was, so that a fourth of the answers is right: 1.
    """

    observation_space = spaces.Box(-1, 1, (4,), np.float64)
    action_space = spaces.Discrete(4)
    length = 1 + DELAY

    def show(self) -> np.ndarray:
        if self.steps:
            return np.zeros(4)
        self.cue = int(self.np_random.integers(4))
        return np.eye(4)[self.cue]

    def rightness(self, action: Any) -> float:
        return float(self.steps > 0 and int(action) == self.cue)


class Strict(gymnasium.Env[np.ndarray, Any]):
    """Raises unless an action is in its space; what it shows depends on every digit of those before."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.shown = self.np_random.uniform(-1, 1, 2)
        return self.shown, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if not (isinstance(action, np.ndarray) and self.action_space.contains(action)):
            raise ValueError(f"{action!r} is not in {self.action_space}")
        digits = np.frombuffer(action.tobytes(), np.uint8)
        self.shown = np.sin(self.shown + digits @ np.arange(1.0, len(digits) + 1))
        return self.shown, float(self.shown[0]), False, False, {}


STRICT: dict[str, spaces.Space[Any]] = {
    "Grid": spaces.Box(-0.1, 0.3, (2, 3), np.float64),
    "Whole": spaces.Box(np.iinfo(np.int64).min, np.iinfo(np.int64).max - 1, (2, 2), np.int64),
    "Choices": spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]), np.int16, start=np.array([[0, -7], [9, 1]])),
}


def register() -> None:
    """Make the tasks known to Gymnasium."""
    actions = {
        "Discrete": spaces.Discrete(4),
        "Box": spaces.Box(-1, 1, (2,), np.float32),
        "MultiDiscrete": spaces.MultiDiscrete([3, 4]),
        "MultiBinary": spaces.MultiBinary(3),
    }
    for name, space in actions.items():
        gymnasium.register(f"Target{name}-v0", f"{__name__}:Target", kwargs={"action_space": space})
    for name, space in STRICT.items():
        gymnasium.register(
            f"Strict{name}-v0", f"{__name__}:Strict", kwargs={"action_space": space}, max_episode_steps=50
        )
    for name in ("Number", "Clock", "Codes", "Eye", "Choices", "Switches"):
        gymnasium.register(f"ShownBy{name}-v0", f"{__name__}:ShownBy{name}")
    gymnasium.register("ShownByDict-v0", f"{__name__}:ShownByParts", kwargs={"named": True})
    gymnasium.register("ShownByTuple-v0", f"{__name__}:ShownByParts", kwargs={"named": False})
    gymnasium.register("ShownByPicture-v0", f"{__name__}:ShownByPicture", kwargs={"channels_first": False})
    gymnasium.register("ShownByFrames-v0", f"{__name__}:ShownByPicture", kwargs={"channels_first": True})
    gymnasium.register("Sequence-v0", f"{__name__}:Sequence")
    gymnasium.register("Memory-v0", f"{__name__}:Memory")
