"""Results: a record says what its run says, and the tables in docs are those of the records."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure
from baselines_ppo.experiments.curves import Curve
from baselines_ppo.run.cli import main
from baselines_ppo.settings.config import TrainConfig, to_json
from baselines_ppo.state import run_state
from baselines_ppo.state.code import code_digest
from benchmarks import figures, speed, tables
from benchmarks.bars import Bar, bars_of, read_bars
from benchmarks.record import MOST_POINTS, curve_digest, is_recorded, place_of, record_of, thinned, written
from benchmarks.record import main as record_main
from benchmarks.rerun import compare, flat, in_words, rerun, trained_with
from benchmarks.rerun import main as rerun_main
from benchmarks.rows import MEASURES, ROOT, Row, read_row, read_rows, row_name
from tests.runs import flags


def record(seed: int, **returns: float) -> dict[str, Any]:
    """Return a record of a run that nobody made; each measure is 10 where it is not given."""
    return {
        "row": "X-v0-ppo2-1m", "env": "X-v0", "alg": "ppo2", "seed": seed, "ranks": 1, "code": "c", "minutes": 2.0,
        "began": "2026-01-02T03", "platform": {"cpu": "one", "blas": "k"}, "steps_per_second": 9,
        "settings": {"env": "X-v0", "alg": "ppo2", "seed": seed, "num_timesteps": 10**6, "rollout": {"gamma": 0.9}},
        **{measure: {"mean": returns.get(measure, 10.0)} for measure in MEASURES},
        "curve": {"steps": [0, 9], "returns": [0.0, 1.0]},
    }  # fmt: skip


def test_the_pages_have_the_tables_of_the_records() -> None:
    """If this fails: python -m benchmarks.tables."""
    rows = read_rows()
    for path, blocks in ((tables.PAGE, 5), (tables.README, 1)):
        page = path.read_text("utf-8")
        assert len(tables.BLOCK.findall(page)) == blocks
        assert tables.written(page, rows) == page
    outside = tables.BLOCK.sub("", tables.PAGE.read_text("utf-8"))
    assert "|" not in re.sub(r"\| Column \|.*?\n\n", "", outside, flags=re.DOTALL)  # no figures are typed by hand
    shown = {figures.file_of(name) for name in figures.grouped(rows)}
    assert {path.name for path in figures.FOLDER.glob("benchmark-*")} == shown


def test_the_page_of_speed_has_the_tables_of_the_records() -> None:
    """If this fails: python -m benchmarks.tables."""
    page = speed.PAGE.read_text("utf-8")
    assert speed.written(page) == page
    shown = {path for _, pattern, _ in speed.BLOCK.findall(page) for path in speed.RECORDS.glob(pattern)}
    assert shown == {*speed.RECORDS.iterdir()}
    outside = speed.BLOCK.sub("", page)
    assert not re.findall(r"\d[\d ]*steps/s|\d+ MB|\d+ microseconds|\d\.\d+ times", outside)


def test_a_record_says_what_the_run_says_and_its_row_can_be_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, records = tmp_path / "run", tmp_path / "records"
    assert main([*map(str, flags("CartPole-v1", "ppo2", 3)), "--logdir", str(run)]) == 0
    made = record_of(run, "0123abc", episodes=3)
    with (run / "progress.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert made["training"]["mean"] == pytest.approx(float(last["episode_return"]), abs=1e-3)
    assert (made["steps"], made["training"]["episodes"]) == (int(last["total_steps"]), int(last["episodes_averaged"]))
    assert made["curve"]["returns"][-1] == float(last["episode_return"])
    assert made["settings"]["rollout"]["num_envs"] == 6

    capsys.readouterr()
    assert main(["evaluate", str(run), "--episodes", "3", "--seed", str(made["evaluation"]["seed"])]) == 0
    said = {line.split()[0]: float(line.split()[1]) for line in capsys.readouterr().out.splitlines()[2:]}
    assert said == {mode: round(made[mode]["mean"], 2) for mode in ("deterministic", "stochastic")}

    place = place_of(made, records)
    place.parent.mkdir(parents=True)
    place.write_text(written(made), "utf-8")
    assert json.loads(place.read_text("utf-8")) == json.loads(json.dumps(made))
    assert [is_recorded(run, episodes, records) for episodes in (3, 4)] == [True, False]
    assert rerun(read_row(made["row"], records), [0], tmp_path / "again") == 0
    assert "seed 0: the same numbers, all 3 points of the curve" in capsys.readouterr().out


def test_a_run_of_other_code_or_unfinished_has_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder's `config.json` has the code of its newest start alone; the checkpoint knows of all."""
    run, line = tmp_path / "run", [*map(str, flags("CartPole-v1", "ppo2", 1))]
    with monkeypatch.context() as patched:
        patched.setattr(run_state, "code_digest", lambda: "0123456789ab")
        assert main([*line, "--logdir", str(run)]) == 0
    steps = str(int(line[line.index("--num-timesteps") + 1]) + 1)
    assert main([*line, "--num-timesteps", steps, "--resume", str(run)]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config["code"] == code_digest()
    with pytest.raises(ValueError, match=r"made by other code \(.*0123456789ab"):
        record_of(run, "0123abc")
    monkeypatch.setattr("benchmarks.record.codes_of", lambda lineage, facts: {code_digest()})
    (run / "config.json").write_text(json.dumps({**config, "num_timesteps": 10**9}))
    with pytest.raises(ValueError, match="is not finished: 384 of 1,000,000,000 steps"):
        record_of(run, "0123abc")
    assert main([*line, "--load-path", str(run), "--logdir", str(tmp_path / "warm")]) == 0
    with pytest.raises(ValueError, match="began with an agent"):
        record_of(tmp_path / "warm", "0123abc")


def test_a_row_is_the_mean_over_its_seeds_and_says_where_it_is_below() -> None:
    row = Row("X-v0-ppo2-1m", [record(0, deterministic=8.0), record(1, deterministic=16.0)])
    mean, low, high = row.estimate("deterministic")
    assert (mean, low < 12 < high) == (12.0, True)
    assert "| **2 of 5** | 10 [10, 10] | 12 [" in tables.benchmark([row]).splitlines()[2]
    assert "0: 10 / 8 / 10; 1: 10 / 16 / 10 | 100% | 2 | 9 | 1 | one, k | 2026-01-02 | `c` |" in tables.seeds([row])
    figure = {"return": 11, "who": "A", "steps": 5, "by": "training"}
    entry = {"env": ["X-v0"], "steps": 10**6, "mean": figure}
    bars = bars_of(row, [{**entry, "alg": "trpo"}, {**entry, "run": {**figure, "by": "deterministic"}}])
    assert bars.mean == Bar(11.0, "A", None, 5, "training", "")
    assert [bar is not None and bar.reached(row) for bar in bars] == [False, True]
    assert tables.compared(row, bars) == "**below the mean**"


def test_what_was_learned_and_lost_again_is_not_kept() -> None:
    curves = {0: [-20.0, -10.0, 0.0], 1: [-20.0, 0.0, -5.0], 2: [3.0, 2.0]}
    records = [{**record(seed), "curve": {"returns": returns}} for seed, returns in curves.items()]
    assert Row("X", records).kept() == [1.0, 0.75, 1.0]  # the last has learned nothing
    assert "| 75% |" in tables.seeds([Row("X-v0-ppo2-1m", records)])


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (configure("ale_py:ALE/Pong-v5", num_timesteps=10_000_000), "ALE-Pong-v5-ppo2-10m"),
        (configure("Pendulum-v1"), "Pendulum-v1-ppo2-100k"),
        (configure("HalfCheetah-v4", preset="none"), "HalfCheetah-v4-ppo2-textbook-1m"),
        (configure("HalfCheetah-v4", alg="trpo"), "HalfCheetah-v4-trpo-1m"),  # the textbook's are its own
    ],
)
def test_a_row_is_called_by_what_was_trained(config: TrainConfig, name: str) -> None:
    assert row_name(config) == name


def test_a_row_of_the_textbook_has_public_figures_of_its_own() -> None:
    entries = [{"env": ["X-v0"], "steps": 10**6, "mean": {"return": x, "who": "A", "steps": 5, "by": "training"}, **of}
               for x, of in ((1, {}), (2, {"textbook": True}))]  # fmt: skip
    rows = [Row(name, [record(0)]) for name in ("X-v0-ppo2-1m", "X-v0-ppo2-textbook-1m")]
    assert [bar.value for row in rows if (bar := bars_of(row, entries).mean)] == [1, 2]
    assert "| X-v0 | ppo2, textbook | 1 M |" in tables.benchmark(rows)


@pytest.mark.parametrize(("gamma", "said"), [(0.99, "ppo2"), (0.98, "ppo2, earlier preset")])
def test_a_row_says_where_the_preset_has_changed_since(gamma: float, said: str) -> None:
    """HalfCheetah's has 0.99; all that a record does not have is as it was before there was such a setting."""
    settings = json.loads(json.dumps(to_json(configure("HalfCheetah-v4", gamma=gamma))))
    del settings["rollout"]["noise_correlation"]
    assert Row("X", [{**record(0), "env": "HalfCheetah-v4", "settings": settings}]).learner == said


def test_new_seeds_are_expected_where_the_spread_of_those_of_the_record_puts_them() -> None:
    """For 1, 2, 3 by hand: 2 +- t s sqrt(1/3 + 1/k), with s = 1 and t = 4.3027 of two degrees of freedom."""
    row = Row("X-v0-ppo2-1m", [record(seed, training=1.0 + seed) for seed in range(3)])
    for count, half in ((1, 4.9683), (3, 3.5131)):
        assert row.prediction(count) == pytest.approx((2 - half, 2 + half), abs=1e-4)
    drawn = np.random.default_rng(0).normal(size=(2000, 6))
    inside = 0
    for *before, new in drawn:
        low, high = Row("X", [record(k, training=x) for k, x in enumerate(before)]).prediction(1)
        inside += low <= new <= high
    assert inside / len(drawn) == pytest.approx(0.95, abs=0.015)


def test_what_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seeds, message in (("0-7", "has no record of seed 5"), ("x", "expected whole numbers such as 0-4")):
        assert rerun_main(["CartPole-v1-ppo2-100k", "--seeds", seeds]) == 2
        assert message in capsys.readouterr().err
    assert rerun_main(["Nothing"]) == 66
    assert "there is no row Nothing; there are" in capsys.readouterr().err
    assert record_main([str(tmp_path / "nothing")]) in (2, 66)  # 2 in a checkout with changes
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_panel_has_the_public_figures_of_all_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def row(alg: str) -> Row:
        made, settings = record(0), {**record(0)["settings"], "alg": alg}
        return Row("X", [{**made, "alg": alg, "settings": settings, "curve": {"steps": [0, 9], "returns": [1, 2]}}])

    def entry(value: float, **of: str) -> dict[str, Any]:
        figure = {"return": value, "who": "A", "steps": 5, "by": "training"}
        return {"env": ["X-v0"], "steps": 10**6, "mean": figure, **of}

    drawn: list[Any] = []
    monkeypatch.setattr(figures, "write_figure", lambda figure, path: drawn.append(figure))
    monkeypatch.setattr(figures, "read_bars", lambda: [entry(4, alg="ppo2"), entry(6)])
    figures.draw_group([row("ppo2"), row("trpo"), row("ppo1")], tmp_path / "figure.svg")
    (panel,) = drawn[0].axes
    assert [text.get_text() for text in panel.texts if "mean" in text.get_text()] == ["mean A 4", "mean A 6"]


def test_every_public_figure_has_a_row_that_a_sweep_makes() -> None:
    from baselines_ppo.experiments.sweep import planned

    cases = [case for file in (ROOT / "benchmarks" / "sweeps").glob("*.toml") for case in planned(file, {}).cases]
    made = {(case.config.env.rpartition(":")[2], case.config.num_timesteps) for case in cases}
    for entry in read_bars():
        assert {(env, entry["steps"]) for env in entry["env"]} <= made
        assert {entry[kind]["by"] for kind in ("mean", "run") if kind in entry} <= {*MEASURES}


def test_other_numbers_are_told_from_the_same() -> None:
    curve = Curve(np.array([0.0, 8.0, 16.0]), np.array([1.0, 2.0, 3.0]))
    other = Curve(curve.x, np.array([1.0, 2.0, 3.5]))
    kept = {"curve": thinned(curve), "curve_sha256": curve_digest(curve), "code": "old", "platform": {"cpu": "another"}}
    assert compare(curve, kept) == (True, None, 0.0, 0.0)
    assert compare(other, kept) == (False, 16, 0.5, 0.5)
    words = in_words(other, kept)
    assert "from 16 steps on, by 0.5 at most" in words
    assert f"code {code_digest()} instead of old" in words
    assert flat(record(3)["settings"]) == {"num_timesteps": 10**6, "gamma": 0.9}


def test_a_row_is_made_again_without_what_its_preset_has_got_since() -> None:
    settings = json.loads(json.dumps(to_json(configure("HalfCheetah-v4"))))
    assert settings["algorithm"].pop("recompute_advantages")
    assert trained_with({"settings": settings})["recompute_advantages"] is False


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    points = thinned(Curve(np.arange(1000.0), np.arange(1000.0) / 3))
    assert (points["steps"][0], points["steps"][-1], len(points["steps"])) == (0, 999, MOST_POINTS)
    assert points["returns"] == [step / 3 for step in points["steps"]]
