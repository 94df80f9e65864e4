"""Tasks with forbidden actions, and with actions of several kinds; the best return of each is known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from tests.tasks import Task

PAID = np.array([0.1, 0.4, 0.7, 1.0])  # by each arm
PICTURE = spaces.Box(0, 255, (36, 36, 1), np.uint8)
NOTHING = spaces.Box(-1, 1, (1,), np.float64)
FIRST = 5  # the number of the first arm, where there is one choice


class Arms(Task):
    """Ten pulls of four arms, of which the best one is forbidden in every other pull: who pulls it then gets an error.

    Nothing is to be seen. The best return is 5 x 1.0 + 5 x 0.7 = 8.5; the mean of allowed arms gives 4.75.
    """

    choices = 1

    def __init__(self, in_info: bool = True, seen: spaces.Space[Any] = NOTHING) -> None:
        self.in_info, self.seen = in_info, seen
        masks = spaces.MultiBinary(len(PAID))
        self.observation_space = seen if in_info else spaces.Dict({"observation": seen, "action_mask": masks})
        self.action_space: spaces.Space[Any] = spaces.Discrete(len(PAID), start=FIRST)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        gymnasium.Env.reset(self, seed=seed)
        self.first = int(self.np_random.integers(2))
        observation, info = super().reset()
        return observation, {**info, **self.told()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        *result, info = super().step(action)
        return (*result, {**info, **self.told()})

    def told(self) -> dict[str, Any]:
        """Return what the info says of actions; nothing when the episode is over."""
        return {"action_mask": self.mask()} if self.in_info and self.steps < self.length else {}

    def allowed(self) -> np.ndarray:
        """Return which arms are allowed now, for each choice [choices, 4] int8."""
        allowed = np.ones((self.choices, len(PAID)), np.int8)
        for choice in range(self.choices):
            allowed[choice, -1] = (self.first + self.steps + choice) % 2
        return allowed

    def mask(self) -> Any:
        """Return it as the environment says it."""
        return self.allowed()[0]

    def show(self) -> Any:
        seen = self.seen.low if isinstance(self.seen, spaces.Box) else None
        return seen if self.in_info else {"observation": seen, "action_mask": self.mask() * (self.steps < self.length)}

    def arms(self, action: Any) -> list[int]:
        """Return the arm of each choice."""
        return [int(action) - FIRST]

    def rightness(self, action: Any) -> float:
        arms = self.arms(action)
        if not all(allowed[arm] for allowed, arm in zip(self.allowed(), arms, strict=True)):
            raise ValueError(f"{arms} are forbidden by {self.allowed().tolist()}")
        return float(np.mean(PAID[arms]))


class TwoArms(Arms):
    """Two such choices at once, whose masks are a tuple."""

    choices = 2

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.MultiDiscrete([len(PAID)] * 2)

    def mask(self) -> Any:
        return tuple(self.allowed())

    def arms(self, action: Any) -> list[int]:
        return action.tolist()


class AimedArms(Arms):
    """Pulls that are also to be aimed at 0, as a Dict of two actions, of which one has masks."""

    def __init__(self) -> None:
        super().__init__()
        aim = spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = spaces.Dict({"aim": aim, "pull": spaces.Discrete(len(PAID), start=FIRST)})

    def mask(self) -> Any:
        return {"pull": self.allowed()[0]}

    def arms(self, action: Any) -> list[int]:
        return [int(action["pull"]) - FIRST]

    def rightness(self, action: Any) -> float:
        return super().rightness(action) - float(action["aim"][0]) ** 2


class FreeArms(AimedArms):
    """The same, but says nothing of a part of which all is allowed."""

    def mask(self) -> Any:
        return {"pull": None} if self.allowed().all() else super().mask()


class Switches(Arms):
    """Three switches, paid for those that are on; the first must be off in every other step, the second must be on.

    The best return is (5 + 10 + 10) / 3.
    """

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.MultiBinary(3)

    def mask(self) -> Any:
        return np.array([2 * self.allowed()[0, -1], 1, 2], np.int8)

    def rightness(self, action: Any) -> float:
        if any(must not in (2, on) for must, on in zip(self.mask(), action, strict=True)):
            raise ValueError(f"{action} is forbidden by {self.mask()}")
        return float(np.mean(action))


class Stuck(Arms):
    """Allows nothing after three pulls, or says nothing then."""

    def __init__(self, silent: bool) -> None:
        super().__init__()
        self.silent = silent

    def told(self) -> dict[str, Any]:
        told = super().told()
        if self.steps == 3:
            return {} if self.silent else {"action_mask": np.zeros(len(PAID), np.int8)}
        return told


class Unmasked(Arms):
    """Allows everything, and says nothing of it."""

    def told(self) -> dict[str, Any]:
        return {}

    def allowed(self) -> np.ndarray:
        return np.ones((self.choices, len(PAID)), np.int8)


AIM, PICK, MORE = (
    spaces.Box(-2, 2, (2,), np.float32),
    spaces.Discrete(4, start=2),
    spaces.Tuple((spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(2))),
)
HYBRID: dict[str, spaces.Space[Any]] = {
    "Dict": spaces.Dict({"aim": AIM, "pick": PICK, "more": MORE}),
    "Tuple": spaces.Tuple((AIM, PICK)),
    "Boxes": spaces.Dict({"left": spaces.Box(-1, 1, (1,)), "right": spaces.Box(-1, 1, (1,))}),
    "Choices": spaces.Tuple((PICK, MORE)),
}


class Parts(Task):
    """Each part of an action must be what is shown of it; best return 10. What is not in the space raises."""

    def __init__(self, kind: str) -> None:
        self.action_space = HYBRID[kind]
        self.leaves = leaves_of(self.action_space)
        self.observation_space = spaces.Box(-2, 2, (sum(len(shown(leaf, leaf.sample())) for leaf in self.leaves),))

    def show(self) -> np.ndarray:
        self.wanted = [self.drawn(leaf) for leaf in self.leaves]
        parts = [shown(leaf, wanted) for leaf, wanted in zip(self.leaves, self.wanted, strict=True)]
        return np.concatenate(parts, dtype=np.float32)

    def drawn(self, leaf: spaces.Space[Any]) -> np.ndarray:
        """Return what is wanted of a part."""
        low, sizes = numbers_of(leaf)
        if isinstance(leaf, spaces.Box):
            return self.np_random.uniform(0.8 * leaf.low, 0.8 * leaf.high)
        return low + self.np_random.integers(sizes)

    def rightness(self, action: Any) -> float:
        if not self.action_space.contains(action):
            raise ValueError(f"{action!r} is not in {self.action_space}")
        each = [
            np.maximum(0.0, 1.0 - np.abs(given - wanted)) if isinstance(leaf, spaces.Box) else given == wanted
            for leaf, given, wanted in zip(self.leaves, flat(action), self.wanted, strict=True)
        ]
        return float(np.mean([np.mean(part) for part in each]))


def leaves_of(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    """Return what a space is made of, in its order."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        return [leaf for part in parts for leaf in leaves_of(part)]
    return [space]


def flat(action: Any) -> list[Any]:
    """Return what an action is made of, in the order of its space."""
    if isinstance(action, dict | tuple):
        parts = action.values() if isinstance(action, dict) else action
        return [leaf for part in parts for leaf in flat(part)]
    return [action]


def numbers_of(leaf: spaces.Space[Any]) -> tuple[Any, Any]:
    """Return the first number of each choice, and how many there are."""
    if isinstance(leaf, spaces.Discrete):
        return leaf.start, leaf.n
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.start, leaf.nvec
    return 0, [2] * leaf.shape[0]  # type: ignore[index]  # a MultiBinary


def shown(leaf: spaces.Space[Any], wanted: Any) -> np.ndarray:
    """Return numbers that show what is wanted: choices as ones among zeros."""
    if isinstance(leaf, spaces.Box):
        return np.asarray(wanted)
    low, sizes = numbers_of(leaf)
    ones = zip(np.atleast_1d(wanted - low), np.atleast_1d(sizes), strict=True)
    return np.concatenate([np.arange(size) == one for one, size in ones])


def register() -> None:
    """Make the tasks known to Gymnasium."""
    forms: dict[str, dict[str, Any]] = {
        "": {},
        "InDict": {"in_info": False},
        "Seen": {"in_info": False, "seen": PICTURE},
        "SeenInfo": {"seen": PICTURE},
    }
    for name, keywords in forms.items():
        gymnasium.register(f"Arms{name}-v0", f"{__name__}:Arms", kwargs=keywords)
    gymnasium.register("TwoArms-v0", f"{__name__}:TwoArms")
    gymnasium.register("AimedArms-v0", f"{__name__}:AimedArms")
    gymnasium.register("FreeArms-v0", f"{__name__}:FreeArms")
    gymnasium.register("Switches-v0", f"{__name__}:Switches")
    gymnasium.register("Unmasked-v0", f"{__name__}:Unmasked")
    gymnasium.register("Stuck-v0", f"{__name__}:Stuck", kwargs={"silent": False})
    gymnasium.register("Silent-v0", f"{__name__}:Stuck", kwargs={"silent": True})
    for kind in HYBRID:
        gymnasium.register(f"Parts{kind}-v0", f"{__name__}:Parts", kwargs={"kind": kind})


register()
