"""What is given as an environment is one, keeps to the interface, and is told of where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import tests.environments  # noqa: F401  # registers them
from baselines_ppo import configure, train
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.interface import own_environment
from baselines_ppo.common.envs.treatment import AS_USUAL
from baselines_ppo.common.envs.trial import try_out
from baselines_ppo.common.envs.vec_env import Step
from baselines_ppo.common.failures import DataError, UsageError
from tests.envs.test_trial import SMALL, driven, envs_of
from tests.odd_environments import Global, Odd, Remembering, Sharing


def test_a_function_that_gives_the_same_object_again_is_refused(tmp_path: Path) -> None:
    one, inner = gymnasium.make("CartPole-v1"), gymnasium.make("Acrobot-v1").unwrapped
    for number, make in enumerate((lambda: one, lambda: gymnasium.wrappers.TimeLimit(inner, 50))):
        for count in (1, 4):
            config = configure("Mine", **{**SMALL, "num_envs": count})
            with pytest.raises(UsageError, match="each call must return a new environment: write"):
                train(config, environment=make, logdir=tmp_path / str(number))
            assert not (tmp_path / str(number)).exists()
        with pytest.raises(UsageError, match="each call must return a new environment"):
            SerialBackend(make, 2, "Mine")


def test_environments_that_share_something_are_refused_where_there_are_several(tmp_path: Path) -> None:
    assert try_out(Sharing, "X")[::2] == (
        AS_USUAL,
        "one environment changes what another gives, so they share something",
    )
    with pytest.raises(UsageError, match="they share something"):
        train(configure("Mine", **SMALL), environment=Sharing, logdir=tmp_path / "run")
    track = np.zeros(1)  # in a closure

    class OnOneTrack(Odd):
        def begin(self) -> None:
            track[0] = 0

        def draw(self, action: int) -> float:
            track[0] += action
            return float(track[0])

    assert try_out(OnOneTrack, "X").alone
    assert not try_out(Remembering, "X").alone


def stranger(module: str) -> Callable[[], Any]:
    kind = type("Theirs", (), {"__module__": module, "num_envs": 2, "action_space": 1, "observation_space": 1})
    return lambda: kind()


class NoActions(gymnasium.Env[Any, Any]):
    """Lacks a space."""

    observation_space = spaces.Box(-1, 1, (1,))


MISTAKES: dict[str, tuple[Any, str]] = {
    "nothing": (lambda: None, "is None; end it with `return`"),
    "several": (lambda: gymnasium.make_vec("Pendulum-v1", 3), "is a vector environment; let the function make one"),
    "wrapped": (lambda: gymnasium.make_vec("Pendulum-v1", 2, vectorization_mode="sync"), "is a vector environment"),
    "a list": (lambda: [gymnasium.make("Pendulum-v1")], "is a list of 1; let the function make one"),
    "a class": (lambda: Global, "is the class Global; call it"),
    "an object": (lambda: object(), r"\(object\) is no gymnasium.Env; derive its class"),
    "half": (NoActions, "has no action_space; set self.action_space in __init__"),
    "envpool": (stranger("envpool.atari"), "steps several environments at once; let the function make one"),
    "pettingzoo": (stranger("pettingzoo.utils.env"), "has several agents; these algorithms train one"),
    "supersuit": (stranger("supersuit.vector.concat_vec_env"), "vector environment of supersuit"),
    "sb3": (stranger("stable_baselines3.common.vec_env"), "vector environment of Stable-Baselines3"),
    "gym": (stranger("gym.core"), "is of the old package gym; derive it from gymnasium.Env"),
    "an environment": (
        gymnasium.make("Pendulum-v1"),
        "is a TimeLimit, expected a function .* environment=lambda: MyEnv",
    ),
    "an id": ("Pendulum-v1", "is 'Pendulum-v1', expected a function that makes one; give an id to configure"),
    "a number": (7, "is 7, expected a function"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_no_function_that_makes_an_environment_is_said_with_the_cure(name: str, tmp_path: Path) -> None:
    given, message = MISTAKES[name]
    with pytest.raises(UsageError, match=f"^environment Mine: .*{message}") as caught:
        train(configure("Mine", **SMALL), environment=given, logdir=tmp_path / "run")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=message):
        own_environment(given, "Mine")()


class Giving(Odd):
    """Gives whatever it is told to."""

    def __init__(self, begun: Callable[[Any], Any] = lambda o: (o, {}), **given: Any) -> None:
        self.begun, self.given = begun, given

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.begun(np.zeros(2))

    def step(self, action: Any) -> Any:
        values = {"reward": 1.0, "terminated": False, "truncated": False, **self.given}
        return np.zeros(2), values["reward"], values["terminated"], values["truncated"], {}


def given(**how: Any) -> Step:
    """Return the first step of an environment."""
    return driven(envs_of(lambda: Giving(**how), range(1), AS_USUAL), 0, 1)[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"begun": lambda o: o}, "reset returned an array of shape .2,., expected an observation and a dict"),
        ({"begun": lambda o: (o, o)}, "reset returned 2 values, expected an observation and a dict"),
        ({"begun": lambda o: None}, "reset returned None, expected"),
        ({"terminated": np.array([False, True])}, r"terminated is an array of shape \(2,\), expected True or False"),
        ({"truncated": None}, "truncated is None, expected True or False"),
        ({"truncated": "no"}, "truncated is 'no', expected True or False"),
        ({"terminated": 0.5}, "terminated is 0.5, expected"),
        ({"reward": np.ones(2)}, r"the reward is an array of shape \(2,\), expected a number"),
        ({"reward": "1.0"}, "the reward is '1.0', expected a number"),
        ({"reward": 1j}, "the reward is 1j, expected a number"),
        ({"reward": np.ma.masked}, "the reward is masked, expected a number"),
        ({"reward": 1e300}, r"the reward is 1e\+300, beyond what float32 holds \(3.4e\+38\)"),
        ({"reward": -np.inf}, "the reward is -inf; last action"),
        ({"begun": lambda o: (o + 1e39, {})}, r"the observation has 1e\+39 at \[0, 1\], beyond what float32 holds"),
        ({"begun": lambda o: (o / [1, np.inf] + [np.nan, np.inf], {})}, r"has NaN at \[0\] and Inf at \[1\]; last"),
        ({"begun": lambda o: (np.ma.array(o, mask=[False, True]), {})}, "a masked array that hides 1 of its numbers"),
    ],
)
def test_what_is_not_of_the_interface_is_said_with_its_origin(how: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"env X, rank 0, environment 0, episode 0 .*{message}"):
        given(**how)


@pytest.mark.parametrize(
    "one", [1.0, 1, np.float32(1), np.int64(1), np.ones(1), np.ones((1, 1), np.float32), np.array(1.0)]
)
def test_what_is_unambiguous_is_taken(one: Any) -> None:
    step = given(reward=one, terminated=one, truncated=np.bool_(False), begun=lambda o: [o, None])
    assert (step.rewards[0], step.terminated[0], step.truncated[0]) == (1.0, True, False)
