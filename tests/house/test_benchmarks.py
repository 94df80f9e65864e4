"""Results: a record says what its run says, and the tables in docs are those of the records."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from baselines_ppo.run.cli import main
from baselines_ppo.state import run_state
from baselines_ppo.state.code import code_digest
from benchmarks import speed, tables
from benchmarks.record import flags_of, record_of
from tests.runs import flags

NEEDED = {
    "flags",
    "env",
    "alg",
    "seed",
    "ranks",
    "steps",
    "episodes",
    "mean_return",
    "std_return",
    "commit",
    "platform",
}


def test_the_page_has_the_table_of_the_records() -> None:
    page = tables.PAGE.read_text("utf-8")
    assert tables.BLOCK.search(page)
    assert tables.written(page) == page
    outside = tables.BLOCK.sub("", page)
    assert "|" not in outside  # no table is typed by hand
    for record in tables.records():
        assert set(record) >= NEEDED
        assert tables.figure(record["mean_return"]) in page


def test_the_page_of_speed_has_the_tables_of_the_records() -> None:
    """If this fails: python -m benchmarks.tables."""
    page = speed.PAGE.read_text("utf-8")
    assert speed.written(page) == page
    shown = {path for _, pattern, _ in speed.BLOCK.findall(page) for path in speed.RECORDS.glob(pattern)}
    assert shown == {*speed.RECORDS.iterdir()}
    outside = speed.BLOCK.sub("", page)
    assert not re.findall(r"\d[\d ]*steps/s|\d+ MB|\d+ microseconds|\d\.\d+ times", outside)


def test_a_record_says_what_the_run_says(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*map(str, flags("CartPole-v1", "ppo2", 3)), "--logdir", str(run)]) == 0
    record = record_of(run, "0123abc")
    with (run / "progress.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert record["mean_return"] == pytest.approx(float(last["episode_return"]), abs=1e-3)
    assert (record["steps"], record["episodes"]) == (int(last["total_steps"]), int(last["episodes_averaged"]))

    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "num_timesteps": 10**9}))
    with pytest.raises(ValueError, match="is not finished: 576 of 1,000,000,000 steps"):
        record_of(run, "0123abc")
    (run / "config.json").write_text(json.dumps({**config, "code": "of another day"}))
    with pytest.raises(ValueError, match="made by other code"):
        record_of(run, "0123abc")


def test_a_run_that_other_code_began_has_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder's `config.json` has the code of its newest start alone; the checkpoint knows of all."""
    run, line = tmp_path / "run", [*map(str, flags("CartPole-v1", "ppo2", 1))]
    with monkeypatch.context() as patched:
        patched.setattr(run_state, "code_digest", lambda: "0123456789ab")
        assert main([*line, "--logdir", str(run)]) == 0
    steps = str(int(line[line.index("--num-timesteps") + 1]) + 1)
    assert main([*line, "--num-timesteps", steps, "--resume", str(run)]) == 0
    assert json.loads((run / "config.json").read_text())["code"] == code_digest()
    with pytest.raises(ValueError, match=r"made by other code \(.*0123456789ab"):
        record_of(run, "0123abc")


def test_seeds_of_one_command_share_a_row() -> None:
    typed = ["--env", "X-v0", "--seed", "3", "--quiet", "--lr=1", "--logdir=there", "--save-interval", "5"]
    assert flags_of(typed) == "--env X-v0 --lr=1"
    common = {"flags": "--env X-v0", "steps": 10_000, "minutes": 2.0, "platform": {"cpu": "one"}}
    rows = tables.table([{**common, "seed": seed, "mean_return": x} for seed, x in ((0, 10.0), (1, 14.0))])
    assert rows.splitlines()[2] == "| `--env X-v0` | 10 000 | 0, 1 | 10, 14 | **12** ± 2.828 | 2.0 | one |"
