"""Observations: what is accepted as one, what is taken for an image, and what the networks see of it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo import load, train
from baselines_ppo.banner import seen
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.policy.actions import DiscreteAction
from baselines_ppo.common.policy.given_arrays import unlearnable
from baselines_ppo.common.policy.observations import Observation, observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.rollout import Collector
from baselines_ppo.run.agents.scoring import measure
from baselines_ppo.settings.config import with_fields
from baselines_ppo.settings.presets import configure
from baselines_ppo.wiring import actor_critic_of

CHOICE = DiscreteAction(2, 0)
PAIR = spaces.Box(-9, 9, (2,), np.float32)
CAMERA = spaces.Box(0, 255, (36, 40, 3), np.uint8)
ROBOT = spaces.Dict({"at": spaces.Box(-np.inf, np.inf, (3,), np.float64), "eye": CAMERA, "mode": spaces.Discrete(2)})


class Tensor:
    """Numbers of another library, which numpy asks for theirs."""

    def __init__(self, numbers: Any, moved: bool = False) -> None:
        self.numbers, self.moved = numbers, moved

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.moved:
            raise TypeError("can't convert a tensor on another device;\nuse .cpu() first")
        return np.asarray(self.numbers, dtype)


def policy_of(observation: Observation, clip: float | None = None, **values: Any) -> Policy:
    network = actor_critic_of(configure("X", hidden_sizes=(8,), **values), observation, CHOICE)
    return Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), clip)


def bfloat16(numbers: list[float]) -> np.ndarray:
    return tf.constant(numbers, tf.bfloat16).numpy()


@pytest.mark.parametrize(
    ("space", "given", "expected"),
    [
        (spaces.Box(-1, 1, (), np.float32), np.float64(0.25), [0.25]),
        (spaces.Box(-1, 1, (), np.float32), 0.5, [0.5]),
        (PAIR, [1, True], [1, 1]),
        (PAIR, (0.5, np.float32(2)), [0.5, 2]),
        (PAIR, Tensor([3.0, 4.0]), [3, 4]),
        (PAIR, tf.constant([1.5, 2.5]), [1.5, 2.5]),
        (PAIR, bfloat16([1.5, 2.5]), [1.5, 2.5]),
        (spaces.Box(-9, 9, (2,), np.int32), [2.0, -9.0], [2, -9]),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([255, 0], np.int64), [255, 0]),
        (spaces.Discrete(3, start=-1), Tensor(np.int32(1)), [0, 0, 1]),
        (spaces.Discrete(2), np.bool_(True), [0, 1]),
        (spaces.MultiBinary(3), [True, 0, 1.0], [1, 0, 1]),
        (spaces.Tuple((PAIR, spaces.Discrete(2))), [[7.0, 8.0], 0], [7, 8, 1, 0]),
        (spaces.Dict({"height": spaces.Box(0, 1, (), np.float64)}), {"height": np.float32(0.5)}, [0.5]),
    ],
)
def test_what_is_unambiguous_is_accepted_exactly(space: spaces.Space[Any], given: Any, expected: list[float]) -> None:
    assert observation_of(space, "X").encode(given).tolist() == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("high", "a str, expected numbers of shape"),
        (Tensor([1.0, 2.0], moved=True), "a tests.Tensor that numpy does not take (can't convert a tensor on another"),
        ([[1.0], [2.0, 3.0]], "a list that numpy does not take"),
        (np.array([None, 1.0]), "a numpy.ndarray of object items"),
        (tf.zeros([3]), "a tensorflow.EagerTensor of shape (3,)"),
        (np.zeros((400, 400)), "(400, 400), expected shape (2,)"),
    ],
    ids=["word", "tensor", "ragged", "objects", "shape", "shapes"],
)
def test_what_is_not_is_named_in_one_short_line(given: Any, words: str) -> None:
    agent = Agent(policy_of(observation_of(PAIR, "X")), "X", Path("agent"), {})
    for act in (observation_of(PAIR, "X").encode, agent.act):
        with pytest.raises((ValueError, DataError)) as raised:
            act(given)
        assert words in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert len(str(raised.value)) < 200


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_cannot_be_learned_from_is_found_in_every_kind_of_floats(dtype: type) -> None:
    assert unlearnable(np.array([[0.0], [np.finfo(np.float16).max]], dtype)) is None
    assert unlearnable(np.array([[0.0], [-np.inf]], dtype)) == (1, "Inf at [0]")
    assert unlearnable(np.array([[np.nan], [0.0]], dtype)) == (0, "NaN at [0]")


def test_an_agent_names_the_part_and_the_number_that_is_wrong_alone_and_in_a_batch() -> None:
    space = spaces.Dict({"at": PAIR, "code": spaces.Box(0, 9, (2,), np.int64)})
    agent = Agent(policy_of(observation_of(space, "X")), "X", Path("agent"), {})
    assert agent.act({"at": [0, 0], "code": [0, 9]}).shape == ()
    assert agent.act({"code": [[0, 9]] * 3, "at": np.zeros((3, 2))}).shape == (3,)
    for lead in ((), (3,)):
        codes = np.full((*lead, 2), 9)
        codes[..., 1] = 10
        with pytest.raises(DataError, match=r"is 10 at \[.*1\], expected whole numbers from 0 to 9, in its part code"):
            agent.act({"at": np.zeros((*lead, 2)), "code": codes})


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (0,)),
        spaces.Box(0, 255, (36, 0, 3), np.uint8),
        spaces.Dict({}),
        spaces.Tuple(()),
        spaces.Dict({"a": spaces.Box(-1, 1, (3, 0)), "b": spaces.Tuple(())}),
    ],
    ids=str,
)
def test_a_space_without_numbers_is_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(UsageError, match=r"environment Empty-v0 has the observation space .* nothing to see"):
        observation_of(space, "Empty-v0")


def test_a_clock_is_exact_until_its_mean_is_subtracted_in_training_and_in_acting() -> None:
    """Seconds since 1970, each 0.125 later: float32 has steps of 128 there."""

    class Clock(gymnasium.Env[np.ndarray, Any]):
        observation_space = spaces.Box(0, np.inf, (1,), np.float64)
        action_space = spaces.Discrete(2)

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
            super().reset(seed=seed)
            self.now = 1_764_000_000.0
            return np.array([self.now]), {}

        def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            self.now += 0.125
            return np.array([self.now]), 0.0, False, False, {}

    envs = VecEnv(SerialBackend(Clock, 1, "X"), range(1), 0, "X", rank=0)
    policy = policy_of(envs.observation, 10.0)
    envs.reset()
    collector = Collector(envs, policy, None, seed=0, gamma=0.9)
    rollout = collector.collect(0, 16)
    policy.observations.update(moments_of(rollout.raw_observations[:, 0]))
    again = collector.collect(1, 16)
    times = [Fraction(1_764_000_000) + Fraction(k, 8) for k in range(32)]
    mean = sum(times[:16], Fraction(0)) / 16
    std = float(sum(((t - mean) ** 2 for t in times[:16]), Fraction(0)) / 16) ** 0.5
    expected = np.array([float(t - mean) / std for t in times[16:]])
    np.testing.assert_allclose(again.observations[:, 0, 0], expected, rtol=1e-6)
    agent = Agent(policy, "X", Path("agent"), {})
    for t, step in zip(times[16:], again.observations, strict=True):
        encoded = agent._encoded([float(t)])
        assert policy.normalize(encoded).tobytes() == step[0].tobytes()


@pytest.mark.parametrize(
    ("space", "network", "words"),
    [
        (spaces.Box(-1, 1, (376,), np.float64), "auto", "observation: 376 numbers, normalised"),
        (spaces.Box(0, 10, (7, 7, 3), np.uint8), "auto", "observation: 7 x 7 x 3 = 147 whole numbers, normalised"),
        (spaces.Box(0, 255, (4, 84, 84), np.uint8), "auto", "observation: image 84 x 84 x 4 (channels first), bytes"),
        (
            spaces.Box(0, 1, (64, 64), np.float32),
            "mlp",
            "observation: image 64 x 64 x 1 (from 64 x 64), float32 from 0 to 1, flattened for mlp",
        ),
        (ROBOT, "auto", "at: 3 numbers, normalised; eye: image 36 x 40 x 3, bytes; mode: one of 2 states"),
        (
            spaces.Tuple((spaces.Dict({"on": spaces.MultiBinary(4)}), spaces.MultiDiscrete([2, 3]))),
            "auto",
            "0.on: 4 zeros and ones; 1: 2 states, as 5 zeros and ones",
        ),
    ],
    ids=str,
)
def test_the_banner_says_what_is_taken_for_what(space: spaces.Space[Any], network: str, words: str) -> None:
    assert seen(policy_of(observation_of(space, "X"), network=network).network, normalized=True) == words


@pytest.mark.usefixtures("stub")
def test_what_is_chosen_is_kept_and_decides_wherever_the_agent_goes(tmp_path: Path) -> None:
    """A run of before there was a choice goes on with what it took its pictures for, too."""
    settings: dict[str, Any] = {"preset": "none", "num_envs": 1, "num_steps": 32, "num_minibatches": 4, "num_epochs": 1}
    config = configure("tests.environments:ShownByCodes-v0", num_timesteps=32, observations="image", **settings)
    run = train(config, logdir=tmp_path / "run").folder
    agent = load(str(run))
    assert agent.policy.network.observation == ImageObservation((7, 7, 3), 0, "uint8", 0.0, 10.0)
    assert [len(played) for played in measure(agent, EnvironmentSpec(agent.env_id), 2, seed=0).values()] == [2, 2]
    auto = with_fields(config, observations="auto", num_timesteps=64)
    with pytest.raises(UsageError, match="observations image -> auto"):
        train(auto, resume=run)
    found = checkpoint.find(run)[0]
    manifest = json.loads(json.dumps(found.manifest))
    manifest["policy"]["observation"] = {"kind": "image", "image": [7, 7, 3], "channels_first": False, "dtype": "uint8"}
    del manifest["config"]["policy"]["observations"]
    before = checkpoint.save(tmp_path, "before", manifest, found.arrays)
    gone_on = train(auto, resume=before, logdir=tmp_path / "on")
    assert gone_on.total_steps == 64
    assert load(str(gone_on.folder)).policy.network.observation == ImageObservation((7, 7, 3), 0, said=False)
