"""Checkpoints and agents: a folder with manifest.json and arrays.npz that appears whole or not at all.

Nothing that is loaded can run code: strict JSON, stored npz members of plain numeric arrays, each file checked
against its SHA-256 before it is parsed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import LoadError, WriteError, short
from baselines_ppo.common.files import npz, strict_json
from baselines_ppo.common.files.pretrained import BEST, LAST, located
from baselines_ppo.common.files.whole import open_bytes, quoted

FORMAT = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
LARGEST_MANIFEST, LARGEST_ARRAYS = 10**6, 10**10  # bytes
KEEP_LAST = 3
NAMES = "ckpt-" + "[0-9]" * 8  # of an iteration; a user may keep others beside them


class Checkpoint(NamedTuple):
    """What a checkpoint or agent folder holds."""

    path: Path
    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]


def save(folder: Path, name: str, manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """Write one checkpoint folder/name by a rename from a temporary folder; returns its path.

    Raises:
      WriteError: it could not be written; nothing is left of it.
    """
    final, temporary = folder / name, folder / f".tmp-{name}-{os.getpid()}"
    buffer = io.BytesIO()
    contiguous: dict[str, Any] = {key: np.ascontiguousarray(x).reshape(np.shape(x)) for key, x in arrays.items()}
    np.savez(buffer, **contiguous)
    data = buffer.getvalue()
    files = {ARRAYS: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    content = {"format": FORMAT, **manifest, "files": files}
    text = json.dumps({**content, "sha256": digest(content)}, indent=1, allow_nan=False)
    if len(text) > LARGEST_MANIFEST:
        raise WriteError(
            f"checkpoint {final} not written: its {MANIFEST} would have {len(text):,} bytes, too many to read"
        )
    try:
        temporary.mkdir(parents=True)
        _write_synced(temporary / ARRAYS, data)
        _write_synced(temporary / MANIFEST, text.encode())
        _sync_folder(temporary)
        put(temporary, final)  # in place of a damaged one of the same name: a valid one would have been continued from
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)  # it would keep a full disk full
        raise WriteError(f"checkpoint {final} not written: {error.strerror or error}") from error
    return final


def put(new: Path, final: Path) -> None:
    """Give a complete folder its name; one that has it is deleted.

    Raises:
      OSError: it cannot be done.
    """
    if final.exists():
        delete(final)
    new.rename(final)
    _sync_folder(final.parent)


def load(path: Path) -> Checkpoint:
    """Read one checkpoint or agent folder.

    Raises:
      LoadError: it is missing, damaged, or of a newer format.
    """
    manifest = read_manifest(path)
    try:
        data = read_regular(path / ARRAYS, LARGEST_ARRAYS)
        expected = manifest["files"][ARRAYS]
        if len(data) != expected["bytes"] or hashlib.sha256(data).hexdigest() != expected["sha256"]:
            raise LoadError(f"{path}: {ARRAYS} is damaged (checksum)")
        return Checkpoint(path, manifest, dict(npz.parse(data)))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise LoadError(f"{path}: {ARRAYS} cannot be read: {short(error)}") from None


def find(typed: str | Path, unsaid: str = LAST) -> tuple[Checkpoint, list[str]]:
    """Return the valid checkpoint at what a user typed, and why others that were meant first were skipped.

    Args:
      typed: a run folder, its checkpoints folder, a single checkpoint or agent folder, or a pretrained agent's name;
        RUN:best is the best checkpoint of a run, see `_scores`, RUN:last the newest.
      unsaid: which one is meant where the user does not say.

    Raises:
      LoadError: there is none.
    """
    path, choice = located(typed)
    if (path / MANIFEST).exists() or (fnmatch(path.name, NAMES) and not (path / "checkpoints").is_dir()):
        if choice is not None:
            raise LoadError(f"{path} is a single checkpoint or agent; leave :{choice} out, which is of a run's")
        return load(path), []
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    candidates, skipped = sorted(folder.glob(NAMES), reverse=True), list[str]()
    if (choice or unsaid) == BEST and candidates:
        returns = _scores(candidates, skipped)
        candidates = sorted(returns, key=lambda candidate: (-returns[candidate], candidate))
        if not candidates and not skipped:
            raise LoadError(
                f"no checkpoint in {path} has a mean return, as no episode had ended; take {quoted(path)}:{LAST}"
            )
    for candidate in candidates:
        try:
            return load(candidate), skipped
        except LoadError as error:
            skipped.append(str(error))
    cure = "; an agent is made of demonstrations by `clone`" if path.suffix == ".npz" else ""
    reasons = "; ".join(skipped) or f"it holds none{cure}"
    raise LoadError(f"no usable checkpoint in {path}: {reasons}")


def retain(folder: Path) -> None:
    """Delete all checkpoints but the last three and the best, see `_scores`."""
    kept = sorted(folder.glob(NAMES))
    returns = _scores(kept, [])
    best = max(returns, key=lambda path: returns[path]) if returns else None
    for path in kept[:-KEEP_LAST]:
        if path != best:
            delete(path)


def _scores(paths: list[Path], skipped: list[str]) -> dict[Path, float]:
    """Return by which return each is judged: of its evaluation, or where none of them was evaluated of its training.

    Those that have no such return are left out.

    Args:
      skipped: is added to, why others cannot be read.
    """
    evaluated: dict[Path, float] = {}
    trained: dict[Path, float] = {}
    for path in paths:
        try:
            manifest = read_manifest(path)
        except LoadError as error:
            skipped.append(str(error))
            continue
        for name, returns in (("eval_return", evaluated), ("mean_return", trained)):
            if isinstance(manifest.get(name), int | float):
                returns[path] = manifest[name]
    return evaluated or trained


def set_aside(folder: Path, after: int) -> None:
    """Rename the checkpoints after an iteration to bad-ckpt-...; going on from that one writes them anew."""
    for path in folder.glob(NAMES):
        if int(path.name.removeprefix("ckpt-")) > after:
            shutil.rmtree(path.with_name(f"bad-{path.name}"), ignore_errors=True)
            path.rename(path.with_name(f"bad-{path.name}"))


def sweep(folder: Path) -> None:
    """Remove what an interrupted save or deletion left behind."""
    for pattern in (".tmp-*", ".del-*"):
        for path in folder.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)


def delete(path: Path) -> None:
    """Delete a checkpoint or an agent; by a rename first, so that half of one is never taken for whole."""
    doomed = path.with_name(f".del-{path.name}-{os.getpid()}")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a checkpoint or agent folder.

    Raises:
      LoadError: it is missing, damaged, or of a newer format.
    """
    try:
        manifest = read_json(path / MANIFEST, LARGEST_MANIFEST)
    except FileNotFoundError:
        raise LoadError(f"{path}: no {MANIFEST}; not a checkpoint or agent folder, or an incomplete one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: {MANIFEST} cannot be read: {short(error)}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise LoadError(f"{path}: {MANIFEST} has no format number")
    if manifest["format"] > FORMAT:
        raise LoadError(f"{path}: format {manifest['format']} is newer than this version reads (<= {FORMAT})")
    if manifest.pop("sha256", None) != digest(manifest):
        raise LoadError(f"{path}: {MANIFEST} is damaged (checksum)")
    return manifest


def digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, whatever its layout; JSON keeps every float exactly."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_json(path: Path, largest: int) -> Any:
    """Return what a file of strict JSON holds, which may come from a stranger: finite numbers, each name once.

    Args:
      largest: number of bytes.

    Raises:
      OSError, ValueError, RecursionError: it is no such file.
    """
    return strict_json.parsed(read_regular(path, largest).decode())


def read_regular(path: Path, largest: int) -> bytes:
    """Return the bytes of a regular file, following no symbolic link.

    Raises:
      OSError, ValueError: it is no such file, or has more bytes than `largest`.
    """
    with open_bytes(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > largest:
            raise ValueError(f"{path.name} is no regular file of at most {largest} bytes")
        return file.read()


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
