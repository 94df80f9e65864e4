"""Environments that are replayed go on bit for bit, or begin a new episode."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import tests.environments  # noqa: F401  # registers them
from baselines_ppo.common.envs.action_log import EpisodeRecord
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.seeding import episode_seed
from tests.conftest import ROOT
from tests.envs.test_rollout import random_actions, vec_env

REPLAYABLE = (
    "Humanoid-v4",
    "Ant-v5",
    "HalfCheetah-v4",
    "Hopper-v5",
    "Reacher-v5",
    "CartPole-v1",
    "Pendulum-v1",
    "LunarLander-v3",
)
STEPS = (0, 57)


def test_each_episode_begins_with_the_seed_of_its_environment_and_number() -> None:
    envs = vec_env("CartPole-v1", range(4, 6))
    first = envs.reset()
    plain = gymnasium.make("CartPole-v1")
    for row, index in enumerate(envs.indices):
        np.testing.assert_array_equal(first[row], plain.reset(seed=episode_seed(0, index, 0))[0])
    for actions in random_actions(envs, 200):
        step = envs.step(actions)
        if step.terminated[1]:
            break
    np.testing.assert_array_equal(step.observations[1], plain.reset(seed=episode_seed(0, 5, 1))[0])
    assert not np.array_equal(step.observations[1], step.next_observations[1])


def test_trajectories_do_not_depend_on_which_environments_share_a_rank() -> None:
    together = vec_env("HalfCheetah-v4", range(4))
    apart = [vec_env("HalfCheetah-v4", range(k, k + 2)) for k in (0, 2)]
    for envs in (together, *apart):
        envs.reset()
    for k in range(20):
        whole = together.step(random_actions(together, 1, k)[0])
        parts = [envs.step(random_actions(envs, 1, k)[0]) for envs in apart]
        np.testing.assert_array_equal(whole.observations, np.concatenate([part.observations for part in parts]))
        np.testing.assert_array_equal(whole.rewards, np.concatenate([part.rewards for part in parts]))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for each environment and number of steps: what goes on here, and what is made of its records."""
    folder = tmp_path_factory.mktemp("replayed")
    for env_id, steps in itertools.product(REPLAYABLE, STEPS):
        case = folder / f"{env_id}-{steps}"
        case.mkdir()
        envs = vec_env(env_id)
        envs.reset()
        for actions in random_actions(envs, steps):
            envs.step(actions)
        for k, record in enumerate(envs.capture()):
            np.savez(case / f"{k}.npz", **dataclasses.asdict(record))
        np.save(case / "here.npy", continued(envs, steps))
    line = [sys.executable, "-m", "tests.envs.test_replay", str(folder)]
    subprocess.run(line, check=True, cwd=ROOT, timeout=120)
    return folder


@pytest.mark.parametrize("env_id", REPLAYABLE)
@pytest.mark.parametrize("steps", STEPS)
def test_a_replayed_environment_continues_bit_for_bit_in_a_new_process(env_id: str, steps: int, replayed: Path) -> None:
    """After 57 steps most are in mid-episode; after 0 the action log is empty."""
    case = replayed / f"{env_id}-{steps}"
    assert (case / "failed.txt").read_text() == "[]"
    np.testing.assert_array_equal(np.load(case / "here.npy"), np.load(case / "there.npy"))


def continued(envs: VecEnv, first: int) -> np.ndarray:
    """Return rewards, observations and episode numbers of 300 more steps."""
    rows = []
    for actions in random_actions(envs, 300, first):
        step = envs.step(actions)
        rows.append(np.concatenate([step.rewards[:, None], step.observations, step.next_observations], axis=1))
    return np.stack(rows)


def test_a_record_at_the_time_limit_is_that_of_the_next_episode() -> None:
    envs = vec_env("tests.environments:Forever-v0")
    envs.reset()
    for actions in random_actions(envs, 20):
        step = envs.step(actions)
    assert step.truncated.all()
    assert [(record.episode, len(record.actions)) for record in envs.capture()] == [(1, 0)] * 3


def test_a_replayed_environment_can_be_recorded_again() -> None:
    """Episodes of different lengths, captured, replayed, stepped on and captured again."""
    envs, again = vec_env("CartPole-v1"), vec_env("CartPole-v1")
    envs.reset()
    for actions in random_actions(envs, 57):
        envs.step(actions)
    assert again.restore(envs.capture()) == []
    for actions in random_actions(envs, 9, first=57):
        envs.step(actions)
        again.step(actions)
    for one, other in zip(envs.capture(), again.capture(), strict=True):
        assert one.episode == other.episode
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.observation, other.observation)
    assert len({len(record.actions) for record in envs.capture()}) > 1


def test_an_environment_that_cannot_be_replayed_begins_a_new_episode() -> None:
    envs = vec_env("tests.environments:Entropy-v0", range(5, 7))
    envs.reset()
    for actions in random_actions(envs, 7):
        envs.step(actions)
    again = vec_env("tests.environments:Entropy-v0", range(5, 7))
    assert again.restore(envs.capture()) == [5, 6]
    assert [(record.episode, len(record.actions)) for record in again.capture()] == [(1, 0)] * 2


def test_a_replay_that_repeats_what_was_seen_but_not_what_was_paid_begins_a_new_episode() -> None:
    """Environment 6 alone pays 2 a step in its second episode, for how its first one ended."""
    envs = vec_env("tests.environments:Carrying-v0", range(5, 8))
    envs.reset()
    for _ in range(25):
        envs.step(np.array([0, 1, 0]))
    records = envs.capture()
    assert [record.episode_return for record in records] == [5.0, 10.0, 5.0]
    again = vec_env("tests.environments:Carrying-v0", range(5, 8))
    assert again.restore(records) == [6]
    assert [(record.episode, len(record.actions)) for record in again.capture()] == [(1, 5), (2, 0), (1, 5)]


def replay(case: Path, env_id: str, steps: int) -> None:
    """Go on from the records of a case, and write down which could not be replayed, and what came then."""
    fresh = vec_env(env_id)
    stored = [np.load(case / f"{k}.npz") for k in range(3)]
    failed = fresh.restore(
        [EpisodeRecord(int(x["episode"]), x["actions"], x["observation"], float(x["episode_return"])) for x in stored]
    )
    (case / "failed.txt").write_text(str(failed))
    np.save(case / "there.npy", continued(fresh, steps))


if __name__ == "__main__":
    for name, taken in itertools.product(REPLAYABLE, STEPS):
        replay(Path(sys.argv[1]) / f"{name}-{taken}", name, taken)
