"""Arrays as numpy's `savez` writes them, read strictly: any other byte than it would have written is refused.

Both records of each member must say the same, the members must fill the file, and a header of an array is matched as
a whole: nothing of a stranger's file is evaluated, or believed about a size.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

# PKWARE's APPNOTE 6.3.10: 4.3.16, 4.3.15, 4.3.14, 4.3.12, 4.3.7.
END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
WIDE_END = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
WIDE = struct.Struct("<2H")  # before the numbers that do not fit into 32 bits, which are all ones there
WIDE_ID, ALL_ONES, UTF8 = 1, 0xFFFFFFFF, 0x800
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    rb"\{'descr': '([<>|][fiub](?:1|2|4|8|16))', 'fortran_order': False, "
    rb"'shape': \(((?:[0-9]{1,19},|[0-9]{1,19}(?:, [0-9]{1,19}){1,63})?)\), \} *\n"
)


class Member(NamedTuple):
    """What both records say of a member."""

    name: bytes
    flags: int
    compression: int
    checksum: int
    stored: int  # bytes
    size: int  # bytes


def parse(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and arrays of a file.

    Raises:
      ValueError, TypeError: it is not as numpy would have written it.
    """
    place, names = 0, set()
    central, end = _central(data)
    for member, offset in central:
        name = member.name.decode("utf-8" if member.flags & UTF8 else "ascii")
        if name in names:
            raise ValueError(f"two members have one name, {name}")
        names.add(name)
        if member.compression or member.flags & ~UTF8 or member.stored != member.size or not name.endswith(".npy"):
            raise ValueError(f"unexpected member {name}")
        local, begin = _local(data, offset)
        if local != member or offset != place:
            raise ValueError(f"the records of {name} do not agree")
        place = begin + member.size
        body = data[begin:place]
        if place > end or zlib.crc32(body) != member.checksum:
            raise ValueError(f"{name} is not what its records say")
        yield name.removesuffix(".npy"), _array(name, body)
    if place != end:
        raise ValueError("there is something between the members and their list")


def _array(name: str, body: bytes) -> np.ndarray:
    begin = len(MAGIC) + 2
    length = int.from_bytes(body[len(MAGIC) : begin], "little")
    matched = HEADER.fullmatch(body[begin : begin + length])
    if not body.startswith(MAGIC) or matched is None:
        raise ValueError(f"{name} has no header of a plain array")
    kind, shape = matched.groups()
    dtype, sizes = np.dtype(kind.decode()), [int(size) for size in shape.split(b",") if size]
    if math.prod(sizes) * dtype.itemsize != len(body) - begin - length:
        raise ValueError(f"{name} is not an array of the size that it states")
    return np.frombuffer(body, dtype, offset=begin + length).reshape(sizes).copy()


def _central(data: bytes) -> tuple[list[tuple[Member, int]], int]:
    """Return all members with where they begin, and where their list begins."""
    end = len(data) - END.size
    disk, first, *numbers, comment = _unpacked(END, data, end, b"PK\5\6")
    here, count, size, begin = numbers
    if data[end - LOCATOR.size : end].startswith(b"PK\6\7"):  # in a file of gigabytes
        end -= LOCATOR.size + WIDE_END.size
        _, _, _, disk, first, here, count, size, begin = _unpacked(WIDE_END, data, end, b"PK\6\6")
    narrow = [min(here, 0xFFFF), min(count, 0xFFFF), min(size, ALL_ONES), min(begin, ALL_ONES)]
    if disk or first or comment or numbers != narrow or here != count or begin + size != end:
        raise ValueError("its end does not describe it")
    members, place = [], begin
    for _ in range(count):
        _, _, flags, compression, _, _, *rest = _unpacked(CENTRAL, data, place, b"PK\1\2")
        checksum, stored, size, named, extra, comment, disk, _, _, offset = rest
        name, place = _slice(data, place + CENTRAL.size, named)
        more, place = _slice(data, place, extra)
        size, stored, offset = _widened(more, size, stored, offset)
        if comment or disk:
            raise ValueError("a member has a comment, or is elsewhere")
        members.append((Member(name, flags, compression, checksum, stored, size), offset))
    if place != end:
        raise ValueError("the list of members does not fill its place")
    return members, begin


def _local(data: bytes, offset: int) -> tuple[Member, int]:
    """Return what is said where a member begins, and where its bytes begin."""
    _, flags, compression, _, _, checksum, stored, size, named, extra = _unpacked(LOCAL, data, offset, b"PK\3\4")
    name, place = _slice(data, offset + LOCAL.size, named)
    more, place = _slice(data, place, extra)
    if more != WIDE.pack(WIDE_ID, 16) + struct.pack("<2Q", size, stored):  # said twice by a Python before 3.11.4
        size, stored = _widened(more, size, stored)
    return Member(name, flags, compression, checksum, stored, size), place


def _widened(extra: bytes, *numbers: int) -> list[int]:
    """Return numbers, those of which that do not fit taken from the extra field, which holds nothing else."""
    wide = [k for k, number in enumerate(numbers) if number == ALL_ONES]
    expected = WIDE.pack(WIDE_ID, 8 * len(wide)) if wide else b""
    if extra[: len(expected)] != expected or len(extra) != len(expected) + 8 * len(wide):
        raise ValueError("an extra field is missing, or says more than a size")
    found = dict(zip(wide, struct.unpack(f"<{len(wide)}Q", extra[len(expected) :]), strict=True))
    return [found.get(k, number) for k, number in enumerate(numbers)]


def _unpacked(record: struct.Struct, data: bytes, place: int, signature: bytes) -> tuple[Any, ...]:
    """Return the fields of a record after its signature."""
    whole, _ = _slice(data, place, record.size)
    found, *fields = record.unpack(whole)
    if found != signature:
        raise ValueError("a record is not where it should be")
    return tuple(fields)


def _slice(data: bytes, place: int, length: int) -> tuple[bytes, int]:
    """Return so many bytes, and where they end."""
    if place < 0 or place + length > len(data):
        raise ValueError("it ends too early")
    return data[place : place + length], place + length
