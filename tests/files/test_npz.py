"""Arrays in files of numpy's: what it writes is read to the bit, what a forger writes is refused in one line."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.failures import LoadError
from baselines_ppo.common.files import checkpoint, npz
from tests.files.test_checkpoint import reseal, save

KINDS = ("<f4", "<f8", "<f2", ">f4", "<i8", ">i2", "|u1", "|i1", "<u4", "|b1", "<f16")
SHAPES = ((), (1,), (0,), (7,), (2, 3), (3, 0, 2), (1,) * 32)


def written(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # names may be anything
    return buffer.getvalue()


@pytest.mark.parametrize("wide", [False, True])
def test_what_numpy_writes_is_read_to_the_bit(wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All dtypes and shapes, names of any letters, and sizes in extra fields as files of gigabytes have them."""
    if wide:
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 3)
    rng = np.random.default_rng(0)
    arrays = {f"a/{kind} {shape} ä": rng.integers(0, 2, shape).astype(kind) for kind in KINDS for shape in SHAPES}
    found = dict(npz.parse(written(arrays)))
    assert list(found) == list(arrays)
    for name, x in arrays.items():
        assert (found[name].dtype, found[name].shape) == (x.dtype, x.shape)
        assert found[name].tobytes() == x.tobytes()


def as_before_3_11_4(data: bytes, more: int = 0) -> bytes:
    """Return a file as Python 3.10 and the first of 3.11 write it: records state the size, and an extra field again.

    Args:
      more: bytes by which the two differ.
    """
    old = bytearray(data)
    for member in zipfile.ZipFile(io.BytesIO(data)).infolist():
        struct.pack_into("<H", old, member.header_offset + 4, 20)  # the version that is needed to read it
        struct.pack_into("<2L", old, member.header_offset + 18, member.compress_size + more, member.file_size + more)
    return bytes(old)


def test_what_an_older_python_writes_is_read_if_it_says_the_same_twice() -> None:
    """Debian 12 and Ubuntu 22.04 have such a Python: nothing that it saved could be gone on with."""
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(0, np.float32)}
    found = dict(npz.parse(as_before_3_11_4(written(arrays))))
    assert {name: x.tolist() for name, x in found.items()} == {name: x.tolist() for name, x in arrays.items()}
    with pytest.raises(ValueError, match="an extra field"):
        dict(npz.parse(as_before_3_11_4(written(arrays), more=1)))


def headed(text: bytes) -> bytes:
    """Return a file whose one array has this header, right in all else."""
    buffer = io.BytesIO()
    body = npz.MAGIC + struct.pack("<H", len(text)) + text + bytes(24)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", body)
    return buffer.getvalue()


GOOD = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n"
HEADERS = {
    "good": GOOD,
    "minus signs": GOOD.replace(b"(3,)", b"(" + 20_000 * b"-" + b"3,)"),
    "brackets": 20_000 * b"[" + 20_000 * b"]",
    "tuples": GOOD.replace(b"(3,)", 8_000 * b"(" + b"3" + 8_000 * b",)"),
    "many digits": GOOD.replace(b"(3,)", b"(" + 9_000 * b"0" + b"3,)"),
    "many axes": GOOD.replace(b"(3,)", b"(" + 9_000 * b"1, " + b"3)"),
    "a call": GOOD.replace(b"(3,)", b"(__import__('os').getpid(),)"),
    "objects": GOOD.replace(b"<f8", b"|O"),
    "a record": GOOD.replace(b"'<f8'", b"[('a', '<f8')]"),
    "negative": GOOD.replace(b"(3,)", b"(-3, -1)"),
    "columns first": GOOD.replace(b"False", b"True"),
    "too large": GOOD.replace(b"3", b"1000000000000000000"),
    "overflowing": GOOD.replace(b"(3,)", b"(4294967296, 4294967296, 3)"),
    "too small": GOOD.replace(b"3", b"2"),
    "no such type": GOOD.replace(b"<f8", b"<f1"),
    "nothing": b"",
}


def patched(where: bytes, offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Return what writes bytes at a place after the last of some signature."""

    def patch(data: bytes) -> bytes:
        begin = data.rindex(where) + offset
        return data[:begin] + new + data[begin + len(new) :]

    return patch


def both(*patches: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def patch(data: bytes) -> bytes:
        for one in patches:
            data = one(data)
        return data

    return patch


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
GIGABYTE, ONES = struct.pack("<L", 10**9), b"\xff" * 4
RECORDS: dict[str, Callable[[bytes], bytes]] = {
    "a gigabyte, centrally": patched(CENTRAL, 20, 2 * GIGABYTE),
    "a gigabyte, locally": patched(LOCAL, 18, 2 * GIGABYTE),
    "a gigabyte, in both": both(patched(CENTRAL, 20, 2 * GIGABYTE), patched(LOCAL, 18, 2 * GIGABYTE)),
    "wide without its field, centrally": patched(CENTRAL, 20, 2 * ONES),
    "wide without its field, locally": patched(LOCAL, 18, 2 * ONES),
    "wide without its field, in both": both(patched(CENTRAL, 20, 2 * ONES), patched(LOCAL, 18, 2 * ONES)),
    "one size wide": patched(CENTRAL, 24, ONES),
    "offset wide": patched(CENTRAL, 42, ONES),
    "end wide": patched(END, 16, ONES),
    "elsewhere": patched(CENTRAL, 42, struct.pack("<L", 10**9)),
    "another name, locally": patched(LOCAL, 30, b"y"),
    "a long name": patched(LOCAL, 26, b"\xff\xff"),
    "a long extra field": patched(CENTRAL, 30, b"\xff\xff"),
    "deflated": both(patched(CENTRAL, 10, b"\x08"), patched(LOCAL, 8, b"\x08")),
    "encrypted": both(patched(CENTRAL, 8, b"\x01"), patched(LOCAL, 6, b"\x01")),
    "a name of no letters": both(patched(CENTRAL, 46, b"\xff"), patched(LOCAL, 30, b"\xff")),
    "another checksum": both(patched(CENTRAL, 16, b"0000"), patched(LOCAL, 14, b"0000")),
    "more members": patched(END, 8, b"\x03\x00\x03\x00"),
    "no members": patched(END, 8, bytes(4)),
    "a comment": lambda data: data + b"x",
    "a program before": lambda data: b"#!/bin/sh\n" + data,
    "cut": lambda data: data[:-1],
    "empty": lambda data: b"",
    "only an end": lambda data: data[-22:],
}


def assert_refused(folder: Path, data: bytes) -> None:
    path = save(folder)
    (path / "arrays.npz").write_bytes(data)
    reseal(path)
    with pytest.raises(LoadError) as caught:
        checkpoint.load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "good"])
def test_headers_that_numpy_would_not_write_are_refused(name: str, tmp_path: Path) -> None:
    assert dict(npz.parse(headed(GOOD)))["x"].tolist() == [0.0, 0.0, 0.0]
    assert_refused(tmp_path, headed(HEADERS[name]))


def plain() -> bytes:
    """Return a file of two arrays without extra fields."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("w.npy", "x.npy"):
            archive.writestr(name, npz.MAGIC + struct.pack("<H", len(GOOD)) + GOOD + bytes(24))
    return buffer.getvalue()


@pytest.mark.parametrize("name", RECORDS)
def test_records_that_do_not_agree_are_refused(name: str, tmp_path: Path) -> None:
    assert set(dict(npz.parse(plain()))) == {"w", "x"}
    assert_refused(tmp_path, RECORDS[name](plain()))


def test_random_damage_is_refused_or_harmless() -> None:
    """Without any checksum of ours: at most what nobody uses differs, such as a member's date."""
    rng, data = np.random.default_rng(0), written({"one": np.arange(5.0), "other": np.ones((2, 3), np.float32)})
    original, refused = dict(npz.parse(data)), 0
    for _ in range(3000):
        damaged = bytearray(data)
        for place in rng.choice(len(data), rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        try:
            found = dict(npz.parse(bytes(damaged)))
        except (ValueError, TypeError) as error:
            assert not re.search("Traceback|\n", str(error))
            refused += 1
        else:
            assert {name: x.tobytes() for name, x in found.items()} == {n: x.tobytes() for n, x in original.items()}
    assert refused > 2000
