"""What a page of ours may say to its server: each message is checked when it comes, and all others are dropped."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec

Numbers3 = tuple[float, float, float]
Numbers4 = tuple[float, float, float, float]
Name = Annotated[str, msgspec.Meta(max_length=1000)]


class Click(msgspec.Struct, tag_field="type", tag="ScenePointerMessage"):
    """Somebody has clicked into the scene."""

    event_type: Literal["click"]
    ray_origin: Numbers3  # m, of a ray from the camera, like the next
    ray_direction: Numbers3
    screen_pos: tuple[tuple[float, float]]
    modifier: Name | None


class Camera(msgspec.Struct, tag_field="type", tag="ViewerCameraMessage"):
    """Somebody's camera has moved."""

    wxyz: Numbers4
    position: Numbers3
    look_at: Numbers3
    up_direction: Numbers3
    fov: float
    near: float
    far: float
    image_height: float
    image_width: float


class Control(msgspec.Struct, tag_field="type", tag="GuiUpdateMessage"):
    """A button was pressed, or something chosen."""

    uuid: Name
    updates: dict[Literal["value"], bool | Name]


class Key(msgspec.Struct, tag_field="type", tag="CommandTriggerMessage"):
    """A key was pressed."""

    uuid: Name


DECODER = msgspec.msgpack.Decoder(Click | Camera | Control | Key)


def is_sound(raw: str | bytes) -> bool:
    """Return whether this is a message as pages of ours send them, all numbers finite."""
    if isinstance(raw, str):
        return False
    try:
        said = DECODER.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return all(map(math.isfinite, _numbers(msgspec.structs.astuple(said))))


def checked(handler: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Return what serves a connection as the handler does, which then sees sound messages alone."""

    async def handle(connection: Any) -> None:
        await handler(_Checked(connection))

    return handle


class _Checked:
    """A connection from which only sound messages come."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def recv(self) -> str | bytes:
        while True:
            raw = await self._connection.recv()
            if is_sound(raw):
                return raw


def _numbers(values: tuple[Any, ...]) -> list[float]:
    """Return all numbers in nested tuples."""
    inner = [_numbers(value) if isinstance(value, tuple) else [value] for value in values]
    return [number for numbers in inner for number in numbers if isinstance(number, float)]
