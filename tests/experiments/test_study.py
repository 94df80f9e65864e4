"""The trials of a study: counted once over kills and hosts, never lost, refused where they are of another search."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.experiments.tuning import study as studies
from baselines_ppo.experiments.tuning.study import SEEN, WORST, Trials, explained, open_study, rungs
from baselines_ppo.settings.search_spaces import Choice, LogUniform

SPACE = (LogUniform("learning_rate", 1e-5, 1e-1), Choice("num_epochs", 1, 2, 4, 8), Choice("activation", "tanh", "elu"))
FIRST = {"learning_rate": 3e-4, "num_epochs": 2, "activation": "elu"}  # 4 epochs: the third of the choices
STEPS = 1000


def host(folder: Path, name: str = "here", wanted: int = 6, sampler: str = "tpe", pruner: str = "median") -> Trials:
    """Return the trials of a study as a process sees them that has just been started on a host."""
    study = open_study(f"sqlite:///{folder}/study.db", "study", sampler, pruner, STEPS, [0])
    trials = Trials(study, wanted, name)
    trials.begin({"env": "Pendulum-v1", "num_timesteps": STEPS}, FIRST)
    return trials


def taken(trials: Trials) -> tuple[Any, dict[str, Any]]:
    found = trials.next(SPACE)
    assert found is not None
    return found


def test_the_setting_to_begin_with_is_the_first(tmp_path: Path) -> None:
    trial, setting = taken(host(tmp_path))
    assert (trial.number, setting) == (0, {"learning_rate": 3e-4, "num_epochs": 4, "activation": "elu"})


def test_after_a_kill_a_trial_keeps_its_number_and_setting_and_is_counted_once(tmp_path: Path) -> None:
    before = host(tmp_path)
    ended, _ = taken(before)
    before.end(ended, -5.0)
    trial, setting = taken(before)
    after = host(tmp_path)  # of `before` nothing more is heard
    again, same = taken(after)
    assert (again.number, same) == (trial.number, setting) == (1, setting)
    after.end(again, -3.0)
    for _ in range(4):
        after.end(taken(after)[0], None)
    assert after.next(SPACE) is None
    assert [(made.number, made.value) for made in after.made()][:2] == [(0, -5.0), (1, -3.0)]
    assert len(after.made()) == len(after.study.trials) == 6


def test_with_fewer_trials_those_that_have_ended_stay(tmp_path: Path) -> None:
    before = host(tmp_path, wanted=4)
    for score in (1.0, 2.0, 3.0):
        before.end(taken(before)[0], score)
    under_way = taken(before)[0]
    after = host(tmp_path, wanted=1)
    assert [made.value for made in after.made()] == [1.0, 2.0, 3.0]
    assert (taken(after)[0].number, after.wanted, after.next(SPACE)) == (under_way.number, 4, None)


def test_a_kill_before_a_trial_has_drawn_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host(tmp_path)
    before.study.ask()
    after = host(tmp_path)
    assert taken(after)[0].number == 1  # whoever has begun the other may be about to say so
    monkeypatch.setattr(studies, "YOUNG", 0.0)
    trial, setting = taken(after)
    assert trial.number == 0 and setting["learning_rate"] == 3e-4


def test_two_hosts_share_the_trials_and_take_over_those_of_one_that_is_gone(tmp_path: Path) -> None:
    one, other = host(tmp_path, "one", 3), host(tmp_path, "other", 3)
    numbers = [taken(trials)[0].number for trials in (one, other, one)]
    assert sorted(numbers) == [0, 1, 2]
    assert one.next(SPACE) is None and other.next(SPACE) is None
    assert (one.elsewhere, other.elsewhere) == ({"other"}, {"one"})
    mine = other._mine[1]
    for frozen in one.counted():
        if frozen.user_attrs["host"] == "one":
            one.study._storage.set_trial_user_attr(frozen._trial_id, SEEN, time.time() - 3600)
    over = [taken(other)[0] for _ in range(2)]
    assert sorted(trial.number for trial in over) == [0, 2]
    for trial in (mine, *over):
        other.end(trial, -1.0)
    assert other.elsewhere == set()
    assert [frozen.value for frozen in other.made()] == [-1.0] * 3


def test_of_two_hosts_that_begin_the_last_trial_at_once_one_gives_it_back(tmp_path: Path) -> None:
    late, early = host(tmp_path, "late", 1), host(tmp_path, "early", 1)
    answers = iter([list[optuna.trial.FrozenTrial]()])  # what it knew before `early` came, once
    late.counted = lambda: next(answers, early.counted())  # type: ignore[method-assign]
    first = taken(early)[0]
    assert late.next(SPACE) is None
    assert [trial.state for trial in late.study.trials] == [TrialState.RUNNING, TrialState.FAIL]
    early.end(first, 1.0)
    assert [frozen.number for frozen in host(tmp_path, "third", 1).made()] == [0]


def test_another_search_in_the_same_study_is_refused_by_what_differs(tmp_path: Path) -> None:
    trials = host(tmp_path)
    with pytest.raises(UsageError, match="num_timesteps 1000 -> 2000; give another --study"):
        trials.begin({"env": "Pendulum-v1", "num_timesteps": 2000}, FIRST)
    url = f"sqlite:///{tmp_path}/others.db"
    foreign = optuna.create_study(storage=url, study_name="study")
    foreign.tell(foreign.ask(), 1.0)
    with pytest.raises(UsageError, match="study study is not one of tune"):
        Trials(foreign, 3, "here").begin({}, FIRST)


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("study.db", UsageError, "study.db is no database, expected a URL such as sqlite:///study.db"),
        (
            "postgresql://me:secret@nowhere/x",
            UsageError,
            r"postgresql://me:\*\*\*@nowhere/x needs psycopg",
        ),
        ("sqlite:////no/such/folder/study.db", LoadError, "cannot be used: unable to open database file"),
        ("sqlite:///{folder}/damaged.db", LoadError, "cannot be used: file is not a database"),
    ],
)
def test_a_storage_that_is_none_is_named_in_one_line(url: str, kind: type, message: str, tmp_path: Path) -> None:
    (tmp_path / "damaged.db").write_bytes(b"no database" * 1000)
    with pytest.raises(kind, match=message) as raised:
        open_study(url.format(folder=tmp_path), "study", "tpe", "median", STEPS, [0])
    assert "\n" not in str(raised.value) and "secret" not in str(raised.value)


def test_a_locked_storage_is_waited_for_then_named_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "LOCKED", 0.1)
    trials = host(tmp_path)
    trial, _ = taken(trials)
    url = f"sqlite:///{tmp_path}/study.db"
    with sqlite3.connect(tmp_path / "study.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LoadError, match="database is locked; nothing is lost"), explained(url):
            trials.end(trial, -5.0)
        other.rollback()
    assert taken(host(tmp_path))[0].number == trial.number


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "median"),
        pytest.param("cmaes", "hyperband", marks=pytest.mark.slow),
        pytest.param("random", "none", marks=pytest.mark.slow),
    ],
)
def test_samplers_and_pruners_go_well_with_trials_that_fail(sampler: str, pruner: str, tmp_path: Path) -> None:
    """The return rises to -|log10 of the learning rate + 3|; every fourth trial cannot be trained."""
    trials = host(tmp_path, wanted=24, sampler=sampler, pruner=pruner)
    pruned = []
    while (found := trials.next(SPACE)) is not None:
        trial, setting = found
        limit = -abs(len(f"{1 / setting['learning_rate']:.0f}") - 4)  # of decades from 1e-3
        if trial.number % 4 == 3:
            trials.end(trial, WORST)
            continue
        for step in rungs(STEPS):
            if trials.pruned(trial, {step: limit - 1 + step / STEPS}):
                pruned.append(trial.number)
                break
        trials.end(trial, None if trial.number in pruned else float(limit))
    made = trials.made()
    assert len(made) == 24
    assert (len(pruned) == 0) == (pruner == "none")
    assert {frozen.number for frozen in made if frozen.state == TrialState.PRUNED} == {*pruned}
    assert sum(frozen.value == WORST for frozen in made) == 6
    assert max(frozen.value for frozen in made if frozen.value is not None) == 0


def test_tpe_looks_where_returns_are_high(tmp_path: Path) -> None:
    trials = host(tmp_path, wanted=50, pruner="none")
    rates = []
    while (found := trials.next(SPACE)) is not None:
        trial, setting = found
        rates.append(setting["learning_rate"])
        trials.end(trial, -abs(float(f"{setting['learning_rate']:e}".partition("e")[2])))  # the larger, the better
    assert sum(rate > 1e-3 for rate in rates[10:]) > 30  # by chance 20


def test_nothing_is_drawn_again_after_a_restart(tmp_path: Path) -> None:
    rates = set()
    for _ in range(5):
        trials = host(tmp_path)
        trial, setting = taken(trials)
        trials.end(trial, 0.0)
        rates.add(setting["learning_rate"])
    assert len(rates) == 5


def test_returns_are_looked_at_before_the_end_and_at_no_step_twice() -> None:
    assert rungs(1000) == [50 * k for k in range(1, 20)]
    assert rungs(3) == [1, 2]
    assert rungs(1) == []
