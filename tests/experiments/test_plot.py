"""Learning curves: what is drawn is what the logs say, and what a reader must know is said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import plot
from baselines_ppo.common.failures import Failure
from baselines_ppo.experiments.curves import curve_of
from baselines_ppo.experiments.runs import find_runs
from baselines_ppo.run.cli import main
from tests.experiments.on_disk import made_run


def curves(figure: Any) -> dict[str, np.ndarray]:
    """Return the points of each curve that has a name, [points, 2]."""
    lines = figure.axes[0].get_lines()
    return {line.get_label(): np.array(line.get_xydata()) for line in lines if line.get_label()[:1] != "_"}


def texts(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(match=lambda part: hasattr(part, "get_text")))


def test_a_curve_is_the_mean_of_its_runs_up_to_the_end_of_the_shortest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their points lie apart; between them each run is a straight line."""
    made_run(tmp_path / "a", [None, 10.0, 20.0, 30.0], seed=0)
    made_run(tmp_path / "b", [40.0, 60.0], seed=1, steps=1500)
    figure = plot(tmp_path)
    np.testing.assert_allclose(curves(figure)["ppo2"], [[2000, (10 + 140 / 3) / 2], [3000, (20 + 60) / 2]])
    axes: Any = figure.axes[0]
    (band,) = axes.collections
    assert np.ptp(band.get_paths()[0].vertices[:, 0]) == 1000
    rest = [np.array(line.get_xydata()) for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert any(np.array_equal(points, [[3000, 20], [4000, 30]]) for points in rest)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "CartPole-v1, ppo2: mean and band end at 3,000 environment steps" in said and "/b, the shortest run" in said
    assert "ppo2 (n = 2)" in texts(figure) and "95 % bootstrap band; no smoothing" in texts(figure)


def test_there_is_no_mean_where_one_run_ends_before_another_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run is drawn by itself. Neither the screen nor the caption speaks of a mean that is drawn."""
    made_run(tmp_path / "a", [10.0, 20.0], seed=0)
    made_run(tmp_path / "b", [None, None, 30.0, 40.0], seed=1)
    figure = plot(tmp_path, x="minutes")  # a row every 36 s
    lines = [np.array(line.get_xydata()) for line in figure.axes[0].get_lines()]
    for points in ([[0.6, 10], [1.2, 20]], [[1.8, 30], [2.4, 40]]):
        assert any(found.shape == (2, 2) and np.allclose(found, points) for found in lines)
    assert figure.axes[0].get_xlabel() == "minutes of training"
    assert re.search("ppo2: there is no mean, because .*/a ends before .*/b begins", capsys.readouterr().err)
    assert "each run by itself, no mean; no smoothing" in texts(figure)


def test_one_run_has_no_band_and_an_unfinished_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path / "a", [10.0, 20.0])
    assert not plot(tmp_path).axes[0].collections
    assert "one run, so there is no band" in capsys.readouterr().err
    path = made_run(tmp_path / "b", [10.0, 20.0], seed=1)
    log = path / "progress.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))
    plot(tmp_path)
    assert "/b, a run that is not finished" in capsys.readouterr().err


def test_a_name_is_drawn_as_it_is(tmp_path: Path) -> None:
    """Dollars would begin a formula, which matplotlib may fail to read."""
    made_run(tmp_path / "a", [10.0, 20.0], env=r"$\frac{a$_b^-v0", wrapper=("$\\alg:_",))
    figure = plot(tmp_path, out=tmp_path / "curves.svg")
    assert r"$\frac{a$_b^-v0" in texts(figure)
    assert (tmp_path / "curves.svg").stat().st_size > 1000


def test_axes_columns_and_smoothing(tmp_path: Path) -> None:
    made_run(tmp_path / "a", [1.0, 2.0, 6.0, 8.0])
    assert curves(plot(tmp_path, x="hours"))["ppo2"][:, 0] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert curves(plot(tmp_path, x="episodes"))["ppo2"][:, 0].tolist() == [60, 120, 180, 240]
    assert curves(plot(tmp_path, x="iteration", y="seconds"))["ppo2"].tolist() == [[k, 36 * k] for k in (1, 2, 3, 4)]
    smooth = plot(tmp_path, smooth=3)
    assert curves(smooth)["ppo2"][:, 1] == pytest.approx([1, 1.5, 3, 16 / 3])
    assert "each point is the mean of 3 values" in texts(smooth)


def test_of_iterations_in_which_no_episode_ended_the_last_counts(tmp_path: Path) -> None:
    log = made_run(tmp_path / "a", [1.0, 2.0, 3.0]) / "progress.csv"
    log.write_text(log.read_text().replace(",120,", ",60,"))
    curve = curve_of(find_runs(tmp_path)[0], x="episodes")
    assert (curve.x.tolist(), curve.y.tolist()) == ([60, 180], [2, 3])


def test_environments_have_panels_and_groups_keep_their_colours(tmp_path: Path) -> None:
    for env in ("CartPole-v1", "Acrobot-v1"):
        for alg in ("ppo2", "trpo") if env == "CartPole-v1" else ("trpo",):
            made_run(tmp_path / f"{env}-{alg}", [-1.0, 5.0], env=env, alg=alg)
    figure = plot(tmp_path)
    assert [axes.get_title() for axes in figure.axes] == ["Acrobot-v1", "CartPole-v1"]
    colours = [{line.get_label(): line.get_color() for line in axes.get_lines()} for axes in figure.axes]
    assert colours[0]["trpo"] == colours[1]["trpo"] != colours[1]["ppo2"]


def levels(figure: Any) -> list[float]:
    """Return where horizontal lines are that go all across."""
    return [float(line.get_ydata()[0]) for line in figure.axes[0].get_lines() if line.get_linestyle() in ("--", ":")]


def test_the_threshold_and_a_random_agent_are_lines(tmp_path: Path) -> None:
    """A pole that is pushed at random falls after 22 steps or so: 22.3 in the mean, with a deviation of 12."""
    made_run(tmp_path / "a", [20.0, 100.0])
    assert levels(plot(tmp_path)) == [475]
    assert levels(plot(tmp_path, threshold=80.0)) == [80]
    assert levels(plot(tmp_path, threshold=None)) == []
    assert levels(plot(tmp_path, y="seconds", random=True)) == []
    figure = plot(tmp_path, random=True)
    threshold, random = levels(figure)
    assert threshold == 475
    assert 22.3 - 4 * 1.2 < random < 22.3 + 4 * 1.2
    assert f"random agent {random:.1f}" in texts(figure)
    assert levels(plot(tmp_path, random=True)) == [475, random]


def test_no_module_that_a_file_names_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "strange_envs.py").write_text(f"open({str(tmp_path / 'seen')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    made_run(tmp_path / "a", [1.0, 2.0], env="strange_envs:Strange-v0")
    assert list(curves(plot(tmp_path, random=True))) == ["ppo2"]
    assert "no random agent is drawn; its environment strange_envs:Strange-v0" in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()


def test_the_command_writes_png_svg_and_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path / "a", [1.0, 2.0])
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for kind, begin in begins.items():
        out = tmp_path / f"curves.{kind}"
        assert main(["plot", str(tmp_path / "a"), "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"wrote {out}\n"
        assert out.read_bytes().startswith(begin)
        before = out.read_bytes()
        plot(tmp_path / "a", out)
        assert out.read_bytes() == before  # the same runs give the same file
    ElementTree.parse(tmp_path / "curves.svg")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ((), 2, "the following arguments are required: runs"),
        (("nowhere",), 66, "there is no nowhere"),
        (("a", "--y", "episode_retrun"), 2, r"--y is episode_retrun, .* \(did you mean episode_return"),
        (("a", "--x", "step"), 2, r"--x is step, .* \(did you mean steps\?\)"),
        (("a", "--by", "algo"), 2, r"\(did you mean alg\?\)"),
        (("a", "--out", "x.jpg"), 2, r"--out is x.jpg .*, expected a name that ends with .png, .svg, .pdf"),
        (("a", "--out", "nowhere/x.png"), 2, "no file can be written there"),
        (("a", "--smooth", "0"), 2, "--smooth is 0"),
        (("a", "--threshold", "high"), 2, "--threshold: invalid number value: 'high'"),
        (("none",), 2, "no log of these runs has a value of episode_return yet"),
        (("back",), 66, "progress.csv: total_steps falls in row 3; mend it"),
    ],
)
def test_wrong_words_are_answered_in_one_line(
    words: tuple[str, ...], code: int, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made_run(tmp_path / "a", [1.0, 2.0])
    made_run(tmp_path / "none", [None, None])
    log: Any = made_run(tmp_path / "back", [1.0, 2.0, 3.0]) / "progress.csv"
    log.write_text(log.read_text().replace("3,3000", "3,1500"))
    with pytest.raises(Failure, match=what) as raised:
        main(["plot", *words])
    assert raised.value.exit_code == code and "\n" not in str(raised.value)
    assert not list(tmp_path.glob("*.png"))
