"""Checkpoint folders: whole or absent, checked before they are used, and unable to run code."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.failures import LoadError, WriteError
from baselines_ppo.common.files import checkpoint

ARRAYS = {
    "parameters": np.linspace(0, 1, 1000, dtype=np.float32),
    "scalar": np.array(3),
    "empty": np.zeros((0, 4)),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "flags": np.array([True, False]),
}


def save(folder: Path, iteration: int = 1, **manifest: object) -> Path:
    return checkpoint.save(folder, f"ckpt-{iteration:08d}", {"iteration": iteration, **manifest}, ARRAYS)


def test_arrays_and_manifest_come_back_as_they_were(tmp_path: Path) -> None:
    loaded = checkpoint.load(save(tmp_path, mean_return=0.1 + 0.2))
    assert loaded.manifest["mean_return"] == 0.1 + 0.2
    assert set(loaded.arrays) == set(ARRAYS)
    for name, x in ARRAYS.items():
        assert (loaded.arrays[name].shape, loaded.arrays[name].dtype) == (x.shape, x.dtype)
        np.testing.assert_array_equal(loaded.arrays[name], x)


@pytest.mark.parametrize("name", ["manifest.json", "arrays.npz"])
def test_any_flipped_byte_is_noticed(name: str, tmp_path: Path) -> None:
    path = save(tmp_path)
    data = (path / name).read_bytes()
    for place in np.random.default_rng(0).choice(len(data), 60, replace=False):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(place) % 8
        (path / name).write_bytes(flipped)
        try:
            loaded = checkpoint.load(path)
        except LoadError:
            continue
        (path / name).write_bytes(data)  # harmless only where JSON does not care, such as between spaces
        assert name == "manifest.json"
        assert loaded.manifest == checkpoint.load(path).manifest


def truncate(path: Path) -> None:
    data = (path / "arrays.npz").read_bytes()
    (path / "arrays.npz").write_bytes(data[: len(data) // 2])


def empty(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()


DAMAGES = [truncate, empty, lambda path: (path / "arrays.npz").unlink(), lambda path: (path / "manifest.json").unlink()]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_skipped_by_name_for_an_older_one(damage: object, tmp_path: Path) -> None:
    for iteration in (1, 2):
        save(tmp_path / "checkpoints", iteration)
    damage(tmp_path / "checkpoints" / "ckpt-00000002")  # type: ignore[operator]
    found, skipped = checkpoint.find(tmp_path)
    assert found.manifest["iteration"] == 1
    assert len(skipped) == 1
    assert "ckpt-00000002" in skipped[0]
    damage(tmp_path / "checkpoints" / "ckpt-00000001")  # type: ignore[operator]
    with pytest.raises(LoadError, match="no usable checkpoint"):
        checkpoint.find(tmp_path)


def test_a_run_folder_may_be_called_like_a_checkpoint(tmp_path: Path) -> None:
    for name in ("ckpt-mine", "ckpt-00000007"):
        save(tmp_path / name / "checkpoints")
        assert checkpoint.find(tmp_path / name)[0].manifest["iteration"] == 1


def test_no_manifest_is_written_that_would_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="too many to read"):
        save(tmp_path, notes=["x" * 1000] * 1000)
    assert [*tmp_path.iterdir()] == []


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 3)
    path = save(tmp_path)
    monkeypatch.undo()
    with pytest.raises(LoadError, match=r"format 3 is newer than this version reads \(<= 1\)"):
        checkpoint.load(path)


def test_the_last_three_and_the_best_are_kept(tmp_path: Path) -> None:
    for iteration, mean_return in enumerate([None, 5.0, 9.0, 1.0, 2.0, 3.0, 4.0]):
        save(tmp_path, iteration, mean_return=mean_return)
        checkpoint.retain(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"ckpt-{k:08d}" for k in (2, 4, 5, 6)]


def run_of(folder: Path, *returns: float | None) -> Path:
    """Return a run folder whose checkpoints have these mean returns."""
    for iteration, mean_return in enumerate(returns, 1):
        save(folder / "checkpoints", iteration, mean_return=mean_return)
    return folder


def number(typed: str | Path) -> int:
    return int(checkpoint.find(typed)[0].manifest["iteration"])


def test_the_best_and_the_last_checkpoint_of_a_run_go_by_name(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", None, 3.0, 9.0, -1.0, 9.0, 4.0)
    assert [number(f"{run}{ending}") for ending in (":best", ":last", "")] == [3, 6, 6]
    assert number(f"{run}/checkpoints:best") == 3
    checkpoint.retain(run / "checkpoints")  # keeps the best
    assert number(f"{run}:best") == 3


def test_the_next_best_stands_for_one_that_is_damaged_which_is_said(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", 3.0, 9.0, 5.0, 1.0)
    for damage in (truncate, empty):
        damage(run / "checkpoints" / "ckpt-00000002")
        found, skipped = checkpoint.find(f"{run}:best")
        assert found.manifest["iteration"] == 3
        assert len(skipped) == 1
        assert "ckpt-00000002" in skipped[0]


def test_a_path_that_ends_like_a_name_is_meant_itself(tmp_path: Path) -> None:
    run_of(tmp_path / "run", 9.0, 1.0)
    run_of(tmp_path / "run:best", 1.0, 2.0, 0.0)
    assert number(tmp_path / "run:best") == 3
    assert number(f"{tmp_path}/run:best:best") == 2


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (":best", "has a mean return, as no episode had ended; take .*:last"),
        (":bets", "run:bets does not exist"),
        ("/checkpoints/ckpt-00000001:best", "is a single checkpoint or agent; leave :best out"),
        ("/nothing:last", "run/nothing does not exist"),
    ],
)
def test_what_has_no_best_is_refused(ending: str, message: str, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", None, None)
    with pytest.raises(LoadError, match=message):
        checkpoint.find(f"{run}{ending}")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_synced", full)
    with pytest.raises(WriteError, match="No space left on device"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt-00000001"]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploded",)


def reseal(path: Path) -> None:
    """Make the checksums right again, as an attacker would."""
    import hashlib

    data = (path / "arrays.npz").read_bytes()
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["arrays.npz"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    del manifest["sha256"]
    manifest["sha256"] = checkpoint.digest(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def member(path: Path, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path / "arrays.npz", "w", compression) as archive:
        archive.writestr(name, data)
    reseal(path)


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_objects_bombs_and_lies_about_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path)
    np.savez(path / "arrays.npz", allow_pickle=True, parameters=np.array([Bomb()], dtype=object))
    reseal(path)
    for damage in (
        lambda: None,
        lambda: member(path, "parameters.npy", pickle.dumps(Bomb())),
        lambda: member(path, "parameters.npy", header("(1000000000000,)")),
        lambda: member(path, "zeros.npy", bytes(10**7), zipfile.ZIP_DEFLATED),
        lambda: member(path, "../evil.txt", b"x"),
    ):
        damage()
        with pytest.raises(LoadError):
            checkpoint.load(path)
    assert not Path("exploded").exists()


def test_links_nan_and_huge_manifests_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path)
    text = (path / "manifest.json").read_text()
    for bad in (text.replace('"iteration": 1', '"iteration": NaN'), " " * 2_000_000 + text, "[" * 100_000, "[]"):
        (path / "manifest.json").write_text(bad)
        with pytest.raises(LoadError):
            checkpoint.load(path)
    (path / "manifest.json").write_text(text)
    (path / "arrays.npz").rename(tmp_path / "elsewhere.npz")
    (path / "arrays.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(LoadError):
        checkpoint.load(path)
