"""Demonstrations in a file: what is written is read to the bit, and strangers' files are refused in one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files import demonstrations, npz
from baselines_ppo.common.files.demonstrations import Demonstration, load, save

ABOUT = {"env": "Mine-v0", "wrapper": ["gymnasium.wrappers:TimeAwareObservation"], "env_kwargs": '{"size": 2}'}


def episode(length: int, terminated: bool, rng: np.random.Generator) -> Demonstration:
    seen = {"camera": rng.integers(0, 255, (length + 1, 4, 4, 3), np.uint8), "arm": (rng.normal(size=(length + 1, 2)),)}
    done = (rng.integers(0, 3, length), {"force": rng.normal(size=(length, 2)).astype(np.float32)})
    return Demonstration(seen, done, rng.normal(size=length), terminated)


def written(path: Path) -> list[Demonstration]:
    rng = np.random.default_rng(0)
    episodes = [episode(3, True, rng), episode(1, False, rng), episode(5, False, rng)]
    save(path, episodes, ABOUT)
    return episodes


def leaves(nested: Any) -> list[np.ndarray]:
    if isinstance(nested, dict):
        return [leaf for key in sorted(nested) for leaf in leaves(nested[key])]
    return [leaf for part in nested for leaf in leaves(part)] if isinstance(nested, tuple) else [nested]


def test_episodes_of_nested_spaces_are_read_to_the_bit(tmp_path: Path) -> None:
    episodes = written(tmp_path / "e.npz")
    found = load(tmp_path / "e.npz")
    assert (found.env_id, list(found.wrappers or ()), found.env_kwargs) == (*ABOUT.values(),)
    assert len(found.episodes) == 3
    for one, other in zip(episodes, found.episodes, strict=True):
        assert one.terminated == other.terminated and one.rewards.tobytes() == other.rewards.tobytes()
        for given, read in ((one.observations, other.observations), (one.actions, other.actions)):
            assert type(given) is type(read)
            for a, b in zip(leaves(given), leaves(read), strict=True):
                assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert isinstance(found.episodes[0].observations["arm"], tuple)


def test_numpy_alone_reads_it(tmp_path: Path) -> None:
    written(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert file["rewards"].shape == file["terminations"].shape == (9,)
        assert file["observations/camera"].shape == (12, 4, 4, 3)
        assert np.flatnonzero(file["terminations"] | file["truncations"]).tolist() == [2, 3, 8]
        assert json.loads(file["about"].tobytes())["env"] == "Mine-v0"


def changed(**arrays: Any) -> Callable[[dict[str, np.ndarray]], dict[str, Any]]:
    return lambda found: {name: x for name, x in {**found, **arrays}.items() if x is not None}


def said(**words: Any) -> Callable[[dict[str, np.ndarray]], dict[str, Any]]:
    def change(found: dict[str, np.ndarray]) -> dict[str, Any]:
        about = {**json.loads(found["about"].tobytes()), **words}
        return {**found, "about": np.frombuffer(json.dumps(about).encode(), np.uint8)}

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(rewards=None),
        changed(rewards=np.zeros(8)),
        changed(rewards=np.zeros(9, np.float32)),
        changed(truncations=np.zeros(9, bool)),
        changed(stranger=np.zeros(1)),
        changed(about=None),
        changed(about=np.frombuffer(b"[]", np.uint8)),
        changed(**{"observations/camera": np.zeros((11, 4, 4, 3), np.uint8)}),
        changed(**{"actions/0": np.array(["rm"], object)}),
        said(kind="agent"),
        said(format=2),
        said(parts={}),
        said(parts={"observations": {"camera": 3, "arm": [None]}, "actions": [None, {"force": None}]}),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_in_one_line(
    change: Callable[[dict[str, np.ndarray]], dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "e.npz"
    written(path)
    buffer = io.BytesIO()
    np.savez(buffer, **change(dict(npz.parse(path.read_bytes()))))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(LoadError) as refusal:
        load(path)
    assert "\n" not in str(refusal.value) and "e.npz" in str(refusal.value)


def test_half_a_file_a_link_and_nothing_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "e.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "e.npz").read_bytes()[:-100])
    (tmp_path / "link.npz").symlink_to(tmp_path / "e.npz")
    for name in ("half.npz", "link.npz", "none.npz"):
        with pytest.raises(LoadError, match=name):
            load(tmp_path / name)


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    seen = {"a": {"b": np.zeros((2, 1))}, "a/b": np.zeros((2, 1))}
    twice = Demonstration(seen, np.zeros((1, 1)), np.zeros(1), True)
    with pytest.raises(UsageError, match="observations/a/b"):
        save(tmp_path / "e.npz", [twice], ABOUT)
    assert not list(tmp_path.iterdir())
    assert demonstrations.FORMAT == 1
