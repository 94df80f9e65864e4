"""Fields that a resumed run may change, and what a loaded agent brings: in force from the first iteration on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run.cli import main
from baselines_ppo.settings.changes import OVERRIDABLE
from baselines_ppo.settings.config import TEXTBOOK, all_fields
from tests.runs import arrays, assert_same_bits, figures, flags

ITERATIONS, MIDDLE = 4, 2
PROGRESS = MIDDLE / ITERATIONS  # of a run's steps, when the iteration after the checkpoint learns
FACTOR = 1.5  # by which an adaptive step size moves
Logged = dict[str, str]

# A run for each algorithm, and of ppo2 one for each schedule and use of the KL.
BASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ppo1": ("ppo1", ("--schedule", "constant")),
    "ppo1-linear": ("ppo1", ()),
    "ppo2": ("ppo2", ("--learning-rate-schedule", "constant", "--clip-range", "0.01")),
    "ppo2-linear": ("ppo2", ("--learning-rate-schedule", "linear", "--clip-range-schedule", "linear")),
    "ppo2-adaptive": ("ppo2", ("--learning-rate-schedule", "adaptive", "--kl-coef", "0.5", "--kl-target", "0.02")),
    "ppo_kl": ("ppo_kl", ()),
    "trpo": ("trpo", ()),
}


class Change(NamedTuple):
    """A field's new value, and what the next iteration must log if it is one that is logged."""

    base: str
    field: str
    value: object
    logged: Callable[[Logged, Logged], bool] = lambda row, before: True


def logs(name: str, value: float) -> Callable[[Logged, Logged], bool]:
    """Return whether a figure is logged."""
    return lambda row, _: math.isclose(float(row[name]), value, rel_tol=1e-5)


def moved_from(value: float) -> Callable[[Logged, Logged], bool]:
    """Return whether the step size is one to which an adaptive schedule comes from here within three epochs."""
    return lambda row, before: any(logs("learning_rate", value * FACTOR**k)(row, before) for k in range(-3, 4))


def fell(name: str) -> Callable[[Logged, Logged], bool]:
    """Return whether a figure is smaller than where the run went on."""
    return lambda row, before: 0 < float(row[name]) < float(before[name])


REST = 1 - PROGRESS
CHANGES = [
    Change("ppo1", "learning_rate", 2e-5, logs("learning_rate", 2e-5)),
    Change("ppo1-linear", "learning_rate", 2e-5, logs("learning_rate", 2e-5 * REST)),
    Change("ppo1", "clip_range", 0.003, logs("clip_range", 0.003)),
    Change("ppo1", "schedule", "linear", logs("clip_range", 0.2 * REST)),
    Change("ppo1-linear", "schedule", "constant", logs("learning_rate", 3e-4)),
    Change("ppo1", "entropy_coef", 0.1),
    Change("ppo1", "num_epochs", 1),
    Change("ppo2", "learning_rate", 2e-5, logs("learning_rate", 2e-5)),
    Change("ppo2-linear", "learning_rate", 2e-5, logs("learning_rate", 2e-5 * REST)),
    Change("ppo2-adaptive", "learning_rate", 2e-5, moved_from(2e-5)),
    Change("ppo2", "learning_rate_schedule", "linear", logs("learning_rate", 1e-3 * REST)),
    Change("ppo2", "learning_rate_schedule", "adaptive", moved_from(1e-3)),
    Change("ppo2-linear", "learning_rate_schedule", "constant", logs("learning_rate", 1e-3)),
    Change("ppo2-linear", "learning_rate_schedule", "adaptive", moved_from(1e-3 * (1 - (MIDDLE - 1) / ITERATIONS))),
    Change("ppo2-adaptive", "learning_rate_schedule", "constant", logs("learning_rate", 1e-3)),
    Change("ppo2", "clip_range", 0.003, logs("clip_range", 0.003)),
    Change("ppo2-linear", "clip_range", 0.003, logs("clip_range", 0.003 * REST)),
    Change("ppo2", "clip_range_schedule", "linear", logs("clip_range", 0.01 * REST)),
    Change("ppo2", "entropy_coef", 0.1),
    Change("ppo2-adaptive", "kl_target", 1e-7, fell("learning_rate")),
    Change("ppo2", "kl_stop", 1e-9, logs("epochs", 1)),
    Change("ppo2", "num_epochs", 1, logs("epochs", 1)),
    Change("ppo2", "max_grad_norm", 1e-4),
    Change("ppo_kl", "learning_rate", 2e-5, logs("learning_rate", 2e-5 / 2)),  # the root of four units divides it
    Change("ppo_kl", "value_learning_rate", 1e-5),
    Change("ppo_kl", "kl_target", 1e-9, logs("epochs", 1)),
    Change("ppo_kl", "num_epochs", 1, logs("epochs", 1)),
    Change("trpo", "kl_target", 1e-6, fell("kl")),
    Change("trpo", "value_learning_rate", 1e-5),
    Change("trpo", "num_epochs", 1),
    Change("trpo", "entropy_coef", 0.1),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of an undisturbed run, made once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "run"
            alg, more = BASES[name]
            size = ("--hidden-sizes", "4", "--learning-rate", "1e-3") if alg == "ppo2" else ("--hidden-sizes", "4")
            line = (*flags("Pendulum-v1", alg, ITERATIONS, num_envs=2), *size, *more, "--logdir", made[name])
            assert main([*map(str, line)]) == 0
        return made[name]

    return folder


def resumed(run: Path, to: Path, *words: object) -> Path:
    """Return the folder of a run that goes on from the middle of another."""
    middle = run / "checkpoints" / f"ckpt-{MIDDLE:08d}"
    assert main([*map(str, ("--resume", middle, "--logdir", to, *words))]) == 0
    return to


def test_every_field_that_may_be_overridden_is_tried_for_every_algorithm_that_has_it() -> None:
    for alg, config in TEXTBOOK.items():
        fields = {item.name for _, item, _ in all_fields(config)} & {*OVERRIDABLE}
        assert fields - {"env_restarts"} == {change.field for change in CHANGES if BASES[change.base][0] == alg}


# Compiled anew, while another run has the same field.
COMPILED = {
    ("ppo1", "num_epochs"), ("ppo2", "entropy_coef"), ("trpo", "num_epochs"), ("trpo", "entropy_coef"),
    ("ppo2-adaptive", "learning_rate_schedule"), ("trpo", "value_learning_rate"), ("ppo_kl", "value_learning_rate"),
    ("ppo_kl", "num_epochs"), ("ppo1", "entropy_coef"), ("ppo2", "max_grad_norm"), ("ppo2-linear", "clip_range"),
}  # fmt: skip


def cases() -> list[Any]:
    """Return all changes; those of runs whose values fall linearly, and what is compiled once more, are slow."""
    slow = {each[:2] for each in CHANGES if each.base.endswith("-linear")} | COMPILED
    marks: dict[bool, Any] = {True: pytest.mark.slow, False: ()}
    return [pytest.param(each, marks=marks[each[:2] in slow], id="-".join(map(str, each[:3]))) for each in CHANGES]


@pytest.mark.parametrize("change", cases())
def test_an_override_is_in_force(change: Change, base: Callable[[str], Path], tmp_path: Path) -> None:
    run, flag = base(change.base), "--" + change.field.replace("_", "-")
    other = resumed(run, tmp_path / "other", flag, change.value, "--override", change.field)
    row, before = figures(other)[0], figures(run)[MIDDLE - 1]
    assert int(row["iteration"]) == int(before["iteration"]) + 1
    assert change.logged(row, before), row
    assert not np.array_equal(arrays(other, MIDDLE + 1)["parameters"], arrays(run, MIDDLE + 1)["parameters"])
    stored: dict[str, Any] = checkpoint.find(other)[0].manifest["config"]
    assert {**stored, **stored["algorithm"]}[change.field] == change.value  # which the next resume takes as given


def test_a_step_size_that_had_moved_begins_where_it_is_put(base: Callable[[str], Path], tmp_path: Path) -> None:
    """ppo_kl's factor, which a tiny run does not move, counts as long as the step size is not changed."""
    found = checkpoint.load(base("ppo_kl") / "checkpoints" / f"ckpt-{MIDDLE:08d}")
    moved = {**found.arrays, "learning_rate_factor": np.array(3.0)}
    checkpoint.save(tmp_path / "moved" / "checkpoints", found.path.name, found.manifest, moved)
    kept = resumed(tmp_path / "moved", tmp_path / "kept")
    put = resumed(tmp_path / "moved", tmp_path / "put", "--learning-rate", 2e-5, "--override", "learning-rate")
    assert float(figures(kept)[0]["learning_rate"]) == pytest.approx(3 * 9e-4 / 2)
    assert float(figures(put)[0]["learning_rate"]) == pytest.approx(2e-5 / 2)


@pytest.mark.parametrize("name", BASES)
def test_without_another_value_an_override_changes_no_bit(
    name: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    run = base(name)
    fields = {item.name for _, item, _ in all_fields(TEXTBOOK[BASES[name][0]])} & {*OVERRIDABLE}
    again = resumed(run, tmp_path / "again", "--override", ",".join(fields))
    assert_same_bits(arrays(run), arrays(again))
    assert figures(run)[MIDDLE:] == figures(again)
    assert checkpoint.find(again)[0].manifest["lineage"][-1]["exact"]


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("alg", TEXTBOOK)
def test_restarts_may_be_allowed_when_a_run_goes_on(alg: str, tmp_path: Path) -> None:
    """Each of its environments raises at step 5 of its second episode, after the first iteration."""
    line = (*flags("tests.environments:Raising-always-v0", alg, 1, num_envs=2), "--hidden-sizes", "4", "--num-steps", 8)
    assert main([*map(str, (*line, "--num-timesteps", 16, "--logdir", tmp_path / "run"))]) == 0
    more = ("--env", line[1], "--resume", tmp_path / "run", "--num-timesteps", 48)
    assert main([*map(str, (*more, "--env-restarts", 9, "--override", "env_restarts"))]) == 0
    assert (arrays(tmp_path / "run")["environments/restarts"] > 0).all()


@pytest.mark.parametrize(("base_name", "field"), [("ppo1", "kl_target"), ("trpo", "clip_range"), ("ppo_kl", "gamma")])
def test_a_field_that_the_algorithm_does_not_have_is_refused(
    base_name: str, field: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"--override {field}: what may be changed is .* of {base_name}$"):
        resumed(base(base_name), tmp_path / "other", "--override", field)


def test_a_target_that_nothing_uses_is_refused(base: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--override kl_target would change nothing"):
        resumed(base("ppo2"), tmp_path / "other", "--kl-target", "0.1", "--override", "kl_target")


@pytest.mark.parametrize("base_name", ["ppo1-linear", "ppo2-linear"])
def test_another_number_of_steps_says_where_it_moves_the_schedules(
    base_name: str, base: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said is what the next iteration learns with, before and after."""
    run = base(base_name)
    steps = checkpoint.find(run)[0].manifest["total_steps"]
    capsys.readouterr()
    other = resumed(run, tmp_path / "other", "--num-timesteps", 3 * steps)
    said = re.findall(r"^schedules that fall linearly now end at (.*) steps instead of (.*); from here on: (.*)$",
                      capsys.readouterr().out, re.MULTILINE)  # fmt: skip
    assert [said[0][0], said[0][1]] == [f"{3 * steps:,}", f"{steps:,}"]
    undisturbed, moved = figures(run)[MIDDLE], figures(other)[0]
    values = re.findall(r"(\w+) (\S+) -> ([^\s,]+)", said[0][2])
    assert [name for name, *_ in values] == ["learning_rate", "clip_range"]
    for name, was, now in values:
        assert float(was) == pytest.approx(float(undisturbed[name]), rel=1e-3)
        assert float(now) == pytest.approx(float(moved[name]), rel=1e-3)
    again = resumed(run, tmp_path / "again")
    assert figures(again)[0] == undisturbed
    assert "schedules" not in capsys.readouterr().out


def test_a_loaded_agent_keeps_its_std_unless_another_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset of Pendulum has a log std of 0.5."""
    sizes = {"num-envs": 2, "num-steps": 16, "num-minibatches": 1, "num-epochs": 1, "num-timesteps": 32}
    line = [word for name, value in {**sizes, "learning-rate": 1e-30}.items() for word in (f"--{name}", str(value))]
    runs = {"first": ("--init-log-std", "-2"), "kept": ("--load-path", "first"),
            "typed": ("--load-path", "first", "--init-log-std", "0.5")}  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name, own in runs.items():
        assert main(["--env", "Pendulum-v1", *line, "--quiet", "--logdir", name, *own]) == 0
    layout = load("first").policy.network.layout
    stds = {name: layout.split(arrays(tmp_path / name)["parameters"])["log_std"].tolist() for name in runs}
    assert stds == {"first": [-2.0], "kept": [-2.0], "typed": [0.5]}
    more = ("--preset", "Pendulum-v1", "--num-timesteps", "64")  # as `launch` goes on, without --load-path
    assert main(["--env", "Pendulum-v1", *line, "--quiet", "--resume", "kept", *more]) == 0
    assert layout.split(arrays(tmp_path / "kept")["parameters"])["log_std"].tolist() == [-2.0]


@pytest.mark.parametrize("standardised", [False, True])
def test_a_loaded_agent_gives_values_in_the_unit_of_the_runs_own_rewards(tmp_path: Path, standardised: bool) -> None:
    """What its values explain of the same episodes does not depend on what rewards are divided by."""
    shape: dict[str, Any] = {"num_envs": 4, "num_steps": 32, "num_minibatches": 4}
    shape |= {"normalize_value_targets": standardised}
    taught = configure("Pendulum-v1", preset="none", num_timesteps=4096, learning_rate=3e-3, **shape)
    agent = train(taught, logdir=tmp_path / "agent").folder

    def explained(name: str, **values: Any) -> float:
        begun = configure("Pendulum-v1", preset="none", num_timesteps=128, learning_rate=1e-30, **shape, **values)
        train(begun, logdir=tmp_path / name, load_path=agent)
        return float(figures(tmp_path / name)[0]["explained_variance"])

    divided, raw = explained("divided"), explained("raw", normalize_returns=False)
    assert abs(divided) > 0.1
    assert raw == pytest.approx(divided, rel=0.02)
