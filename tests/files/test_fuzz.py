"""Damaged and forged folders: refused in one line, or harmless; never a traceback, code that runs, or other numbers."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.envs.stored import check_stored_id, check_stored_wrappers
from baselines_ppo.common.failures import Failure
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.cli import main
from baselines_ppo.settings.config import from_json
from tests.runs import flags

TIMES = [150, pytest.param(1000, marks=pytest.mark.slow)]
MANIFEST, ARRAYS = checkpoint.MANIFEST, checkpoint.ARRAYS
# What a forger might put in the place of any value.
STRANGE: list[Any] = [
    None, True, -1, 0, 3, 10**30, 1e308, -0.5, "", "x" * 2000, "../../etc/passwd", "evil:Env-v0", "\x1b[2J", [], {},
    [[]], {"kind": "box"}, ["a", 1], [10**9], [0], "mlp", "module:function", "float64", "object",
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small run."""
    run = tmp_path_factory.mktemp("fuzz") / "run"
    assert main([*map(str, flags("Pendulum-v1", "ppo2", 2)), "--logdir", str(run)]) == 0
    return checkpoint.find(run)[0].path


@pytest.fixture(params=["checkpoint", "agent"])
def original(request: pytest.FixtureRequest, saved: Path, tmp_path: Path) -> checkpoint.Checkpoint:
    """A checkpoint, or what an agent folder keeps of it."""
    found = checkpoint.load(saved)
    if request.param == "checkpoint":
        return found
    kept = {name: x for name, x in found.arrays.items() if not name.startswith(("adam", "environments", "window"))}
    manifest = {name: found.manifest[name] for name in ("env", "wrapper", "policy", "clip_observations")}
    return checkpoint.load(checkpoint.save(tmp_path, "an-agent", {**manifest, "kind": "agent"}, kept))


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what could run code fail the test."""

    def never(*arguments: Any, **named: Any) -> Any:
        raise AssertionError(f"code could have run: {arguments}")

    for name in ("loads", "load", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)


@pytest.mark.parametrize("count", TIMES)
def test_damage_is_noticed(count: int, original: checkpoint.Checkpoint, guarded: None, tmp_path: Path) -> None:
    """Bytes flipped, cut off, added and exchanged: what still loads is what it was."""
    rng, files = np.random.default_rng(0), (MANIFEST, ARRAYS)
    whole = {name: (original.path / name).read_bytes() for name in files}
    folder = tmp_path / "damaged"
    folder.mkdir()
    refused = 0
    for _ in range(count):
        data = {name: bytearray(content) for name, content in whole.items()}
        _damage(data[files[rng.integers(2)]], rng)
        for name, content in data.items():
            (folder / name).write_bytes(content)
        try:
            loaded = checkpoint.load(folder)
        except Failure as failure:
            _assert_one_line(failure)
            refused += 1
            continue
        assert loaded.manifest == original.manifest
        assert set(loaded.arrays) == set(original.arrays)
        assert all(loaded.arrays[name].tobytes() == x.tobytes() for name, x in original.arrays.items())
    assert refused > 0.9 * count


@pytest.mark.parametrize("count", TIMES)
def test_forgeries_with_good_checksums_are_refused_or_harmless(
    count: int, original: checkpoint.Checkpoint, guarded: None, tmp_path: Path
) -> None:
    """Values, names, types and members exchanged, and the checksums made right again."""
    rng, refused = np.random.default_rng(1), 0
    for k in range(count):
        manifest = json.loads((original.path / MANIFEST).read_text())
        members = _members((original.path / ARRAYS).read_bytes())
        if rng.random() < 0.6:
            _forge(manifest, rng)
        else:
            _forge_members(members, rng)
        folder = tmp_path / "forged"
        folder.mkdir(exist_ok=True)
        _seal(folder, manifest, members)
        try:
            _use(folder)
        except Failure as failure:
            _assert_one_line(failure)
            refused += 1
        except Exception as error:
            raise AssertionError(f"forgery {k}: {type(error).__name__}: {error}") from error
    assert refused > 0.3 * count


def test_two_members_of_one_name_are_refused(saved: Path, tmp_path: Path) -> None:
    """Which of them counts would depend on who reads."""
    members = _members((saved / ARRAYS).read_bytes())
    other = io.BytesIO()
    np.save(other, np.zeros(3, np.float32))
    _seal(tmp_path, json.loads((saved / MANIFEST).read_text()), [*members, (members[0][0], other.getvalue())])
    with pytest.raises(Failure, match="two members have one name"):
        checkpoint.load(tmp_path)


def test_forged_arrays_do_not_get_into_a_resumed_run(saved: Path, guarded: None, stub: None, tmp_path: Path) -> None:
    """Whatever is exchanged, resuming refuses in one line, or goes on with finite numbers."""
    rng, refused = np.random.default_rng(2), 0
    for k in range(25):
        folder = tmp_path / f"forged-{k}"
        folder.mkdir()
        members = _members((saved / ARRAYS).read_bytes())
        _forge_members(members, rng)
        _seal(folder, json.loads((saved / MANIFEST).read_text()), members)
        run = tmp_path / f"run-{k}"
        try:
            assert main(["--resume", str(folder), "--logdir", str(run), "--num-timesteps", "576"]) == 0
        except Failure as failure:
            _assert_one_line(failure)
            refused += 1
        else:
            assert all(np.isfinite(x).all() for x in checkpoint.find(run)[0].arrays.values())
    assert refused > 10


def _damage(data: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(data)))
    kinds: list[Callable[[], Any]] = [
        lambda: data.__setitem__(place, data[place] ^ (1 << int(rng.integers(8)))),
        lambda: data.__delitem__(slice(place, None)),
        lambda: data.__delitem__(slice(place, place + int(rng.integers(1, 50)))),
        lambda: data.__setitem__(slice(place, place), rng.bytes(int(rng.integers(1, 50)))),
        lambda: data.extend(rng.bytes(10)),
        lambda: data.clear(),
        lambda: data.__setitem__(slice(place, place + 8), rng.bytes(8)),
    ]
    kinds[rng.integers(len(kinds))]()


def _forge(node: Any, rng: np.random.Generator) -> None:
    """Exchange, remove or add a value somewhere in a manifest."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = keys[rng.integers(len(keys))]
        child = node[key]
        if isinstance(child, dict | list) and child and rng.random() < 0.7:
            node = child
            continue
        if isinstance(node, dict) and rng.random() < 0.2:
            del node[key]
        elif isinstance(node, dict) and rng.random() < 0.1:
            node["new"] = node.pop(key)
        else:
            node[key] = STRANGE[rng.integers(len(STRANGE))]
        return


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _forge_members(members: list[tuple[str, bytes]], rng: np.random.Generator) -> None:
    """Exchange an array for one of another shape or type, or its name, or leave it out."""
    place = int(rng.integers(len(members)))
    name, content = members[place]
    array = np.load(io.BytesIO(content))
    strange: list[np.ndarray] = [
        array.astype(np.float64),
        array.reshape(-1)[:-1],
        np.zeros((0,)),
        np.full(array.shape, np.nan),
        np.full(array.shape, -np.inf, np.float32),
        np.zeros((3, 1, 2), np.int8),
        np.array("text"),
        np.full(array.shape, 10**15),
        array[None],
        np.zeros(array.shape, np.complex64),
    ]
    buffer = io.BytesIO()
    np.save(buffer, strange[rng.integers(len(strange))])
    kinds: list[Callable[[], Any]] = [
        lambda: members.__setitem__(place, (name, buffer.getvalue())),
        lambda: members.__setitem__(place, (name, buffer.getvalue())),
        lambda: members.__delitem__(place),
        lambda: members.append((name, content)),
        lambda: members.__setitem__(place, (f"../{name}", content)),
        lambda: members.__setitem__(place, (name.removesuffix(".npy"), content)),
        lambda: members.__setitem__(place, (name, content[: len(content) // 2])),
    ]
    kinds[rng.integers(len(kinds))]()


def _seal(folder: Path, manifest: dict[str, Any], members: list[tuple[str, bytes]]) -> None:
    """Write a folder whose checksums fit."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of two members with one name
        for name, content in members:
            archive.writestr(name, content)
    data = buffer.getvalue()
    (folder / ARRAYS).write_bytes(data)
    files = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if isinstance(manifest.get("files"), dict):
        manifest["files"][ARRAYS] = files
    manifest.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**manifest, "sha256": digest}))


def _use(folder: Path) -> None:
    """Do with a folder what evaluate, play and resume do before they make an environment."""
    agent = load_agent(folder)
    check_stored_id(agent.env_id)
    check_stored_wrappers(agent.wrappers)
    action = agent.act(np.zeros(3, np.float32))
    assert action.shape == (1,)
    assert np.isfinite(action).all()
    if "config" in agent.manifest:
        from_json(agent.manifest["config"])


def _assert_one_line(failure: Failure) -> None:
    text = str(failure)
    assert text
    assert text.isprintable(), repr(text)
    assert len(text) < 1000, text
