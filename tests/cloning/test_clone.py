"""A clone does what it was shown, whatever the actions are; what does not fit is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo import CloneConfig, clone, configure, evaluate, load, record
from baselines_ppo.cloning.steps import Steps, discounted, parted, reward_scaler_of, steps_of
from baselines_ppo.common.failures import DataError, LoadError, UsageError
from baselines_ppo.common.files import demonstrations
from baselines_ppo.common.files.demonstrations import Demonstration, Demonstrations
from baselines_ppo.common.policy.actions import action_to_json
from baselines_ppo.common.policy.spaces.box_actions import BoxAction
from baselines_ppo.settings.config import RolloutConfig
from tests.cloning.data import about, right_episodes, right_file
from tests.envs.masked_tasks import FIRST, NOTHING
from tests.exporting import cases

FAST = CloneConfig(num_epochs=60, minibatch_size=64, learning_rate=1e-2)
SMALL: dict[str, Any] = {"hidden_sizes": (32,), "preset": "none"}


def accuracy(folder: Path, task: str) -> float:
    """Return the mean reward, from 0 to 1, of an agent in ten episodes that nobody has seen."""
    agent, environment, rewards = load(folder), gymnasium.make(f"{task}-v0"), []
    for seed in range(1000, 1010):
        observation, _ = environment.reset(seed=seed)
        over = False
        while not over:
            observation, reward, terminated, truncated, _ = environment.step(agent.act(observation))
            rewards.append(float(reward))
            over = terminated or truncated
    return float(np.mean(rewards))


@pytest.mark.parametrize(
    "task",
    ["TargetBox", "TargetMultiDiscrete", "ShownByDict", pytest.param("TargetDiscrete", marks=pytest.mark.slow)],
)
def test_a_clone_of_right_actions_acts_right(task: str, tmp_path: Path) -> None:
    """The right action is worth 1; those of chance at most 0.5."""
    if task == "ShownByDict":
        data = tmp_path / "data.npz"
        demonstrations.save(data, shown_by_dict(60), about(task))
    else:
        data = right_file(tmp_path, task, 60)
    cloned = clone(configure(f"tests.environments:{task}-v0", **SMALL), data, tmp_path / "agent", FAST)
    assert (cloned.episodes, cloned.steps, round(cloned.mean_return, 6)) == (54, 540, 10.0)
    assert accuracy(cloned.folder, task) > 0.99


def shown_by_dict(count: int) -> list[Demonstration]:
    """Return episodes with the right actions in an environment of Dict observations."""
    environment, episodes = gymnasium.make("ShownByDict-v0"), []
    for seed in range(count):
        task: Any = environment.unwrapped
        observation, _ = environment.reset(seed=seed)
        seen, done = [observation], []
        for _ in range(10):
            done.append(task.wanted)
            seen.append(environment.step(task.wanted)[0])
        nested = demonstrations.stacked(seen)
        episodes.append(Demonstration(nested, np.array(done), np.ones(10), False))
    return episodes


def test_values_are_those_of_the_returns_in_the_unit_of_the_training(tmp_path: Path) -> None:
    """Each step is worth 1 for ever, with gamma 0.5: every state has the value 2, also before an end by a limit."""
    data = right_file(tmp_path, "TargetDiscrete", 60)
    different: tuple[dict[str, Any], ...] = ({"normalize_value_targets": True}, {"normalize_returns": False})
    for number, changes in enumerate(different):
        config = configure("tests.environments:TargetDiscrete-v0", gamma=0.5, **SMALL, **changes)
        cloned = clone(config, data, tmp_path / f"agent{number}", FAST)
        agent, arrays = load(cloned.folder), dict(np.load(cloned.folder / "arrays.npz"))
        unit = np.sqrt(arrays["rewards/variance"] + 1e-8) if "rewards/variance" in arrays else 1.0
        seen = agent.policy.normalize(right_episodes("TargetDiscrete", 1)[0].observations)
        values = agent.policy.values(seen, agent.policy.initial_states(len(seen))) * unit
        np.testing.assert_allclose(values, 2.0, atol=0.2)


def test_returns_of_episodes_that_terminate_and_that_are_cut_off() -> None:
    rewards, zeros = np.array([1.0, 2.0, 4.0, 8.0]), np.zeros((4, 1))
    steps = Steps(zeros, zeros, rewards, np.zeros((2, 1)), np.array([2, 2]), np.array([True, False]))
    config = RolloutConfig(gamma=0.5, normalize_returns=False)
    found = discounted(steps, config, None)
    assert found.returns.tolist() == [2.0, 2.0, 8.0, 8.0]
    assert found.left.tolist() == [0.0, 0.0, 0.25, 0.5]
    assert found.episode.tolist() == [0, 0, 1, 1]
    scaler = reward_scaler_of(steps, RolloutConfig(gamma=0.5))
    assert scaler is not None
    assert float(scaler.moments.variance) == pytest.approx(np.var([1.0, 2.5, 4.0, 10.0]))
    learned, held = parted(steps, 0.5, seed=0)
    assert held is not None and sorted([*learned.rewards, *held.rewards]) == rewards.tolist()
    assert learned.returns.tolist() in ([3.0], [12.0])


def test_demonstrations_of_another_environment_are_refused(tmp_path: Path) -> None:
    data = right_file(tmp_path, "TargetDiscrete", 3)
    with pytest.raises(UsageError, match=r"recorded with --env tests.environments:TargetDiscrete-v0.*CartPole-v1"):
        clone(configure("CartPole-v1"), data, tmp_path / "agent")
    wrapper = ("gymnasium.wrappers:TimeAwareObservation",)
    here = "recorded with --wrapper none, and this is for gymnasium.wrappers:TimeAwareObservation; give --wrapper none"
    with pytest.raises(UsageError, match=here):
        clone(configure("tests.environments:TargetDiscrete-v0", wrapper=wrapper), data, tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


def spoilt(**parts: Any) -> Demonstration:
    return right_episodes("TargetDiscrete", 1)[0]._replace(**parts)


@pytest.mark.parametrize(
    ("episode", "words"),
    [
        (spoilt(observations=np.zeros((11, 3))), "episode 1: the observations are .11, 3., expected shape .11, 4."),
        (spoilt(observations=np.full((11, 4), np.nan)), "episode 1, step 0: the observation has NaN"),
        (spoilt(actions=np.full(10, 4)), "episode 1: the actions are out of range: 4"),
        (spoilt(actions=np.zeros((10, 2), int)), "episode 1: the actions are"),
        (spoilt(rewards=np.full(10, np.inf)), "episode 1, step 0: the reward is inf"),
    ],
)
def test_an_episode_that_does_not_fit_is_named(episode: Demonstration, words: str, tmp_path: Path) -> None:
    demonstrations.save(tmp_path / "d.npz", [episode], about("TargetDiscrete"))
    whole, wrong = (right_file(tmp_path, "TargetDiscrete", 1), tmp_path / "d.npz")
    found = [demonstrations.load(path).episodes[0] for path in (whole, wrong)]
    try:
        demonstrations.save(tmp_path / "both.npz", found, about("TargetDiscrete"))
    except ValueError:  # numpy does not join the shapes
        demonstrations.save(tmp_path / "both.npz", [episode, episode], about("TargetDiscrete"))
        words = words.replace("episode 1", "episode 0")
    with pytest.raises(DataError, match=words):
        clone(configure("tests.environments:TargetDiscrete-v0", **SMALL), tmp_path / "both.npz", tmp_path / "agent")


def test_what_cannot_be_cloned_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    data = right_file(tmp_path, "TargetDiscrete", 1)
    config = configure("tests.environments:TargetDiscrete-v0", **SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    refusals: list[tuple[type[Exception], str, Any]] = [
        (UsageError, "there is something already", lambda: clone(config, data, tmp_path / "full")),
        (UsageError, "--held-out 0", lambda: clone(config, data, tmp_path / "agent")),
        (UsageError, "--num-epochs is 0", lambda: clone(config, data, tmp_path / "agent", CloneConfig(num_epochs=0))),
        (LoadError, "none.npz", lambda: clone(config, tmp_path / "none.npz", tmp_path / "agent")),
        (DataError, "10 steps are too few", lambda: clone(config, data, tmp_path / "a", CloneConfig(held_out=0.0))),
        (
            UsageError,
            "without memory",
            lambda: clone(configure(config.env, network="lstm", preset="none"), data, tmp_path / "agent"),
        ),
    ]
    for kind, words, refused in refusals:
        with pytest.raises(kind, match=words):
            refused()
    assert {path.name for path in tmp_path.iterdir()} == {"full", data.name}


@pytest.mark.parametrize("task", ["FreeArms", "Switches"])
def test_masks_are_kept_with_what_was_seen_whatever_form_they_have(task: str, tmp_path: Path) -> None:
    """Of a part that is free the mask is None; whoever does what is forbidden ends the episode with an error."""
    env_id, environment = f"tests.envs.masked_tasks:{task}-v0", gymnasium.make(f"tests.envs.masked_tasks:{task}-v0")
    spaces = environment.observation_space, environment.action_space
    agent = cases.random_agent(tmp_path, task, *spaces, masks_in_info=True)
    record(agent, tmp_path / "e.npz", episodes=4, env=env_id, stochastic=True)
    config = configure(env_id, **SMALL)
    cloned = clone(config, tmp_path / "e.npz", tmp_path / "cloned", CloneConfig(num_epochs=1, minibatch_size=16))
    assert cloned.steps == 30 and load(cloned.folder).policy.network.masked
    assert evaluate(cloned.folder, episodes=2).stochastic.mean_length == 10
    with np.load(tmp_path / "e.npz") as file:
        masks = file["observations/action_mask"].reshape(4, 11, -1)[:, :10]
    by_turns = masks[..., -1] if task == "FreeArms" else masks[..., 0] // 2
    np.testing.assert_array_equal(by_turns, (by_turns[:, :1] + np.arange(10)) % 2)


def test_masks_that_are_missing_or_forbid_what_was_done_are_refused(tmp_path: Path) -> None:
    """Three steps of four arms; the mask of the final observation says nothing."""
    seen, done = np.zeros((4, 1)), np.array([FIRST, FIRST + 2, FIRST + 3])
    space = gymnasium.spaces.Discrete(4, start=FIRST)
    network = load(cases.random_agent(tmp_path, "Arms", NOTHING, space, masks_in_info=True)).policy.network

    def steps(masks: np.ndarray | None, beside: bool = True) -> Steps:
        shown = seen if beside else {"observation": seen, "action_mask": masks}
        episode = Demonstration(shown, done, np.ones(3), True, masks if beside else None)
        return steps_of(Demonstrations("mine", None, [episode]), network)

    allowed = np.array([[1, 1, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], np.int8)
    for beside in (True, False):
        np.testing.assert_array_equal(steps(allowed, beside).observations[:, 1:], allowed[:3])
    for masks, words in (
        (None, "mine, episode 0: it has no masks of actions"),
        (allowed[[0, 3, 2, 3]], "mine, episode 0, step 1: the action_mask allows nothing"),
        (allowed[[0, 0, 1, 3]], "mine, episode 0, step 2: the action is one that the mask forbids"),
    ):
        with pytest.raises(DataError, match=words):
            steps(masks)


def test_numbers_beyond_the_bounds_of_another_environment_are_not_clipped_silently(tmp_path: Path) -> None:
    wide = demonstrations.load(right_file(tmp_path, "TargetBox", 3))
    action = BoxAction((-2.0, -2.0), (2.0, 2.0), (2,), "float32")
    demonstrations.save(
        tmp_path / "w.npz", wide.episodes, {**about("TargetBox"), "action_space": action_to_json(action)}
    )
    with pytest.raises(UsageError, match=r"w.npz has other actions .*bounds -2\.\.2, here -1\.\.1"):
        clone(configure("tests.environments:TargetBox-v0", **SMALL), tmp_path / "w.npz", tmp_path / "agent")
