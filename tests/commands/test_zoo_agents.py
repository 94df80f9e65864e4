"""The pretrained agents: what ships is whole and as good as its cards say, and strangers' files are only data."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo import configure, load
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.episodes import Episodes
from baselines_ppo.common.failures import DataError, Failure, LoadError, UsageError, WriteError
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run import cli
from baselines_ppo.run.agents.scoring import measure, score_of
from baselines_ppo.run.cards import curve
from baselines_ppo.run.cards import measure as zoo
from baselines_ppo.run.cards.export import command_of, digest
from baselines_ppo.run.cards.measure import files_agree, least
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.wiring import actor_critic_of
from baselines_ppo.zoo.card import CARD, MODES, PICTURE, Card, Score, read_card, write_card
from baselines_ppo.zoo.tasks import flags as flags_of_the_zoo
from tests.conftest import ROOT, Finished
from tests.runs import figures, flags, forget

Run = Callable[..., Finished]

SHIPPED = pretrained.names()
PENDULUM = "RoboInvertedPendulum-v1"  # stands for 1000 steps; one that does nothing falls at once
LARGEST = 2 * 10**6  # bytes of an agent: that of Humanoid-v4 has 276 515 parameters


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of one agent, which may be changed."""
    folder = tmp_path / "agents"
    shutil.copytree(pretrained.AGENTS / PENDULUM, folder / PENDULUM)
    monkeypatch.setattr(pretrained, "AGENTS", folder)
    return folder


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_is_whole_and_acts(name: str) -> None:
    folder = pretrained.AGENTS / name
    card, agent = files_agree(checkpoint.load(folder)), load(f"zoo:{name}")
    assert agent.env_id == card.environment
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "arrays.npz", CARD, "curve.csv", PICTURE}
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
    environment = make_environment(EnvironmentSpec(agent.env_id, agent.wrappers))
    observation, _ = environment.reset(seed=0)
    action = agent.act(observation)
    assert environment.action_space.contains(action)
    environment.step(action)
    environment.close()


# Who falls short of the return at which its environment counts as solved.
MISSED = {"Ant-v4", "Hopper-v4", "Swimmer-v4"}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_curve_and_picture_make_sense(name: str) -> None:
    from PIL import Image

    folder = pretrained.AGENTS / name
    card, points = read_card(folder), curve.read_curve(folder)
    assert card.episodes >= 100
    for score in (card.deterministic, card.stochastic):
        assert score.min <= score.mean <= score.max
        assert score.flags_reached is None or "Flagrun" in card.environment
    if card.threshold is not None:  # as far as so many episodes can tell
        scores = (card.deterministic, card.stochastic)
        best = max(score.mean + 3 * score.std / card.episodes**0.5 for score in scores)
        assert (best < card.threshold) == (name in MISSED)
    assert 10 < len(points) <= curve.MOST_ROWS
    assert points[-1].total_steps == card.total_steps
    assert points[-1].episode_return > points[0].episode_return
    with Image.open(folder / PICTURE) as picture:
        assert picture.format == "JPEG"
        assert picture.width <= 480
        assert picture.height <= 480
        assert np.asarray(picture).std() > 5  # something is to be seen


def test_a_path_comes_first_and_names_are_found_with_and_without_their_prefix(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for typed in (f"zoo:{PENDULUM}", PENDULUM, "zoo:InvertedPendulum-v1", "InvertedPendulum-v1", agents / PENDULUM):
        assert load(str(typed)).path == agents / PENDULUM
    (tmp_path / PENDULUM).mkdir()
    with pytest.raises(LoadError, match="no usable checkpoint in"):
        load(PENDULUM)
    assert load(f"zoo:{PENDULUM}").path == agents / PENDULUM


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("zoo:RoboInvertedPendulm-v1", "no pretrained agent RoboInvertedPendulm-v1 .did you mean RoboInvertedP"),
        ("RoboInvertedPendulm-v1", "RoboInvertedPendulm-v1 does not exist .did you mean RoboInvertedPendulum-v1"),
        (f"zoo:../agents/{PENDULUM}", "no pretrained agent"),
        ("zoo:.", "no pretrained agent"),
        ("zoo:", "no pretrained agent"),
        ("~nosuchuser/x", "nosuchuser"),
        ("x" * 300, "too long"),
        ("zoo:\x1b[2J" + "x" * 900, r"no pretrained agent \\x1b.2Jx+[.]{3}; there are"),
    ],
)
def test_what_is_neither_a_path_nor_a_name_is_refused(typed: str, message: str, agents: Path) -> None:
    with pytest.raises(LoadError, match=message):
        load(typed)


def test_an_agent_is_loaded_and_acts_without_tensorflow(mpi: Run) -> None:
    code = (
        "import sys, time\n"
        "import gymnasium, baselines_ppo.zoo\n"
        f"environment = gymnasium.make('{PENDULUM}')\n"
        "observation, _ = environment.reset(seed=0)\n"
        "begun = time.perf_counter()\n"
        "from baselines_ppo import load\n"
        f"environment.step(load('zoo:{PENDULUM}').act(observation))\n"
        "assert time.perf_counter() - begun < 1.0\n"
        "from baselines_ppo.run.cli import main\n"
        f"main(['zoo', 'verify', '{PENDULUM}', '--episodes', '1'])\n"
        f"main(['evaluate', '{PENDULUM}', '--episodes', '1'])\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    finished = mpi(1, "-c", code)
    assert finished.returncode == 0, finished.stderr


def test_a_training_may_begin_with_an_agent_but_not_go_on_with_it(trainer: Run, tmp_path: Path) -> None:
    shape = ("--env", PENDULUM, "--num-timesteps", 2048, "--learning-rate", 1e-30, "--logdir", "run")
    finished = trainer(1, *shape, "--load-path", f"zoo:{PENDULUM}")
    assert finished.returncode == 0, finished.stderr
    begun, agent = checkpoint.find(tmp_path / "run")[0], checkpoint.find(f"zoo:{PENDULUM}")[0]
    np.testing.assert_array_equal(begun.arrays["parameters"], agent.arrays["parameters"])
    refused = trainer(1, "--resume", f"zoo:{PENDULUM}")
    assert refused.returncode == 66
    assert "is an agent, not a checkpoint; begin a new run from it with --load-path" in refused.stderr


# What `add` makes of a run, and what happens to it then.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run, with a setting that no preset has."""
    run = tmp_path_factory.mktemp("trained") / "run"
    line = (*flags("CartPole-v1", "ppo2", 5), "--gamma", 0.97, "--seed", 3, "--logdir", run)
    assert cli.main([str(word) for word in line]) == 0
    return run


def test_an_agent_is_added_shown_scored_and_verified(
    trained: Path, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "3"]) == 0
    card, folder = read_card(agents / "mine"), agents / "mine"
    kept = checkpoint.load(folder)
    manifest = checkpoint.find(trained)[0].manifest
    assert (card.environment, card.algorithm, card.preset) == ("CartPole-v1", "ppo2", "CartPole-v1")
    assert (card.seed, card.ranks, card.threshold) == (3, (1,), 475.0)
    assert (card.total_steps, card.seconds) == (manifest["total_steps"], manifest["seconds"])
    assert card.versions == manifest["platform"]
    assert "--gamma 0.97" in card.command
    assert not [name for name in kept.arrays if name.startswith(("adam", "environments"))]
    points, rows = curve.read_curve(folder), figures(trained)
    assert [point.total_steps for point in points] == [int(row["total_steps"]) for row in rows if row["episode_return"]]
    observations = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_array_equal(load("zoo:mine").act(observations), load(str(trained)).act(observations))

    capsys.readouterr()
    assert cli.main(["evaluate", str(trained), "--episodes", "3"]) == 0
    evaluated = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[2:]}
    for mode in MODES:
        score = getattr(card, mode)
        assert evaluated[mode][:4] == [f"{x:.2f}" for x in (score.mean, score.std, score.min, score.max)]

    assert cli.main(["zoo", "score", "mine", "--episodes", "4", "--seed", "1"]) == 0
    scored = read_card(folder)
    assert (scored.episodes, scored.evaluation_seed) == (4, 1)
    assert scored.deterministic != card.deterministic
    assert cli.main(["zoo", "verify", "mine", "--episodes", "2"]) == 0
    capsys.readouterr()
    assert cli.main(["zoo", "show", "mine"]) == 0
    assert cli.main(["zoo", "list"]) == 0
    assert cli.main(["zoo", "table"]) == 0
    shown = capsys.readouterr().out
    assert scored.command in shown
    assert f"{scored.deterministic.mean:,.1f} ± {scored.deterministic.std:,.1f}" in shown
    assert "zoo/agents/mine/picture.jpg" in shown


def no_space(*_: Any) -> None:
    raise WriteError("no space left on device")


def test_an_agent_is_replaced_only_if_one_says_so(trained: Path, agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ["zoo", "add", str(trained), "--episodes", "1", "--name", PENDULUM]
    with pytest.raises(UsageError, match=f"there is an agent {PENDULUM} already; --replace"):
        cli.main(line)
    assert load(PENDULUM).env_id == PENDULUM
    before = {path.name: path.read_bytes() for path in (agents / PENDULUM).iterdir()}
    with monkeypatch.context() as broken:  # a disk that is full when the card is written
        broken.setattr(zoo, "write_card", no_space)
        with pytest.raises(WriteError):
            cli.main([*line, "--replace"])
    assert {path.name: path.read_bytes() for path in (agents / PENDULUM).iterdir()} == before
    assert [path.name for path in agents.iterdir()] == [PENDULUM]
    assert cli.main([*line, "--replace"]) == 0
    assert load(PENDULUM).env_id == "CartPole-v1"


def test_an_agent_is_of_the_best_checkpoint_unless_another_is_named(
    trained: Path, agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, run := tmp_path / "run")
    found = checkpoint.find(run)[0]
    manifest = {name: value for name, value in found.manifest.items() if name != "files"}
    worse = {**manifest, "iteration": 99, "total_steps": 7777, "mean_return": -5.0}
    checkpoint.save(found.path.parent, "ckpt-00000099", worse, found.arrays)
    for ending, path in (("", found.path), (":last", found.path.with_name("ckpt-00000099")), (":best", found.path)):
        assert cli.main(["zoo", "add", f"{run}{ending}", "--name", "mine", "--replace", "--episodes", "1"]) == 0
        steps = checkpoint.load(path).manifest["total_steps"]
        assert f"mine: of {path}, {steps:,} steps" in capsys.readouterr().out
        assert read_card(agents / "mine").total_steps == steps


def test_an_agent_is_removed_by_its_name_alone(
    agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(agents / PENDULUM, tmp_path / "elsewhere")
    for typed in ("RoboInvertedPendulm-v1", "InvertedPendulum-v1", str(tmp_path / "elsewhere"), "../elsewhere", "."):
        with pytest.raises(LoadError, match=f"no pretrained agent .*there are: {PENDULUM}"):
            cli.main(["zoo", "remove", typed])
    assert load(str(tmp_path / "elsewhere")).env_id == PENDULUM
    assert cli.main(["zoo", "remove", PENDULUM]) == 0
    assert capsys.readouterr().out == f"{PENDULUM}: removed\n"
    assert not list(agents.iterdir())


def test_a_zoo_that_cannot_be_written_is_said_before_anything_is_played(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(pretrained, "AGENTS", tmp_path / "gone")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(WriteError, match=r"agents are put into .*gone or .*file.*, which cannot be written; let XDG"):
        cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "1"])
    assert "deterministic" not in capsys.readouterr().out


def test_where_the_packages_folder_cannot_be_written_agents_are_kept_in_one_of_the_users_own(
    trained: Path, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load(PENDULUM).policy.parameters.tobytes()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != agents)  # a superuser may write everywhere
    line = ["zoo", "add", str(trained), "--episodes", "1", "--name"]
    assert cli.main([*line, "mine"]) == 0
    assert cli.main([*line, PENDULUM, "--replace"]) == 0
    assert [path.name for path in agents.iterdir()] == [PENDULUM]
    assert pretrained.names() == [PENDULUM, "mine"]
    assert load("mine").env_id == load("zoo:mine").env_id == load(PENDULUM).env_id == "CartPole-v1"
    for name in ("mine", PENDULUM):
        assert cli.main(["zoo", "remove", name]) == 0
    assert pretrained.names() == [PENDULUM]
    assert load(PENDULUM).policy.parameters.tobytes() == shipped


OWN_ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

gymnasium.register("Poles-v0", CartPoleEnv, max_episode_steps=30)
"""


ZOO = """
import sys
from pathlib import Path
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.ending import run_job
from baselines_ppo.run.cli import main

pretrained.AGENTS = Path("agents")
run_job(lambda: main(["zoo", *sys.argv[1:]]))
"""


def test_an_agent_of_a_users_own_environment_is_added_scored_and_verified_by_name(
    mpi: Run, trainer: Run, tmp_path: Path
) -> None:
    """Each time in a process of its own, which imports the module only as the command line names it."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "poles.py").write_text(OWN_ENVIRONMENT)
    (tmp_path / "zoo.py").write_text(ZOO)
    named = ("--env", "poles:Poles-v0", "--episodes", 2)
    finished = trainer(1, *flags("poles:Poles-v0", "ppo2", 2), "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    forget()
    for words in (("add", "run"), ("score", "Poles-v0"), ("verify", "Poles-v0")):
        refused = mpi(1, "zoo.py", *words)
        assert refused.returncode == 66, refused.stderr
        assert "poles:Poles-v0 is not one of Gymnasium's; if you trust it, add --env poles:Poles-v0" in refused.stderr
        done = mpi(1, "zoo.py", *words, *named)
        assert done.returncode == 0, done.stderr
    card = read_card(tmp_path / "agents" / "Poles-v0")
    assert (card.environment, card.episodes, card.deterministic.max <= 30) == ("poles:Poles-v0", 2, True)
    every = mpi(1, "zoo.py", "verify")
    assert (every.returncode, "not checked: its environment poles:Poles-v0" in every.stdout) == (0, True)


def test_the_module_of_an_environment_that_python_made_is_named_when_its_agent_is_added(
    trained: Path, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "carts.py").write_text("")  # what it registers, Gymnasium has
    monkeypatch.syspath_prepend(tmp_path)
    line = ["zoo", "add", str(trained), "--name", "mine", "--episodes", "1", "--env"]
    with pytest.raises(UsageError, match="--env is carts:Pendulum-v1, but the agent was trained on CartPole-v1"):
        cli.main([*line, "carts:Pendulum-v1"])
    assert cli.main([*line, "carts:CartPole-v1"]) == 0
    assert read_card(agents / "mine").environment == "carts:CartPole-v1"
    assert "--env carts:CartPole-v1" in read_card(agents / "mine").command
    with pytest.raises(LoadError, match="if you trust it, add --env carts:CartPole-v1"):
        cli.main(["zoo", "verify", "mine", "--episodes", "1"])
    assert cli.main(["zoo", "verify", "mine", "--episodes", "1", "--env", "carts:CartPole-v1"]) == 0


def test_an_agent_with_other_spaces_than_its_environment_is_not_as_its_card_says(
    trained: Path, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "1"]) == 0
    found, card = checkpoint.load(agents / "mine"), read_card(agents / "mine")
    manifest = json.loads(json.dumps({name: value for name, value in found.manifest.items() if name != "files"}))
    manifest["policy"]["action"]["start"] = 5
    path = checkpoint.save(agents, "mine", manifest, found.arrays)
    write_card(path, replace(card, manifest_sha256=digest(path / "manifest.json")))
    with pytest.raises(DataError, match="not as their cards say: mine"):
        cli.main(["zoo", "verify", "mine", "--episodes", "1"])
    assert "other spaces than CartPole-v1 has here: action start 5, here 0" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", "-", "x" * 101, "zoo:mine", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str, trained: Path, agents: Path) -> None:
    with pytest.raises(UsageError, match=r"--name is .*, expected letters"):
        cli.main(["zoo", "add", str(trained), "--name", name])
    assert [path.name for path in agents.iterdir()] == [PENDULUM]


def test_an_agent_is_not_made_of_an_agent(agents: Path) -> None:
    with pytest.raises(LoadError, match="is not a checkpoint of a training: no config"):
        cli.main(["zoo", "add", PENDULUM, "--name", "again"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("zoo", "zoo: no action; known: list, show"),
        ("zoo scor", "unknown action scor .did you mean score"),
        ("zoo list --episodes 3", "unknown flag --episodes"),
        ("zoo score x --episodes 0", "expected a whole number of at least 1"),
        ("zoo score x --seed -1", "expected"),
        ("zoo show nothing", "nothing does not exist"),
    ],
)
def test_a_wrong_line_is_refused(line: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        cli.main(line.split())


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
    for name in ("logdir", "resume", "load_path", "preset", "play", "override"):
        options.pop(name)
    assert configure(**options) == config


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


# What `verify` notices.


def sealed(folder: Path, found: checkpoint.Checkpoint, parameters: np.ndarray) -> None:
    """Put other parameters into an agent, and let manifest and card agree with them."""
    card = json.loads((folder / CARD).read_text())
    manifest = {name: value for name, value in found.manifest.items() if name != "files"}
    path = checkpoint.save(folder.parent, folder.name, manifest, {**found.arrays, "parameters": parameters})
    for name in ("manifest.json", "arrays.npz"):
        card[f"{name.split('.')[0]}_sha256"] = hashlib.sha256((path / name).read_bytes()).hexdigest()
    (path / CARD).write_text(json.dumps(card))


def test_random_parameters_do_not_pass_for_the_agent(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = checkpoint.load(agents / PENDULUM)
    parameters = found.arrays["parameters"]
    sealed(agents / PENDULUM, found, np.random.default_rng(0).permutation(parameters))
    with pytest.raises(DataError, match=f"not as their cards say: {PENDULUM}") as raised:
        cli.main(["zoo", "verify", "--episodes", "2"])
    assert raised.value.exit_code == 65
    assert "LOWER" in capsys.readouterr().out
    sealed(agents / PENDULUM, found, parameters)
    assert cli.main(["zoo", "verify", "--episodes", "2"]) == 0


@pytest.mark.parametrize("name", ["manifest.json", "arrays.npz", CARD])
def test_a_file_that_is_not_the_cards_is_noticed(
    name: str, agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole files, but of another agent."""
    found, other = checkpoint.load(agents / PENDULUM), tmp_path / "other" / PENDULUM
    shutil.copytree(agents / PENDULUM, other)
    sealed(other, found, found.arrays["parameters"] * np.float32(0.5))
    shutil.copy(other / name, agents / PENDULUM / name)
    with pytest.raises(DataError, match=PENDULUM):
        cli.main(["zoo", "verify", "--episodes", "1"])
    assert "checksum" in capsys.readouterr().out


def test_a_card_that_says_other_than_its_files_is_noticed(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = json.loads((agents / PENDULUM / CARD).read_text())
    (agents / PENDULUM / CARD).write_text(json.dumps({**card, "total_steps": 7}))
    with pytest.raises(DataError):
        cli.main(["zoo", "verify", "--episodes", "1"])
    assert "its card is not what its files" in capsys.readouterr().out


def test_a_mean_may_be_lower_by_what_chance_explains() -> None:
    card = Score(1000.0, 100.0, 0.0, 2000.0, 10.0, None)
    steady, wild = (Score(0.0, std, -400.0, 400.0, 10.0, None) for std in (0.0, 300.0))
    assert least(card, 100, steady, 25) == pytest.approx(1000 - 3 * 100 * np.hypot(0.1, 0.2) - 10)
    assert least(card, 100, wild, 25) == pytest.approx(1000 - 3 * 300 * np.hypot(0.1, 0.2) - 10)
    below_zero = Score(-1000.0, 0.0, -1000.0, -1000.0, 10.0, None)
    assert least(below_zero, 100, steady, 4) == pytest.approx(-1010)


# Strangers' cards and agents.

STRANGE: list[Any] = [
    None, True, -1, 0.5, 10**400, 1e308, "", "\x1b[2J", "x" * 10**4, [], {}, [[1]], {"mean": 1}, ["a"], [1] * 10**4,
]  # fmt: skip


@pytest.mark.parametrize("field", [*Card.__dataclass_fields__])
def test_a_card_with_another_kind_of_value_is_refused_or_harmless(
    field: str, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = agents / PENDULUM
    card = json.loads((folder / CARD).read_text())
    kind, refused = type(card[field]), 0
    for value in STRANGE:
        (folder / CARD).write_text(json.dumps({**card, field: value}))
        try:
            read = read_card(folder)
        except LoadError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 500
            refused += 1
            continue
        assert value is None or isinstance(value, (int, float) if kind is float else kind)
        assert value is not True or kind is bool
        assert asdict(read)[field] in (value, tuple(value) if isinstance(value, list) else value)
        assert cli.main(["zoo", "list"]) == cli.main(["zoo", "show", PENDULUM]) == 0
        assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    assert refused >= len(STRANGE) - 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("[1]", "has not just the fields"),
        ("{}", "has not just the fields"),
        ('{"mean": NaN}', "NaN is not a finite number"),
        ("[" * 10**5, "cannot be read"),
        (" " * 10**6, "no regular file of at most"),
    ],
)
def test_what_is_no_card_is_refused_in_one_line(
    text: str, reason: str, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agents / PENDULUM / CARD).write_text(text)
    with pytest.raises(LoadError, match=reason) as raised:
        read_card(agents / PENDULUM)
    assert str(raised.value).isprintable()
    assert cli.main(["zoo", "list"]) == 0
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("name", ["manifest.json", "arrays.npz", CARD, "curve.csv"])
def test_links_are_not_followed(name: str, agents: Path, tmp_path: Path) -> None:
    file = agents / PENDULUM / name
    shutil.move(file, tmp_path / name)
    file.symlink_to(tmp_path / name)
    with pytest.raises(Failure):
        if name in (CARD, "curve.csv"):
            cli.main(["zoo", "show", PENDULUM])
        else:
            load(PENDULUM)


def test_unreadable_numbers_in_a_curve_are_refused(agents: Path) -> None:
    for row in ("1,nan,3", "1,2", "x,2,3", "1,1e300,3", f"{10**30},2,3", "1,inf,3"):
        (agents / PENDULUM / "curve.csv").write_text(f"total_steps,episode_return,seconds\n{row}\n")
        with pytest.raises(LoadError, match=r"curve\.csv cannot be read"):
            cli.main(["zoo", "show", PENDULUM])


@pytest.mark.parametrize("action", ["score", "verify"])
@pytest.mark.parametrize("key", ["env", "wrapper"])
@pytest.mark.parametrize("where", ["agent", "training", "both"])
def test_modules_that_a_file_names_are_not_imported(
    where: str, key: str, action: str, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the agent's card is one that fits it."""
    found = checkpoint.load(agents / PENDULUM)
    named = {key: "evil_payload:Env-v0" if key == "env" else ["evil_payload:Wrapper"]}
    training = found.manifest["training"]
    own = named if where in ("agent", "both") else {}
    trained = {**training, "config": {**training["config"], **(named if where in ("training", "both") else {})}}
    path = checkpoint.save(agents, "forged", {**found.manifest, **own, "training": trained}, found.arrays)
    card = replace(read_card(agents / PENDULUM), manifest_sha256=digest(path / "manifest.json"))
    write_card(path, replace(card, arrays_sha256=digest(path / "arrays.npz")))
    (tmp_path / "evil_payload.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Failure):
        cli.main(["zoo", action, "forged", "--episodes", "1"])
    assert "evil_payload" not in sys.modules


def test_a_card_of_another_environment_than_is_played_is_refused(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    training = {**found.manifest["training"], "config": {**found.manifest["training"]["config"], "env": "Humanoid-v4"}}
    checkpoint.save(agents, "forged", {**found.manifest, "training": training}, found.arrays)
    with pytest.raises(LoadError, match="was trained on Humanoid-v4"):
        cli.main(["zoo", "score", "forged", "--episodes", "1"])


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": 0},
        {"deterministic": {"std": 1e15}},
        {"deterministic": {"std": -1.0}},
        {"stochastic": {"mean": 1e12}},
    ],
)
def test_scores_that_no_episodes_have_are_refused(change: dict[str, Any], agents: Path) -> None:
    card = json.loads((agents / PENDULUM / CARD).read_text())
    for name, value in change.items():
        card[name] = {**card[name], **value} if isinstance(value, dict) else value
    (agents / PENDULUM / CARD).write_text(json.dumps(card))
    with pytest.raises(LoadError, match=r"card.json cannot be read: .* of no episodes"):
        read_card(agents / PENDULUM)


def test_an_agent_whose_training_went_on_with_other_settings_says_so(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    assert read_card(agents / PENDULUM).exact
    lineage = [{"ranks": 1, "exact": True}, {"ranks": 2, "exact": False}]
    training = {**found.manifest["training"], "lineage": lineage}
    checkpoint.save(agents, "changed", {**found.manifest, "training": training}, found.arrays)
    assert cli.main(["zoo", "score", "changed", "--episodes", "1"]) == 0
    assert not read_card(agents / "changed").exact


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_name_that_is_none_ends_all_ranks(ranks: int, trainer: Run) -> None:
    finished = trainer(ranks, "zoo", "show", "nothing")
    assert finished.returncode == 66
    assert finished.stderr.startswith("error: nothing does not exist")


def test_a_reader_that_has_gone_is_no_error_of_ours(tmp_path: Path) -> None:
    line = f"{sys.executable} -u -m baselines_ppo.run zoo list | true"
    finished = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"], cwd=ROOT, capture_output=True, text=True
    )
    assert finished.returncode in (0, 141)
    assert "Traceback" not in finished.stderr


def test_training_facts_that_make_no_sense_get_no_card(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    training = found.manifest["training"]
    forgeries: list[dict[str, Any]] = [
        {}, {**training, "config": {"alg": "\x1b[2J"}}, {**training, "lineage": []}, {**training, "seconds": 1e300},
        {**training, "platform": {"numpy": "\x1b[2J"}}, {**training, "total_steps": -1},
    ]  # fmt: skip
    for forged in forgeries:
        checkpoint.save(agents, "forged", {**found.manifest, "training": forged}, found.arrays)
        with pytest.raises(LoadError, match=r"does not say how it was trained|no card can be written") as raised:
            cli.main(["zoo", "score", "forged", "--episodes", "1"])
        assert str(raised.value).isprintable()
        assert not (agents / "forged" / CARD).exists()


def test_a_card_is_written_and_read_as_it_was(agents: Path) -> None:
    card = read_card(agents / PENDULUM)
    write_card(agents / PENDULUM, card)
    assert read_card(agents / PENDULUM) == card


# Measuring.


# It remembers how earlier episodes ended; here some end well, and others not.
gymnasium.register(
    "RoboShortHarder-v1",
    entry_point="baselines_ppo.zoo.vector_env:RobotEnv",
    vector_entry_point="baselines_ppo.zoo.vector_env:RobotVectorEnv",
    max_episode_steps=30,
    kwargs={"task": "HumanoidFlagrunHarder"},
)


def untrained(env_id: str, **settings: Any) -> Agent:
    """Return an agent with random parameters, large enough to matter."""
    backend = make_backend(EnvironmentSpec(env_id), 1)
    network = actor_critic_of(configure(env_id, preset="none", **settings), backend.observation, backend.action)
    backend.close()
    parameters = network.initial_parameters(np.random.default_rng(0), 0.0)
    return Agent(Policy(network, 2 * parameters, 10.0), env_id, Path("untrained"), {})


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        ("RoboHopper-v1", {}),
        ("RoboShortHarder-v1", {}),
        ("RoboHopper-v1", {"network": "lstm", "lstm_size": 8}),
        ("CartPole-v1", {}),
        ("InvertedPendulum-v4", {"network": "lstm", "lstm_size": 8}),  # one after the other
    ],
)
def test_episodes_come_to_the_same_whatever_is_played_beside_them(env_id: str, settings: dict[str, Any]) -> None:
    agent = untrained(env_id, **settings)
    one, seven = (measure(agent, EnvironmentSpec(env_id), 12, seed=5, rows=rows) for rows in (1, 7))
    assert one == seven
    for mode in MODES:
        assert len({episode.length for episode in one[mode]}) > 1  # so that rows begin at different times


def test_episodes_are_those_of_gymnasium(agents: Path) -> None:
    """The sum of the rewards that a user's own loop would see, for our vector form and for a single environment."""
    agent, env_id = untrained("RoboHopper-v1"), "RoboHopper-v1"
    (played, *_) = measure(agent, EnvironmentSpec(env_id), 3, seed=5)["deterministic"]
    environment = gymnasium.make(env_id)
    observation, _ = environment.reset(seed=episode_seed(5, 0, 0, Purpose.EVALUATION))
    total, length, ended = 0.0, 0, False
    while not ended:
        observation, reward, terminated, truncated, _ = environment.step(agent.act(observation))
        total, length, ended = total + float(reward), length + 1, terminated or truncated
    assert (played.episode_return, played.length) == (total, length)


def test_flags_are_counted_by_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    """With flags that count as reached from anywhere, every step reaches one."""
    monkeypatch.setattr(flags_of_the_zoo, "REACHED", 1000.0)
    played = measure(untrained("RoboHumanoidFlagrun-v1"), EnvironmentSpec("RoboHumanoidFlagrun-v1"), 4, seed=0, rows=3)
    for episode in (*played["deterministic"], *played["stochastic"]):
        assert episode.facts["flags_reached"] == episode.length
    assert score_of(played["stochastic"]).flags_reached == score_of(played["stochastic"]).mean_length
    plain = measure(untrained("CartPole-v1"), EnvironmentSpec("CartPole-v1"), 1, seed=0)["stochastic"]
    assert (plain[0].facts, score_of(plain).flags_reached, score_of(plain).success_rate) == ({}, None, None)


def test_a_return_that_is_not_finite_is_reported_with_its_episode() -> None:
    class Broken(gymnasium.RewardWrapper[Any, Any]):
        def reward(self, reward: Any) -> float:
            return float("nan")

    backend = SerialBackend(lambda: Broken(make_environment(EnvironmentSpec("CartPole-v1"))), 2, "CartPole-v1")
    player = Episodes(untrained("CartPole-v1"), backend, 2, "CartPole-v1", 0)
    with pytest.raises(DataError, match=r"env CartPole-v1, evaluation episode \d, step \d+: the return is nan"):
        player.play(range(3), True)


def test_scores_are_the_same_on_any_number_of_ranks(tmp_path: Path, trainer: Run) -> None:
    agent, cards = shutil.copytree(pretrained.AGENTS / "RoboReacher-v1", tmp_path / "agent"), []
    for ranks in (1, 2):
        finished = trainer(ranks, "zoo", "score", agent, "--episodes", 3)
        assert finished.returncode == 0, finished.stderr
        cards.append(read_card(agent))
        assert cards[-1].episodes == 3
    assert cards[0] == cards[1]
