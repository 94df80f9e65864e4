"""Episodes that hardly ever end: what is kept of them stays small, and a resume says where it begins anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tests.environments  # noqa: F401  # registers them
from baselines_ppo.common.envs import action_log
from baselines_ppo.common.envs.action_log import ActionLog
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.run.cli import main
from tests.conftest import Finished
from tests.runs import arrays, flags
from tests.vector_environments import Walk

Run = Callable[..., Finished]


class Wander(Walk):
    """A walk without an end in the environments that begin on the right, of twelve steps in the others."""

    def __init__(self) -> None:
        super().__init__("box")

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        if self.steps == 0:
            self.endless = bool(self.at[0] > 0)
        observation, reward, _, cut, info = super().step(action)
        return observation, reward, False, cut and not self.endless, info


def wanderers() -> VecEnv:
    envs = VecEnv(SerialBackend(Wander, 6, "Wander"), range(6), seed=2, env_id="Wander", rank=0)
    envs.reset()
    return envs


def stepped(envs: VecEnv, first: int, last: int) -> bytes:
    seen = b""
    for t in range(first, last):
        step = envs.step((np.arange(6) + t) % 3)
        seen += step.observations.tobytes() + step.rewards.tobytes() + step.truncated.tobytes()
    return seen


def test_the_longest_that_is_kept_of_an_environment_is_a_few_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 17, 1000):
        log = ActionLog(1, np.zeros((0, size)))
        assert log.most * size * 8 <= action_log.MOST_BYTES
        assert log.most <= action_log.MOST_STEPS
    monkeypatch.setattr(action_log, "MOST_STEPS", 150)
    log, row = ActionLog(2, np.zeros(0, np.int64)), np.array([0])
    for t in range(10_000):
        log.append(np.array([t, -1]), row)
    assert log._actions.nbytes <= 2 * 150 * 8
    assert len(log.of(0)) == 0
    log.clear([0])
    for t in range(150):
        assert len(log.append(np.array([t, -1]), row)) == 0
    np.testing.assert_array_equal(log.of(0), np.arange(150))


def test_long_episodes_begin_anew_and_the_others_go_on_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(action_log, "MOST_STEPS", 30)
    envs = wanderers()
    stepped(envs, 0, 31)
    endless = [i for i, record in enumerate(envs.capture()) if record.length == 31]
    assert 0 < len(endless) < 6
    assert capsys.readouterr().err.count("too long to be replayed") == 1
    records = envs.capture()
    assert sum(len(record.actions) for record in records) < 6 * 12
    again = wanderers()
    assert again.restore(records) == endless
    assert [record.episode for record in again.capture()] == [
        record.episode + (i in endless) for i, record in enumerate(records)
    ]
    others = [i for i in range(6) if i not in endless]
    for t in range(31, 60):
        one, other = (x.step((np.arange(6) + t) % 3) for x in (envs, again))
        assert one.observations[others].tobytes() == other.observations[others].tobytes()
        assert one.rewards[others].tobytes() == other.rewards[others].tobytes()


def test_an_episode_that_is_not_too_long_goes_on_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_log, "MOST_STEPS", 30)
    envs, again = wanderers(), wanderers()
    stepped(envs, 0, 30)
    assert again.restore(envs.capture()) == []
    assert stepped(envs, 30, 70) == stepped(again, 30, 70)


@pytest.mark.usefixtures("stub")
def test_checkpoints_of_endless_episodes_stay_small_and_a_resume_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(action_log, "MOST_STEPS", 40)
    line = [*map(str, flags("tests.environments:Endless-v0", "ppo2", 3))]
    assert main([*line, "--logdir", str(tmp_path / "run")]) == 0
    held = arrays(tmp_path / "run")
    assert held["environments/episode_length"].tolist() == [96] * 6
    assert len(held["environments/actions"]) == 0
    capsys.readouterr()
    more = ["--resume", str(tmp_path / "run"), "--env", line[1], "--num-timesteps", str(4 * 192)]
    assert main(more) == 0
    told = capsys.readouterr().out
    assert (
        "not exact, new episodes in environments 0, 1, 2, 3, 4, 5 (too long to be replayed: 0, 1, 2, 3, 4, 5)" in told
    )
    after = arrays(tmp_path / "run")
    assert after["environments/episode"].tolist() == [1] * 6
    assert after["environments/action_count"].tolist() == [32] * 6


class Still(Walk):
    """Nothing is seen and nothing paid, so that a replay of nothing looks right."""

    def __init__(self) -> None:
        super().__init__("box")

    def reset(self, **how: object) -> tuple[np.ndarray, dict[str, object]]:
        return np.zeros(2), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        return np.zeros(2), 0.0, False, False, {}


def test_an_episode_that_was_let_go_is_not_taken_for_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_log, "MOST_STEPS", 30)
    envs, again = (VecEnv(SerialBackend(Still, 2, "Still"), range(2), 2, "Still", rank=0) for _ in range(2))
    for one in (envs, again):
        one.reset()
    for _ in range(31):
        envs.step(np.ones(2, np.int64))
    assert again.restore(envs.capture()) == [0, 1]
