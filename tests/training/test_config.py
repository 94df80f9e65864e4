"""Configurations and presets: what is accepted, and one clear line for what is not."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import Failure, LoadError, UsageError
from baselines_ppo.plan import check_minibatches
from baselines_ppo.run import cli
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, from_json, resolve, to_json, with_fields
from baselines_ppo.settings.presets import PRESETS
from tests import runs
from tests.conftest import ROOT
from tests.training.test_flags import parsed


@pytest.mark.parametrize(("alg", "name"), [(alg, name) for alg, presets in PRESETS.items() for name in presets])
def test_every_preset_is_valid_on_one_and_two_ranks_and_survives_json(alg: str, name: str) -> None:
    config = configure(name, alg)
    assert from_json(json.loads(json.dumps(to_json(config), allow_nan=False))) == config
    for ranks in (1, 2):
        check_minibatches(resolve(config, ranks), ranks, recurrent=False)


def test_textbook_ppo2_makes_minibatches_of_64_from_2048_steps() -> None:
    config = resolve(TEXTBOOK["ppo2"], 1)
    assert (config.steps_per_iteration, config.minibatch_size) == (2048, 64)


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_ppo1_has_one_environment_and_64_transitions_per_minibatch_on_each_rank(ranks: int) -> None:
    config = resolve(TEXTBOOK["ppo1"], ranks)
    assert (config.num_envs, config.steps_per_iteration, config.minibatch_size) == (ranks, 2048 * ranks, 64 * ranks)


def test_a_preset_is_the_environments_own_unless_said_otherwise() -> None:
    assert configure("Humanoid-v4").num_envs == 64
    assert configure("Humanoid-v4", preset="none") == with_fields(TEXTBOOK["ppo2"], env="Humanoid-v4")
    assert configure("Acrobot-v1", preset="CartPole-v1").rollout.num_steps == 128
    assert configure("Humanoid-v4", num_envs=8).num_envs == 8


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: configure("X", learning_rat=1), "unknown field learning_rat of ppo2 (did you mean learning_rate"),
    (lambda: configure("X", "ppo1", value_coef=1.0), "unknown field value_coef of ppo1"),
    (lambda: configure("X", "ppo3"), "unknown algorithm ppo3; choose from ppo1, ppo2"),
    (lambda: configure("X", preset="Humanoid-v3"), "unknown preset Humanoid-v3 of ppo2 (did you mean Humanoid"),
    (lambda: configure("X", gamma=1.5), "--gamma is 1.5, expected at most 1"),
    (lambda: configure("X", learning_rate=0.0), "--learning-rate is 0.0, expected above 0"),
    (lambda: configure("X", learning_rate=float("nan")), "expected a finite number"),
    (lambda: configure("X", num_envs="8"), "--num-envs is '8', expected int"),
    (lambda: configure(3), "--env is 3, expected str"),  # type: ignore[arg-type]
    (lambda: configure("X", ["ppo2"]), "unknown algorithm ['ppo2']; choose"),  # type: ignore[arg-type]
    (lambda: configure("X", preset=["X"]), "unknown preset ['X'] of ppo2"),  # type: ignore[arg-type]
    (lambda: configure("X", track=("none", "wandb")), "--track is 'none', which stands alone"),
    (lambda: configure("X", num_steps=True), "--num-steps is True, expected int"),
    (lambda: configure("X", activation="sigmoid"), "choose from tanh, relu, elu, silu"),
    (lambda: configure("X", hidden_sizes=(64, 0)), "--hidden-sizes is (64, 0), expected at least 1"),
    (
        lambda: resolve(configure("X", num_envs=9), 2),
        "9 is not a multiple of 2 ranks; give --num-envs 8 or 10",
    ),
    (lambda: resolve(configure("X", num_envs=1), 2), "give --num-envs 2"),
    (
        lambda: check_minibatches(configure("X", num_minibatches=60), 1, recurrent=False),
        "num_minibatches 60 does not divide the steps of an environment, 256; give --num-minibatches 64",
    ),
    (
        lambda: check_minibatches(configure("X", num_envs=12, num_minibatches=5), 2, recurrent=True),
        "num_minibatches 5 does not divide the environments of a rank, 6; give --num-minibatches 6",
    ),
    (
        lambda: check_minibatches(configure("X", num_envs=1, num_minibatches=256), 1, recurrent=False),
        "fewer --num-minibatches",
    ),
    (lambda: resolve(configure("X", "ppo_kl", num_envs=12), 1), "give --num-episodes 24"),
    (lambda: configure("X", "trpo", clip_range=0.1), "unknown field clip_range of trpo"),
    (lambda: configure("X", hidden_sizes=64), "--hidden-sizes is 64, expected a list or a tuple"),
    (lambda: configure("X", lr=1e-3), "unknown field lr of ppo2; ours is learning_rate"),
    (
        lambda: configure("X", "ppo_kl", critic_lr=1e-3),
        "unknown field critic_lr of ppo_kl; ours is value_learning_rate",
    ),
    (lambda: configure("X", n_steps=64), "ours is num_steps"),
    (lambda: configure("X", tensorboard_log="x"), "give logdir to train: train(configure(...), logdir=...)"),
    (lambda: configure("X", resume="x"), "give resume to train: train(configure(...), resume=...)"),
    (
        lambda: train(configure("X"), total_timesteps=1000),  # type: ignore[arg-type]
        "train takes no total_timesteps; give num_timesteps to configure: train(configure(..., num_timesteps=...))",
    ),
    (lambda: train(configure("X"), num_envs=4), "give num_envs to configure"),  # type: ignore[arg-type]
    (lambda: train(configure("X"), log_dir="x"), "train takes no log_dir; ours is logdir"),  # type: ignore[arg-type]
    (lambda: train(configure("X"), ranks=0), "ranks is 0, expected None or a whole number of at least 1"),
    (lambda: train(configure("X"), callback=5), "callback is 5, expected a function of one argument"),  # type: ignore[arg-type]
    (lambda: train(configure("X"), rank=2), "train takes no rank (did you mean ranks?)"),  # type: ignore[arg-type]
    (lambda: train("CartPole-v1"), "train takes a configuration, not 'CartPole-v1'"),  # type: ignore[arg-type]
    (lambda: cli.main([]), "which environment? give --env"),
    (lambda: cli.main(["--resume", "auto", "--logdir", "x"]), "which environment? give --env"),
    (
        lambda: cli.main(["--env", "X", "--learning-rat", "1"]),
        "--learning-rat (did you mean --learning-rate",
    ),
    (lambda: cli.main(["--env", "X", "--num_epochs", "many"]), "argument --num-epochs: invalid int value: 'many'"),
    (lambda: cli.main(["--env", "X", "--num-timesteps", "2.5"]), "invalid int value: '2.5'"),
    (lambda: cli.main(["evaluat", "runs/x"]), "unknown command evaluat (did you mean evaluate?)"),
    (lambda: cli.main(["enjoy", "runs/x"]), "unknown command enjoy; ours is play"),
    (lambda: cli.main(["--env", "HumanoidX-v4"]), "unknown environment HumanoidX-v4 (did you mean"),
    (lambda: cli.main(["--env", "nowhere:X-v0"]), "module nowhere is not installed"),
    (
        lambda: cli.main(["--env", "tests.policy.test_spaces:Words-v0"]),
        "let a wrapper make it a MultiDiscrete of a fixed length",
    ),
    (
        lambda: cli.main(["--env", "tests.policy.test_spaces:Speaking-v0"]),
        "which are supported; let a wrapper make it a MultiDiscrete of a fixed length",
    ),
    (lambda: cli.main(["--resume", "nowhere"]), "nowhere does not exist"),
    (lambda: cli.main(["evaluate", "nowhere"]), "nowhere does not exist"),
    (lambda: cli.main(["--env", "CartPole-v1", "--load-path", "nowhere"]), "nowhere does not exist"),
    (lambda: cli.main(["--env", "X", "--num-timesteps", "inf"]), "invalid int value: 'inf'"),
    (lambda: cli.main(["--env", "Hopper-v2"]), "Hopper-v2 is too old for this Gymnasium; give --env Hopper-v5"),
    (lambda: cli.main(["evaluate", "nowhere", "--seed", "-1"]), "--seed is -1, expected at least 0"),
    (lambda: cli.main(["--env", "X", "--play"]), "there is no display here"),
    (lambda: train(configure("X"), resume="a", load_path="b"), "not both"),
    (
        lambda: cli.main(["--env", "Pendulum-v1", "--wrapper", "gymnasium.wrappers:NormalizeReward"]),
        "NormalizeReward forgets its statistics when a run resumes; use --normalize-returns true",
    ),
    (
        lambda: make_environment(EnvironmentSpec("Pendulum-v1", ("gymnasium.wrappers:NormalizeObservation",))),
        "NormalizeObservation forgets its statistics when a run resumes; use --normalize-observations true",
    ),
    (
        lambda: cli.main(["--env", "Pendulum-v1", "--alg", "ppo_kl", "--num-steps", "7"]),
        "--num-steps is not used while episodes are counted; add --num-episodes none",
    ),
]


@pytest.mark.parametrize(("attempt", "message"), REFUSED)
def test_what_is_wrong_gets_one_line_that_says_what_to_do(
    attempt: Callable[[], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(Failure) as raised:
        attempt()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == (66 if "does not exist" in message else 2)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Box2D", None)
    for name in [name for name in sys.modules if name.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"LunarLander-v3 needs a package: pip install 'gymnasium\[box2d\]>=1\.1'"):
        make_environment(EnvironmentSpec("LunarLander-v3"))


@pytest.mark.parametrize("ranks", [3, 6, 7, 8, 40])
@pytest.mark.parametrize("num_envs", [20, 10, 4])
def test_the_advice_for_counted_episodes_on_other_ranks_is_accepted(ranks: int, num_envs: int) -> None:
    config = configure("X", "ppo_kl", num_envs=num_envs)
    with pytest.raises(UsageError, match=rf"num_envs {num_envs} is not a multiple of {ranks} ranks; give ") as refused:
        resolve(config, ranks)
    options = parsed(*str(refused.value).partition("; give ")[2].split(), alg="ppo_kl")
    followed = resolve(with_fields(config, **{name: options[name] for name in ("num_envs", "num_episodes")}), ranks)
    assert followed.num_envs % ranks == 0
    assert followed.num_episodes is not None
    assert followed.num_episodes % followed.num_envs == 0
    assert followed.num_episodes >= 20


def test_steps_count_once_episodes_do_not() -> None:
    assert resolve(configure("X", "ppo_kl", num_steps=7, num_episodes=None), 4).steps_per_iteration == 140


def test_a_game_has_its_preset_whether_or_not_its_module_is_named() -> None:
    plain = configure("ALE/Pong-v5")
    assert configure("ale_py:ALE/Pong-v5") == with_fields(plain, env="ale_py:ALE/Pong-v5")
    assert plain != with_fields(TEXTBOOK["ppo2"], env="ALE/Pong-v5")


def test_configurations_are_frozen() -> None:
    config: Any = TrainConfig()
    with pytest.raises(AttributeError):
        config.seed = 3
    with pytest.raises(UsageError):
        from_json({"alg": "ppo2", "no_such_field": 1})


def test_a_run_that_goes_on_knows_its_own_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of its algorithm, whether a run folder, a checkpoint, one of a run's or `auto` says which that is."""
    run = tmp_path / "run"
    line = (*runs.flags("Pendulum-v1", "ppo_kl", 1, num_envs=2), "--hidden-sizes", "4", "--logdir", run)
    assert cli.main([*map(str, line)]) == 0
    single = [[str(run / "checkpoints" / "ckpt-00000001")], [f"{run}:last"]]
    for place in ([str(run)], *single, ["auto", "--logdir", str(run)]):
        with pytest.raises(UsageError, match=r"hinge_coef 50\.0 -> 5\.0"):
            cli.main(["--resume", *place, "--hinge-coef", "5"])
    assert cli.main([f"--resume={run}", "--value-epochs", "2", "--num-timesteps", "128"]) == 0
    assert "resumed ckpt-00000001" in capsys.readouterr().out
    with pytest.raises(UsageError, match="unknown flag --hinge-coef"):
        cli.main(["--env", "Pendulum-v1", "--hinge-coef", "5"])


@pytest.mark.parametrize("config", ["{}", "[]", '{"config": "x"}', '{"alg": 1}'])
def test_a_run_whose_configuration_says_nothing_is_not_resumed(config: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(LoadError, match=r"no usable checkpoint|config\.json cannot be read: it holds no object"):
        cli.main(["--resume", str(tmp_path)])


def test_what_a_message_tells_to_install_is_what_we_need() -> None:
    """Names and versions in our texts are those of setup.cfg."""
    root = ROOT
    options = configparser.RawConfigParser()
    options.read(root / "setup.cfg")
    sections = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    needed = {line for section in sections for line in section.split("\n") if line and not line.startswith("%")}
    names = {re.split("[><=]", requirement)[0] for requirement in needed}
    told: set[str] = set()
    for path in [path for name in ("baselines_ppo", "common", "run", "zoo") for path in (root / name).rglob("*.py")]:
        text = path.read_text()
        assert not re.search(r"pip install [a-z]", text), f"{path}: quotes, or the shell takes the version's >"
        for installed in re.findall(r"pip install ((?:'[^'{]+' ?)+)", text):
            told |= {*shlex.split(installed)}
        for name in names if path.name != "peer.py" else ():  # another Python runs it, with packages of its own
            if re.search(r"[\[-]", name):  # which is a package wherever it stands
                told |= {name + rest for rest in re.findall(re.escape(name) + r"(?![\w-])([^'\"\s]*)", text)}
    assert len(told) >= 10
    assert told <= needed


def test_a_whole_number_does_for_a_float_and_is_one() -> None:
    """A checkpoint knows numbers by their type, and a loss takes no other."""
    config = configure("CartPole-v1", kl_coef=1, value_clip_range=1, gamma=1, timeout=60)
    values = (config.algorithm.kl_coef, config.algorithm.value_clip_range, config.rollout.gamma, config.timeout)  # type: ignore[attr-defined]
    assert values == (1, 1, 1, 60)
    assert {type(value) for value in values} == {float}


def test_a_number_beyond_all_floats_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a finite number"):
        configure("CartPole-v1", learning_rate=10**400)


def test_a_list_does_for_a_tuple() -> None:
    assert configure("X", hidden_sizes=[64, 32]) == configure("X", hidden_sizes=(64, 32))


@pytest.mark.parametrize("alg", ["ppo1", "ppo2", "trpo"])
@pytest.mark.parametrize("env", ["CartPole-v1", "Acrobot-v1", "LunarLander-v3", "Humanoid-v4", "ALE/Pong-v5", "My-v0"])
def test_a_network_with_memory_needs_no_other_flag(env: str, alg: str) -> None:
    for preset in (None, "none"):
        config = resolve(configure(env, alg, preset, network="lstm"), 1)
        assert config.num_minibatches and config.num_envs % config.num_minibatches == 0
        asked = configure(env, alg, preset, network="lstm", num_minibatches=3)
        assert asked.num_minibatches == 3, "what is asked for is not changed, even where it does not fit"
    assert configure(env, alg, network="mlp") == with_fields(configure(env, alg), network="mlp")
