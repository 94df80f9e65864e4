"""Episodes that never end by themselves: they are cut, it is said and counted, and meanwhile one sees how far it is."""

from __future__ import annotations

import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run import cli
from baselines_ppo.run.agents.scoring import measure
from tests.untrained import untrained


class Treadmill(gymnasium.Env[np.ndarray, np.ndarray]):
    """Gives half a point for each step, and ends after some steps or never."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012  # as Gymnasium has it

    def __init__(self, steps: float = np.inf, render_mode: str | None = None) -> None:
        self.observation_space = self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        self.render_mode, self._most, self._steps = render_mode, steps, 0

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        self._steps += 1
        return np.zeros(1, np.float32), 0.5, self._steps >= self._most, False, {}

    def render(self) -> np.ndarray:
        return np.full((32, 32, 3), self._steps % 256, np.uint8)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.common.envs.episodes.MOST_STEPS", 50)
    for name, limit, kwargs in (("Endless", None, {}), ("Limited", 80, {}), ("Ending", None, {"steps": 50})):
        spec = EnvSpec(f"{name}-v0", f"{__name__}:Treadmill", max_episode_steps=limit, kwargs=kwargs)
        monkeypatch.setitem(gymnasium.registry, spec.id, spec)


def evaluated(agent: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> list[str]:
    assert cli.main(["evaluate", str(agent), "--episodes", "3", *flags]) == 0
    return capsys.readouterr().out.splitlines()[2:]


@pytest.mark.parametrize(
    ("env_id", "flags", "length", "cut"),
    [
        ("Endless-v0", (), 50, True),
        ("Endless-v0", ("--max-steps", "7"), 7, True),
        ("Endless-v0", ("--max-steps", "60"), 60, True),
        ("Limited-v0", (), 80, False),  # its own limit is its own affair
        ("Limited-v0", ("--max-steps", "30"), 30, True),
        ("Ending-v0", (), 50, False),  # at the very step
    ],
)
def test_an_evaluation_ends_and_counts_what_was_cut(
    env_id: str, flags: tuple[str, ...], length: int, cut: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in evaluated(untrained(tmp_path, env_id), capsys, *flags):
        _, mean, _, least, most, mean_length, *rest = line.split(maxsplit=6)
        assert {float(mean), float(least), float(most)} == {length / 2}
        assert float(mean_length) == length
        assert rest == ([f"3 of 3 cut after {length} steps (--max-steps allows more)"] if cut else [])


def test_playing_ends_and_says_that_it_was_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = untrained(tmp_path, "Endless-v0")
    cli.main(["play", str(agent), "--headless"])
    cut = "cut after 50 steps (--max-steps allows more)"
    assert capsys.readouterr().out.splitlines() == [f"episode 0: return 25.00, length 50, {cut}"]
    with pytest.raises(UsageError, match="--max-steps is 0, expected at least 1"):
        cli.main(["play", str(agent), "--headless", "--max-steps", "0"])


@pytest.mark.parametrize(
    ("env_id", "flags", "pictures", "cut"),
    [
        ("Endless-v0", (), 20, r"cut after 2 s, as it may never end \(--seconds allows more\)"),
        ("Endless-v0", ("--seconds", "3"), 30, "cut by --seconds"),
        ("Endless-v0", ("--max-steps", "35"), 36, r"cut after 35 steps \(--max-steps allows more\)"),
        ("Limited-v0", (), 81, "length 80"),
    ],
)
def test_a_film_ends_and_says_what_has_cut_it(
    env_id: str,
    flags: tuple[str, ...],
    pictures: int,
    cut: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("baselines_ppo.run.agents.recording.ENDLESS", 2.0)
    cli.main(["record", str(untrained(tmp_path, env_id)), "--out", str(tmp_path / "film.gif"), *flags])
    told, written = capsys.readouterr().out.splitlines()
    assert re.search(f"{cut}$", told), told
    assert f" {pictures} pictures" in written


def test_what_is_cut_is_what_the_episode_had_come_to(tmp_path: Path) -> None:
    """In an environment's own vector form too, and whatever is played beside it."""
    name = "RoboHopper-v1"
    agent = load_agent(f"zoo:{name}")
    episodes = measure(agent, EnvironmentSpec(name), 5, 3, rows=2, max_steps=40)["deterministic"]
    environment = gymnasium.make(f"baselines_ppo.zoo:{name}")
    for number, episode in enumerate(episodes):
        observation, _ = environment.reset(seed=episode_seed(3, 0, number, Purpose.EVALUATION))
        total = 0.0
        for _ in range(40):
            observation, reward, *_ = environment.step(agent.act(observation))
            total += float(reward)
        assert (episode.length, episode.cut) == (40, True)
        assert episode.episode_return == pytest.approx(total, rel=1e-9)


def test_it_is_said_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = untrained(tmp_path, "Endless-v0")
    monkeypatch.setattr("baselines_ppo.run.news.EVERY", -1.0)  # whenever there is something to say
    cli.main(["evaluate", str(agent), "--episodes", "70", "--max-steps", "20"])
    said = re.findall(r"^(\d+) of 70 episodes ended, step (\d+) of one under way$", capsys.readouterr().err, re.M)
    expected = [(ended, step) for ended in (0, 64) for step in range(1, 21)]  # 64 at once
    assert [(int(ended), int(step)) for ended, step in said] == 2 * expected  # in both action modes
    cli.main(["record", str(agent), "--out", str(tmp_path / "film.gif"), "--max-steps", "20"])
    assert "2.0 s so far" in capsys.readouterr().err
