"""Runs are found where a user says, read whatever version wrote them, and grouped by what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.failures import Failure, LoadError, UsageError
from baselines_ppo.common.files.progress import Progress
from baselines_ppo.experiments.curves import curve_of
from baselines_ppo.experiments.runs import find_runs, group_runs
from tests.experiments.on_disk import made_run


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Return a folder with runs in it, on two levels."""
    for alg, seed in (("ppo2", 2), ("ppo2", 10), ("trpo", 2)):
        made_run(tmp_path / "sweep" / alg / f"seed-{seed}", [1.0, 2.0], alg=alg, seed=seed)
    return tmp_path / "sweep"


def names(*places: object) -> list[str]:
    """Return the last two parts of the paths of the runs that are found."""
    return ["/".join(run.path.parts[-2:]) for run in find_runs(places)]  # type: ignore[arg-type]


def test_runs_are_found_in_all_ways_to_say_where_each_once(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = ["ppo2/seed-2", "ppo2/seed-10", "trpo/seed-2"]
    (sweep / "ppo2" / "seed-2" / "checkpoints" / "ckpt-00000002").mkdir()
    made_run(sweep / "ppo2" / "seed-2" / "before" / "copy", [1.0])  # what is in a run is its own
    assert names(sweep) == everything
    assert names(str(sweep / "*" / "seed-2")) == ["ppo2/seed-2", "trpo/seed-2"]
    assert names(f"{sweep}/**/seed-*") == everything
    assert names(sweep / "trpo", sweep) == ["trpo/seed-2", *everything[:2]]
    assert names(sweep / "ppo2" / "seed-2" / "checkpoints" / "ckpt-00000002") == everything[:1]
    assert names(sweep / "ppo2" / "seed-2" / "progress.csv") == everything[:1]
    assert names(*find_runs(sweep), sweep) == everything
    monkeypatch.chdir(sweep)
    assert names("ppo2", "trpo/seed-?") == everything
    (sweep / "latest").symlink_to(sweep / "ppo2" / "seed-2")
    assert len(names(sweep / "*", "ppo2/../ppo2")) == 3  # a run has one place, whatever leads there


def test_trials_of_a_search_and_folders_of_other_programs_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    made_run(tmp_path / "run", [1.0])
    study = tmp_path / "tune-ppo2"
    made_run(study / "trials" / "0000" / "seed-0", [1.0])
    (study / "study.json").write_text("{}")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architecture": "bert"}')
    assert [run.path for run in find_runs(tmp_path)] == [tmp_path / "run"]
    assert names(study) == ["0000/seed-0"]
    with pytest.raises(LoadError, match="no run in"):
        find_runs(tmp_path / "model")


def test_a_run_says_what_it_is_and_how_far(tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", [None, 20.0, 30.0], seed=7, gamma=0.5, hidden_sizes=(8, 4))
    (run,) = find_runs(path)
    assert (run.env, run.seed, run.fields["gamma"], run.fields["hidden_sizes"]) == ("CartPole-v1", 7, 0.5, (8, 4))
    assert (run.total_steps, run.finished) == (3000, True)
    np.testing.assert_array_equal(run.columns["episode_return"], [np.nan, 20, 30])
    (path / "progress.csv").unlink()
    (begun,) = find_runs(path)
    assert (begun.total_steps, begun.finished, begun.columns) == (0, False, {})


def test_a_log_of_another_version_that_went_on_is_read_without_a_shift(tmp_path: Path) -> None:
    """Its columns stand in another order, one is no more, and others have come later; the last row is torn."""
    path = made_run(tmp_path / "run", [])
    log = path / "progress.csv"
    log.write_text("episode_return,iteration,time,total_steps\n10.5,1,0.1,100\n,2,0.2,200\n12.5,3,0.3,300\n")
    progress = Progress(log)
    progress.keep(3)
    progress.write({"iteration": 4, "total_steps": 400, "episode_return": 14.0, "eval_return": 50.0})
    progress.close()
    with log.open("a") as file:
        file.write("15.0,5,0.5")
    (run,) = find_runs(path)
    for name, column in {
        "iteration": [1, 2, 3, 4],
        "total_steps": [100, 200, 300, 400],
        "episode_return": [10.5, np.nan, 12.5, 14.0],
        "time": [0.1, 0.2, 0.3, np.nan],
        "eval_return": [np.nan, np.nan, np.nan, 50.0],
    }.items():
        np.testing.assert_array_equal(run.columns[name], column)
    curve = curve_of(run)
    assert (curve.x.tolist(), curve.y.tolist()) == ([100, 300, 400], [10.5, 12.5, 14.0])


def test_settings_of_another_version_have_the_names_and_defaults_of_today(tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", [1.0])
    config = json.loads((path / "config.json").read_text())
    del config["algorithm"]["kl_stop"], config["rollout"]["clip_raw_rewards"], config["grace"]
    config["algorithm"]["target_kl"] = 0.07
    config["an_old_one"] = 3
    (path / "config.json").write_text(json.dumps(config))
    (run,) = find_runs(path)
    assert (run.fields["kl_stop"], run.fields["clip_raw_rewards"], run.fields["grace"]) == (0.07, None, 25.0)
    assert "target_kl" not in run.fields


def test_groups_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    def groups(by: list[str] | None = None) -> dict[str, int]:
        return {label: len(runs) for label, runs in group_runs(find_runs(tmp_path), by).items()}

    made_run(tmp_path / "a", [1.0], seed=0)
    made_run(tmp_path / "b", [1.0, 2.0], seed=1)  # longer
    assert groups() == {"ppo2": 2}
    made_run(tmp_path / "evaluated", [1.0], seed=2, eval_interval=1, film_interval=2, progress="none", track=())
    assert groups() == {"ppo2": 3}  # what changes no curve makes no difference
    made_run(tmp_path / "named", [1.0], seed=2, name="wide", hidden_sizes=(256,))
    assert groups() == {"name -": 3, "name wide": 1}
    for made in ("evaluated", "named"):
        shutil.rmtree(tmp_path / made)
    made_run(tmp_path / "c", [1.0], seed=0, learning_rate=0.01, gamma=0.9)
    assert groups() == {"gamma 0.99": 2, "gamma 0.9": 1}  # one of two fields that differ alike is enough
    made_run(tmp_path / "d", [1.0], seed=0, alg="trpo")
    assert groups() == {"ppo2, gamma 0.99": 2, "ppo2, gamma 0.9": 1, "trpo, gamma 0.99": 1}
    assert groups(["alg"]) == {"ppo2": 3, "trpo": 1}
    assert groups(["seed"]) == {"seed 0": 3, "seed 1": 1}
    assert groups(["kl_target"])["kl_target 0.01"] == 1  # which trpo alone has
    with pytest.raises(UsageError, match=r"--by is algo, which is no field of these runs \(did you mean alg\?\)"):
        groups(["algo"])


def test_what_changes_no_curve_makes_no_group_and_what_differs_little_makes_two(tmp_path: Path) -> None:
    shown: dict[str, Any] = {"progress": "none", "eval_interval": 3, "track": ("tensorboard",), "timeout": 9.0}
    made_run(tmp_path / "a", [1.0])
    made_run(tmp_path / "b", [1.0], **shown)
    assert [*group_runs(find_runs(tmp_path))] == ["ppo2"]
    path = made_run(tmp_path / "c", [1.0], gamma=0.9999999)
    made_run(tmp_path / "d", [1.0], gamma=0.99999999)
    assert [*group_runs(find_runs([path, tmp_path / "d"]))] == ["gamma 0.9999999", "gamma 0.99999999"]
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    config["algorithm"]["clip_range"] = 1  # of somebody's own hand, who means 1.0
    (tmp_path / "a" / "config.json").write_text(json.dumps(config))
    made_run(tmp_path / "e", [1.0], clip_range=1.0)
    assert [*group_runs(find_runs([tmp_path / "a", tmp_path / "e"]))] == ["ppo2"]


def test_no_layers_are_not_the_networks_own_and_the_last_bit_of_a_number_counts(tmp_path: Path) -> None:
    for k, sizes in enumerate((None, ())):
        made_run(tmp_path / "sizes" / str(k), [1.0], hidden_sizes=sizes)
    for k, rate in enumerate((0.3, 0.1 + 0.2)):
        made_run(tmp_path / "rates" / str(k), [1.0], learning_rate=rate)
    assert [*group_runs(find_runs(tmp_path / "sizes"))] == ["hidden_sizes none", "hidden_sizes empty"]
    assert [*group_runs(find_runs(tmp_path / "rates"))] == ["learning_rate 0.3", "learning_rate 0.30000000000000004"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("progress.csv", b"\xff\xfe\x00garbage", "something in it that is no CSV; mend it"),
        ("progress.csv", b"hello\nworld\n", "no column iteration"),
        ("progress.csv", b"iteration,total_steps\n1,2\n2,3,4\n3,5\n", "1 row that do not fit its header"),
        ("progress.csv", b"iteration,total_steps\n1,2\n2,x\n", "'x' in column total_steps, row 2, which is no number"),
        ("progress.csv", b"iteration,total_steps\n1,2\n2,\n", "total_steps is no finite number in row 2; mend it"),
        ("progress.csv", b"iteration,total_steps\n1,inf\n2,3\n", "total_steps is no finite number in row 1"),
        ("progress.csv", b"iteration,total_steps\n1,5\n2,4\n", "total_steps falls in row 2"),
        ("config.json", b"{", "cannot be read"),
        ("config.json", b'{"env": "CartPole-v1"}', "names no alg, so it is not that of a run"),
    ],
)
def test_what_is_damaged_is_one_line(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", [1.0])
    (path / name).write_bytes(content)
    with pytest.raises(LoadError, match=what) as raised:
        find_runs(path)
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_where_there_is_no_run_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, what in (
        ("empty", "no run in"),
        ("nowhere", "there is no"),
        ("x*", "there is no"),
        ("", "path is empty"),
    ):
        with pytest.raises(Failure, match=what) as raised:
            find_runs(tmp_path / place if place else place)
        assert raised.value.exit_code == (66 if place else 2)
    with pytest.raises(LoadError, match="no run is named"):
        find_runs([])


def test_a_column_of_words_is_left_out(tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", [])
    (path / "progress.csv").write_text("iteration,total_steps,phase\n1,2,walk\n2,4,\n3,6,run\n")
    assert list(find_runs(path)[0].columns) == ["iteration", "total_steps"]
