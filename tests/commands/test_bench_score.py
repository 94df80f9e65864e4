"""Time to a score, and the peers: what counts as reached, what is asked of them, what they lack."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.bench.masked import MaskedVelocities
from baselines_ppo.run.bench.score import Watch
from baselines_ppo.run.bench.score_table import TunedPeer
from baselines_ppo.run.bench.sides import ENDLESS, Iteration
from baselines_ppo.run.bench.work import for_peer, preset_work, textbook_work
from baselines_ppo.run.cli import main
from benchmarks import speed
from tests.conftest import ROOT, Finished

SETTINGS = ROOT / "benchmarks" / "rl_zoo3.toml"


@pytest.mark.parametrize(
    ("episodes", "returns", "at"),
    [
        ([99, 100, 101, 102], [9, 9, 9, 9], 2),  # 99 do not count
        ([100, 101, 102, 103], [9, 4, 9, 5], 3),  # it must be held
        ([100, 100, 100, 164], [9, 9, 9, 9], 3),  # an iteration in which no episode ends is no check
        ([100, 100, 101, 102], [4, 9, 5, 4], None),
        ([0, 0, 50, 99], [None, None, 9, 9], None),
    ],
)
def test_a_score_is_reached_at_the_second_check_in_a_row(
    episodes: list[int], returns: list[float | None], at: int | None
) -> None:
    watch, reached = Watch(5), None
    for k, (count, mean_return) in enumerate(zip(episodes, returns, strict=True)):
        watch.see(Iteration(256 * k, count, mean_return))
        reached = k if watch.reached and reached is None else reached
    assert reached == at


# Stands in for a Python that has Stable-Baselines3: it says what `peer.py` prints, and never ends by itself.
PEER = """#!/bin/sh
echo '{"facts": "a stand-in"}'
case "$2" in *nothing*) exit;; esac
for n in 99 100 101; do echo "{\\"steps\\": ${n}0, \\"episodes\\": $n, \\"mean_return\\": 30.5}"; done
exec sleep 600
"""


def test_both_are_trained_until_they_have_the_score_and_are_stopped(
    trainer: Callable[..., Finished], tmp_path: Path
) -> None:
    """CartPole has a return of 20 from the start, so that ours needs little more than its first 100 episodes."""
    (tmp_path / "python").write_text(PEER)
    (tmp_path / "python").chmod(0o755)
    peer = ("--peer-python", tmp_path / "python", "--peer-settings", SETTINGS)
    asked = ("--env", "CartPole-v1", "--score", "18", "--seconds", "90", "--ranks", "1", *peer)
    finished = trainer(1, "bench", *asked, "--out", tmp_path / "x.json")
    assert finished.returncode == 0, finished.stderr
    (row,) = json.loads((tmp_path / "x.json").read_text())["rows"]
    assert row["highest"] >= 18
    assert row["steps"] % 256 == 0  # whole iterations of the preset
    assert 2 * 256 <= row["steps"] <= 50_000
    assert (row["peer_steps"], row["peer_highest"]) == (1010, 30.5)
    assert 90 > row["seconds"] > row["peer_seconds"] >= 0
    assert f"seed 0: {row['seconds']} s, {row['steps']:,} steps\nseed 0, the peer: " in finished.stdout
    assert "a stand-in" in row["peer"]
    record = json.loads((tmp_path / "x.json").read_text())
    assert " --peer-python /path/to/sb3/bin/python --peer-settings " in record["command"]
    assert f"| CartPole-v1 | 18 | 0 | 1 | {row['seconds']} |" in speed.table(record)


def test_what_is_not_reached_is_said_with_how_far_it_came() -> None:
    rows = [{"env": "X-v0", "score": 5, "seconds": None, "steps": 1234, "highest": 4.5}]
    record = {"kind": "score", "rows": rows, "cores": 2, "platform": {"cpu": "one"}, "command": "c", "date": "d"}
    table = speed.table({**record, "commit": None}).splitlines()
    assert table[0] == "| environment | return | seconds | steps | highest |"
    assert table[2] == "| X-v0 | 5 | - | 1,234 | 4.5 |"


@pytest.mark.parametrize("env", ["CartPole-v1", "LunarLander-v3", "HalfCheetah-v4", "Hopper-v4", "Humanoid-v4"])
def test_there_are_settings_of_the_peer_for_each_environment_of_the_table(env: str) -> None:
    request = TunedPeer("python", str(SETTINGS)).request(preset_work(env, (), None, None, 2), 2)
    settings = request["settings"]
    assert request["n_envs"] * settings["n_steps"] % settings["batch_size"] == 0
    assert (request["n_timesteps"] == ENDLESS) == (env != "CartPole-v1")  # whose step size falls to 0


def test_the_peer_gets_the_same_work() -> None:
    """8 environments x 128 steps in minibatches of 256, 4 epochs, with the preset of Atari; and an LSTM of 64."""
    for env, network in (("ale_py:ALE/Pong-v5", None), ("CartPole-v1", "lstm")):
        work = textbook_work(env, network, (), 8, 1)
        config, request = work.config, for_peer(work)
        shape = (request["n_envs"], *(request["settings"][name] for name in ("n_steps", "batch_size", "n_epochs")))
        assert shape == (8, 128, 256, 4) == (config.num_envs, config.rollout.num_steps, config.minibatch_size, 4)
        assert request["policy"] == ("MlpLstmPolicy" if network else "CnnPolicy")
    assert for_peer(textbook_work("ALE/Pong-v5", None, (), 8, 1))["settings"]["clip_range"] == "lin_0.1"


def test_cartpole_without_velocities_shows_where_cart_and_pole_are() -> None:
    bare, masked = gymnasium.make("CartPole-v1"), MaskedVelocities(gymnasium.make("CartPole-v1"))
    bare.reset(seed=0)
    masked.reset(seed=0)
    seen, shown = bare.step(1)[0], masked.step(1)[0]
    assert (shown[[0, 2]] == seen[[0, 2]]).all()
    assert (shown[[1, 3]] == 0).all() and (seen[[1, 3]] != 0).all()
    assert masked.observation_space.contains(shown)


@pytest.mark.skipif(importlib.util.find_spec("stable_baselines3") is not None, reason="this Python has the peer")
def test_a_python_without_the_peer_says_in_one_line_what_it_lacks() -> None:
    with pytest.raises(UsageError, match=r"has no .*stable-baselines3; .* -m pip install .*stable-baselines3$"):
        main(["bench", "--env", "CartPole-v1", "--ranks", "1", "--peer-python", sys.executable])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--score", "475,200", "--env", "CartPole-v1"], "2 numbers for 1 environments"),
        (["--score", "475", "--env", "CartPole-v1", "--peer-python", "x"], "--score needs --peer-settings"),
        (["--agent", "zoo"], "--agent has no effect; it is for --preset"),
        (["--preset", "--peer-python", "x"], "--preset has no effect with --peer-python"),
        (["--preset", "--network", "lstm"], "--network has no effect with --preset; it is for --peer-python"),
        (["--simulate", "--scaling"], "--scaling has no effect with --simulate"),
        (["--simulate", "--network", "cnn"], "--network has no effect with --simulate"),
        (["--simulate", "--ranks", "1"], "--ranks has no effect with --simulate; it is for --scaling and --score and"),
        (["--scaling", "--num-envs", "8"], "--num-envs has no effect with --scaling"),
        (
            ["--scaling", "--env", "CartPole-v1,Acrobot-v1"],
            "--scaling is of one environment, and --env is CartPole-v1,Acr",
        ),
        (["--seconds", "9"], "--seconds has no effect; it is for --score"),
        (["--ranks-per-host", "16"], "--ranks-per-host has no effect; it is for --simulate"),
        (["--score", "1", "--env", "CartPole-v1", "--peer-settings", "x"], "no effect without --peer-python"),
        (["--env", "none"], "--env is none, expected ids such as CartPole-v1"),
        (["--ranks", "0"], "--ranks is 0, expected numbers of at least 1"),
        (["--score", "1", "--env", "CartPole-v1", "--seconds", "0"], "--seconds is 0"),
        (["--score", "1", "--env", "CartPole-v1", "--seconds", "inf"], "--seconds is inf"),
        (["--score", "nan", "--env", "CartPole-v1"], "--score is nan, expected finite numbers"),
        (["--scaling", "--ranks", "1,3"], "--ranks has 3, and --scaling shares 16 environments"),
        (["--env", "CartPole-v1", "--num-envs", "6"], "--num-envs is 6, expected for mlp on 1 rank 1, 2, 4, 8"),
        (
            ["--score", "1", "--env", "Acrobot-v1", "--peer-python", "x", "--peer-settings", str(SETTINGS)],
            "rl_zoo3.toml has no settings for Acrobot-v1; it has CartPole-v1, ",
        ),
    ],
)
def test_flags_that_do_not_fit_together_are_refused_before_anything_is_measured(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=said):
        main(["bench", *typed])
    assert capsys.readouterr() == ("", "")
