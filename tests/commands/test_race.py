"""Races: who is faster wins, who falls is told, and who cannot take part."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.run import cli
from baselines_ppo.run.agents.racing import racer, run
from baselines_ppo.zoo.race import Race
from baselines_ppo.zoo.scene import CONTROL_STEP
from tests.conftest import Finished
from tests.untrained import untrained

Run = Callable[..., Finished]

HOPPER, CHEETAH, ANT = "zoo:RoboHopper-v1", "zoo:RoboHalfCheetah-v1", "zoo:RoboAnt-v1"
ROW = re.compile(r" +(\d) +(\d)  (\S+) +(-?[\d.]+) m +(-?[\d.]+) m/s(  fell after ([\d.]+) s)?")


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the places of a race: place, lane, name, distance, speed, fall and when."""
    matches = [ROW.fullmatch(line) for line in text.splitlines()]
    return [match.groups(default="") for match in matches if match]


def test_the_fastest_wins_in_any_lane(capsys: pytest.CaptureFixture[str]) -> None:
    expected = ["RoboAnt-v1", "RoboHalfCheetah-v1", "RoboHopper-v1"]
    for lanes in ([HOPPER, CHEETAH, ANT], [ANT, HOPPER, CHEETAH]):
        assert cli.main(["race", *lanes, "--seconds", "8"]) == 0
        table = rows(capsys.readouterr().out)
        assert [row[2] for row in table] == expected
        assert [row[0] for row in table] == ["1", "2", "3"]
        assert [f"zoo:{row[2]}" for row in sorted(table, key=lambda row: row[1])] == lanes
        for *_, distance, speed, fell, _ in table:
            assert not fell
            assert float(speed) == pytest.approx(float(distance) / 8, abs=0.02)
            assert float(distance) > 15


def test_a_race_is_the_same_again_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        cli.main(["race", HOPPER, CHEETAH, "--seconds", "2", "--seed", seed])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


def test_who_falls_is_told_and_the_others_run_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clumsy = untrained(tmp_path, "RoboHumanoid-v1")
    cli.main(["race", str(clumsy), HOPPER, "--seconds", "5"])
    first, second = rows(capsys.readouterr().out)
    assert first[2] == "RoboHopper-v1"
    assert float(first[3]) > 5
    assert not first[5]
    assert second[2] == "RoboHumanoid-v1"
    assert second[5]
    assert 0.1 < float(second[6]) < 3


def test_a_race_is_over_when_all_have_fallen(tmp_path: Path) -> None:
    clumsy = racer(str(untrained(tmp_path, "RoboHumanoid-v1")))
    event, shown = Race([clumsy.robot]), list[int]()
    event.begin(np.random.default_rng(0))
    (result,) = run(event, [clumsy], 2000, shown.append)
    assert result.fell
    assert shown == list(range(len(shown)))
    assert len(shown) == round(result.seconds / CONTROL_STEP) + 2 < 200  # the start, and the fall


def test_a_film_of_a_race_shows_all_of_it(trainer: Run, tmp_path: Path) -> None:
    """Run in a process of its own, which has not loaded TensorFlow."""
    out = tmp_path / "race.mp4"
    size = ("--width", 320, "--height", 240, "--fps", 10)
    finished = trainer(1, "race", HOPPER, CHEETAH, "--seconds", 1, "--out", out, *size)
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)) == 2
    frames = iio.imread(out).astype(np.int64)
    assert frames.shape == (11, 240, 320, 3)
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 0.3
    for frame in frames:
        assert ink(frame[:60, :160]) > 50  # who leads
        assert robots(frame[60:]) > 200


def ink(picture: np.ndarray) -> int:
    return int((picture.max(axis=2) < 70).sum())


def robots(picture: np.ndarray) -> int:
    """Return how many pixels are red or orange; floor and sky are green and blue."""
    return int((picture[..., 0] > picture[..., 1] + 20).sum())


def test_a_replay_of_a_race_holds_all_its_moments(trainer_here: Run, tmp_path: Path) -> None:
    finished = trainer_here(1, "race", HOPPER, CHEETAH, "--seconds", 2, "--out", tmp_path / "race.html", "--fps", 20)
    assert finished.returncode == 0, finished.stderr
    assert "41 pictures" in finished.stdout
    messages = replayed(tmp_path / "race.html")
    labels = {message["name"]: message["props"]["text"] for message in of(messages, "LabelMessage")}
    assert sorted(labels.values()) == ["1. Hopper  0 m", "2. HalfCheetah  0 m"]
    for message in of(messages, "SceneNodeUpdateMessage"):
        labels[message["name"]] = message["updates"].get("text", labels.get(message["name"]))
    texts = [labels[message["name"]] for message in of(messages, "LabelMessage")]
    assert [text.split()[1] for text in texts] == ["Hopper", "HalfCheetah"]
    places = {row[2]: f"{row[0]}. {row[2][4:-3]}  {float(row[3]):.0f} m" for row in rows(finished.stdout)}
    assert texts == [places["RoboHopper-v1"], places["RoboHalfCheetah-v1"]]
    limits = [message["min_orbit_distance"] for message in of(messages, "SetCameraMinOrbitDistanceMessage")]
    assert len(limits) == 2 * 41
    assert min(limits[::2]) > 2.0  # from where all are seen
    assert max(limits[1::2]) < 0.1  # and then who turns it may come nearer


def of(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == kind]


def replayed(path: Path) -> list[dict[str, Any]]:
    """Return what a replay tells the page that plays it."""
    import base64

    import msgspec
    import zstandard

    found = re.search('__VISER_EMBED_DATA__="([^"]+)"', path.read_text())
    assert found
    data = zstandard.ZstdDecompressor().decompressobj().decompress(base64.b64decode(found[1])[8:])
    length = int.from_bytes(data[:8], "little")
    return [message for _, message in msgspec.msgpack.decode(data[8 : 8 + length])["messages"]]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "RoboPong-v1", "RoboHumanoidFlagrunHarder-v1", "HalfCheetah-v4"])
def test_what_does_not_walk_on_our_floor_is_refused_by_name(env_id: str, tmp_path: Path) -> None:
    agent = untrained(tmp_path, env_id)
    with pytest.raises(UsageError, match=f"{env_id} cannot race: .* is between RoboHopper-v1, .*RoboAtlas"):
        cli.main(["race", HOPPER, str(agent)])


def test_who_sees_through_wrappers_is_refused(tmp_path: Path) -> None:
    agent = untrained(tmp_path, "RoboAnt-v1", ("gymnasium.wrappers:FlattenObservation",))
    with pytest.raises(UsageError, match=r"trained on RoboAnt-v1 through gymnasium.wrappers:FlattenObservation"):
        cli.main(["race", str(agent)])


def test_an_agent_that_does_not_fit_its_robot_is_refused(tmp_path: Path) -> None:
    ant = untrained(tmp_path / "ant", "RoboAnt-v1")
    liar = (tmp_path / "ant").joinpath("RoboHopper-v1")
    renamed(ant, liar, "RoboHopper-v1")
    with pytest.raises(LoadError, match=r"RoboHopper-v1 has here: observation"):
        cli.main(["race", str(liar)])


def test_who_acts_within_other_bounds_is_refused(tmp_path: Path) -> None:
    weak = tmp_path / "weak"
    renamed(untrained(tmp_path / "hopper", "RoboHopper-v1"), weak, "RoboHopper-v1", low=[-0.5] * 3, high=[0.5] * 3)
    with pytest.raises(LoadError, match=r"has here: action bounds -0.5..0.5, here -1..1; give"):
        cli.main(["race", str(weak)])


def test_who_comes_from_a_module_is_refused_without_importing_it(tmp_path: Path) -> None:
    stranger = tmp_path / "of\na stranger"
    renamed(untrained(tmp_path / "hopper", "RoboHopper-v1"), stranger, "elsewhere:RoboHopper-v1")
    with pytest.raises(UsageError, match=r"^of a stranger cannot race: it was trained on elsewhere:RoboHopper-v1, and"):
        cli.main(["race", str(stranger)])


def renamed(agent: Path, folder: Path, env_id: str, **action: object) -> None:
    """Write an agent again that says it is for another environment, or acts otherwise."""
    from baselines_ppo.common.files import checkpoint

    found = checkpoint.load(agent)
    manifest = {key: x for key, x in found.manifest.items() if key not in ("format", "files")} | {"env": env_id}
    manifest["policy"]["action"] |= action
    checkpoint.save(folder.parent, folder.name, manifest, found.arrays)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seconds", "0"), "--seconds is 0, expected more than 0"),
        (("--seconds", "1e308"), r"--seconds is 1e\+308, expected .* at most 1,000,000"),
        (("--seconds", "100", "--out", "race.gif"), "--seconds is 100, and such a file holds 48.8 s"),
        (("--seed", "-1"), "--seed is -1, expected at least 0"),
        (("--out", "race.avi"), r"--out is race.avi, expected a name that ends with .mp4, .gif, .webp, .html"),
    ],
)
def test_wrong_flags_are_told(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cli.main(["race", HOPPER, *arguments])
