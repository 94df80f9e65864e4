"""What a card says of the training: the command that makes such an agent, and its curve."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from baselines_ppo import configure
from baselines_ppo.run import cli
from baselines_ppo.run.cards import curve
from baselines_ppo.run.cards.export import command_of
from baselines_ppo.settings.config import TrainConfig


@pytest.mark.parametrize(
    "config",
    [
        configure("RoboHopper-v1"),
        configure("CartPole-v1", "ppo_kl", seed=7, wrapper=("gymnasium.wrappers:TimeAwareObservation",)),
        configure("Humanoid-v4", "ppo2", "none", num_envs=16, hidden_sizes=(32, 16), activation="relu"),
        configure("HalfCheetah-v4", "ppo1", num_envs=3, learning_rate=1.5e-7, clip_observations=None),
        configure("Swimmer-v4", "trpo", normalize_returns=False, shared_trunk=False, num_timesteps=10**7),
        configure("Pendulum-v1", num_timesteps=12_345, kl_stop=0.1, value_clip_range=None, hidden_sizes=()),
    ],
    ids=lambda config: f"{config.env}-{config.alg}",
)
def test_the_command_on_a_card_trains_with_the_same_settings(config: TrainConfig) -> None:
    words = shlex.split(command_of(config, 3))
    assert words[:6] == ["mpirun", "-np", "3", "python", "-m", "baselines_ppo.run"]
    options = vars(cli.parser("train", words[6:]).parse_args(words[6:]))
    for name in ("logdir", "resume", "load_path", "preset", "play", "override", "config"):
        options.pop(name)
    assert configure(**options) == config


def test_a_number_that_looks_like_a_flag_can_be_typed() -> None:
    words = shlex.split(command_of(configure("RoboHopper-v1", init_log_std=-1e-5), 1))[3:]
    assert vars(cli.parser("train", words).parse_args(words))["init_log_std"] == -1e-5


@pytest.mark.parametrize(("log_std", "flag"), [(0.0, None), (-1.0, "-1.0"), (-0.3, "-0.3")])
def test_the_command_of_a_run_that_began_with_an_agent_says_whether_its_std_was_set(
    log_std: float, flag: str | None
) -> None:
    """The preset of HalfCheetah has -1 for new policies."""
    words = shlex.split(command_of(configure("HalfCheetah-v4", init_log_std=log_std), 1, "zoo:A"))
    assert words[-2:] == ["--load-path", "zoo:A"]
    assert (words[words.index("--init-log-std") + 1] if "--init-log-std" in words else None) == flag


def test_the_command_of_a_preset_has_no_other_flags() -> None:
    expected = "python -m baselines_ppo.run --env RoboHopper-v1 --alg ppo2 --seed 4"
    assert command_of(configure("RoboHopper-v1", seed=4), 1) == expected


def test_a_curve_is_thinned_out_and_ends_with_its_agent(tmp_path: Path) -> None:
    rows = [f"{k},{1000 * k},{'' if k < 5 else k * 0.5},{k * 2.0}" for k in range(1, 2001)]
    (tmp_path / "progress.csv").write_text("\n".join(["iteration,total_steps,episode_return,seconds", *rows]))
    points = curve.curve_of(tmp_path, 1_500_000)
    assert len(points) == curve.MOST_ROWS
    assert points[0] == (5000, 2.5, 10.0)
    assert points[-1] == (1_500_000, 750.0, 3000.0)
    (tmp_path / "curve.csv").write_text(curve.written(points))
    assert curve.read_curve(tmp_path) == points
    assert curve.drawn(points, width=8) == curve.BLOCKS
    assert curve.curve_of(tmp_path / "nowhere", 10) == []
