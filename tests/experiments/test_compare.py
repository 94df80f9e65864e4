"""Comparisons: figures by hand, the same in every format, and environments apart."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import compare, plot
from baselines_ppo.common.failures import Failure, UsageError
from baselines_ppo.experiments.references import random_return
from baselines_ppo.experiments.runs import find_runs
from baselines_ppo.run.cli import main
from tests.experiments.on_disk import made_run


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Return a folder with runs of two algorithms on CartPole, whose final scores are 1 to 4 and 3 to 5."""
    for seed, score in enumerate((4.0, 1.0, 2.0, 3.0)):
        made_run(tmp_path / f"ppo2-{seed}", [0.0, 500.0, score, None], seed=seed)
    for seed, score in enumerate((3.0, 5.0, 4.0)):
        made_run(tmp_path / f"trpo-{seed}", [480.0, 400.0, 490.0, score], alg="trpo", seed=seed)
    return tmp_path


def test_scores_probabilities_and_times_by_hand(two: Path) -> None:
    """The threshold of CartPole is 475; a mean counts once it is over 100 episodes, which it is from row 2 on."""
    ppo2, trpo = compare(two).rows
    assert (ppo2.env, ppo2.group, ppo2.runs) == ("CartPole-v1", "ppo2", 4)
    assert (ppo2.mean.value, ppo2.median.value, ppo2.iqm.value) == (2.5, 2.5, 2.5)
    assert 1 <= ppo2.mean.low < 2.5 < ppo2.mean.high <= 4
    assert ppo2.improvement is None
    assert trpo.improvement is not None and trpo.improvement.value == (3.5 + 2.5 + 4) / 12  # of 4, 3 and 5
    assert ppo2.passed == (475, 4, 2000, 0.02)
    assert trpo.passed is not None
    assert [*trpo.passed] == pytest.approx([475, 3, 3000, 0.03])
    never = compare(two, threshold=1000.0, over="trpo").rows
    assert [row.passed and row.passed[1:3] for row in never] == [(0, math.inf)] * 2
    assert never[0].improvement is not None and never[0].improvement.value == 2 / 12
    assert compare(two, threshold=None).rows[0].passed is None


def test_every_format_has_the_same_figures(two: Path) -> None:
    compared = compare(two)
    rows = list(csv.DictReader(io.StringIO(compared.csv())))
    assert [row["group"] for row in rows] == ["ppo2", "trpo"]
    for row, found in zip(rows, compared.rows, strict=True):
        assert [float(row[name]) for name in ("mean", "mean_low", "mean_high")] == [*found.mean]
        assert found.passed is not None
        assert (float(row["steps"]), int(row["reached"])) == (found.passed.steps, found.passed.reached)
    assert (rows[0]["improvement"], rows[1]["over"]) == ("", "ppo2")
    table, legend = compared.markdown().split("\n\n")
    header, rule, *lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert {len(header), len(rule)} == {11}
    assert lines[0][:4] == ["CartPole-v1", "ppo2", "4", str(compared.rows[0].mean)]
    assert "95 % bootstrap intervals" in legend
    latex = compared.latex()
    assert latex.count(r"\\") == 3 and r"\bottomrule" in latex
    assert [len(line.split(" & ")) for line in latex.splitlines() if "&" in line] == [11] * 3
    words = [word for word in re.findall(r"\S*[%_#]\S*", latex) if not word.startswith(("%", r"95"))]
    assert all(re.fullmatch(r"([^%_#]|\\[%_#])*", word) for word in words)


def test_groups_with_names_that_a_table_would_obey(tmp_path: Path) -> None:
    made_run(tmp_path / "a", [1.0, 2.0], env_kwargs='{"a": "x|y_z%"}')
    made_run(tmp_path / "b", [1.0, 2.0])
    compared = compare(tmp_path)
    assert r'env_kwargs {"a": "x\|y_z%"} |' in compared.markdown()
    assert r'env\_kwargs \{"a": "x|y\_z\%"\} &' in compared.latex()


def test_environments_are_apart_and_together_only_by_normalised_scores(tmp_path: Path) -> None:
    """A score of the registered threshold is 1, that of a random agent 0."""
    made_run(tmp_path / "a", [475.0, 475.0])
    made_run(tmp_path / "b", [-110.0, -110.0], env="MountainCar-v0")
    random = random_return(find_runs(tmp_path / "a")[0])
    made_run(tmp_path / "c", [random, random], seed=1)
    apart = compare(tmp_path).rows
    assert [row.env for row in apart] == ["CartPole-v1", "MountainCar-v0"]
    *_, together = compare(tmp_path, across=True).rows
    assert (together.env, together.runs) == ("all, normalised", 3)
    assert together.mean.value == pytest.approx(2 / 3)
    made_run(tmp_path / "d", [-500.0, -200.0], env="Pendulum-v1")
    with pytest.raises(Failure, match="Pendulum-v1 has no threshold that is known here"):
        compare(tmp_path, across=True)


def test_a_time_to_the_threshold_is_there_where_more_than_half_passed_it_and_the_log_has_it(tmp_path: Path) -> None:
    for seed, last in enumerate((500.0, 500.0, 9.0, 9.0)):
        made_run(tmp_path / "cart" / str(seed), [1.0, last, last], seed=seed)

    def times(threshold: float) -> list[str]:
        return compare(tmp_path, threshold=threshold).words()[1][0][-3:]

    assert times(400.0) == ["2 of 4", "half did not pass", "half did not pass"]
    assert times(600.0) == ["0 of 4", "not passed", "not passed"]
    assert times(9.0)[:2] == ["4 of 4", "2,000"]
    for log in tmp_path.glob("cart/*/progress.csv"):
        log.write_text(log.read_text().replace("seconds", "moments"))
    assert times(9.0) == ["4 of 4", "2,000", ""]


@pytest.mark.parametrize("draw", [compare, plot])
@pytest.mark.parametrize("threshold", ["abc", math.nan, [3]])
def test_a_threshold_that_is_no_return_is_refused(draw: Any, threshold: Any, tmp_path: Path) -> None:
    made_run(tmp_path / "a", [1.0, 2.0])
    with pytest.raises(UsageError, match=r"--threshold is .*, expected a return, registered or none"):
        draw(tmp_path, threshold=threshold)


def test_a_score_may_be_that_of_the_evaluation(tmp_path: Path) -> None:
    path = made_run(tmp_path / "a", [])
    (path / "progress.csv").write_text("iteration,total_steps,eval_return\n1,10,5.0\n2,20,7.0\n3,30,\n")
    (row,) = compare(tmp_path, score="eval_return").rows
    assert row.passed is not None
    assert (row.mean.value, row.passed.threshold) == (7, 475)
    assert math.isnan(row.mean.low)


def test_a_score_that_is_no_return_is_not_compared_with_the_threshold_of_returns(tmp_path: Path) -> None:
    made_run(tmp_path / "a", [1.0, 500.0])
    (row,) = compare(tmp_path, score="seconds").rows
    assert (row.mean.value, row.passed) == (72, None)
    (row,) = compare(tmp_path, score="seconds", threshold=50.0).rows
    assert row.passed is not None
    assert row.passed.steps == 2000
    with pytest.raises(UsageError, match="--across normalises returns, and --score is seconds"):
        compare(tmp_path, score="seconds", across=True)


def test_the_figure_has_a_bar_for_each_interval(two: Path) -> None:
    compared = compare(two)
    figure: Any = compared.figure(two / "scores.svg")
    assert (two / "scores.svg").stat().st_size > 1000
    bars = [[(bar.get_x(), bar.get_width()) for bar in axes.patches] for axes in figure.axes]
    expected = [(row.mean.low, row.mean.high - row.mean.low) for row in compared.rows]
    np.testing.assert_allclose(bars[0], expected)
    assert [len(bar) for bar in bars] == [2, 2, 2, 1]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["ppo2", "trpo"]


def test_the_command_prints_or_writes_a_table(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(two)]) == 0
    assert capsys.readouterr().out == compare(two).markdown()
    assert main(["compare", str(two), "--format", "latex", "--over", "trpo"]) == 0
    assert capsys.readouterr().out == compare(two, over="trpo").latex()
    out, figure = two / "scores.csv", two / "scores.png"
    assert main(["compare", str(two), "--out", str(out), "--figure", str(figure)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\nwrote {figure}\n"
    assert out.read_text() == compare(two).csv()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--over", "tpro"), r"--over is tpro, which is no group \(did you mean trpo\?\); there are ppo2, trpo"),
        (("--score", "episode_retrun"), r"--score is episode_retrun, .* \(did you mean episode_return"),
        (("--by", "algo"), r"\(did you mean alg\?\)"),
        (("--out", "table.txt"), "expected a name that ends with .md, .csv, .tex"),
        (("--figure", "scores.jpg"), "expected a name that ends with .png, .svg, .pdf"),
    ],
)
def test_wrong_words_are_answered_in_one_line(words: tuple[str, ...], what: str, two: Path) -> None:
    with pytest.raises(Failure, match=what) as raised:
        main(["compare", str(two), *words])
    assert raised.value.exit_code == 2


def test_a_seed_twice_is_told_of_and_a_bar_in_a_name_is_no_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, name in enumerate(("a | b", "a | b", "c")):
        made_run(tmp_path / str(place), [1.0, 2.0], name=name)
    header, rule, *rows = compare(tmp_path, threshold=None).markdown().splitlines()[:4]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in (header, rule, *rows)} == {8}
    assert (
        "CartPole-v1, name a | b: seed 0 is there 2 times, so the interval is too narrow\n" in capsys.readouterr().err
    )
    assert {row["reached"] for row in csv.DictReader(io.StringIO(compare(tmp_path, threshold=None).csv()))} == {""}


def test_groups_do_not_depend_on_runs_without_a_score(tmp_path: Path) -> None:
    for place, gamma in enumerate((0.99, 0.99, 0.9)):
        made_run(tmp_path / str(place), [1.0 if gamma == 0.99 else None], gamma=gamma, seed=place)
    assert [row.group for row in compare(tmp_path).rows] == ["ppo2"]
    legend = plot(tmp_path).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["ppo2 (n = 2)"]


def test_a_wrong_figure_is_refused_before_the_table(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--figure"):
        main(["compare", str(two), "--figure", "scores.jpg"])
    assert capsys.readouterr().out == ""


def test_what_a_reader_must_know_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path / "a", [1.0, 2.0])
    made_run(tmp_path / "b", [1.0, 2.0, 3.0], seed=1)
    made_run(tmp_path / "c", [None, None], seed=2)
    log = made_run(tmp_path / "d", [1.0, 2.0], seed=3) / "progress.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))
    assert compare(tmp_path).rows[0].runs == 3
    said = capsys.readouterr().err.splitlines()
    assert [line.split("/")[-1] for line in said[:2]] == [
        "c is left out: its log has no episode_return",
        "d is not finished: its score is that after 1,000 steps",
    ]
    assert said[2:] == ["CartPole-v1: its runs were trained for 2,000 to 3,000 steps"]
