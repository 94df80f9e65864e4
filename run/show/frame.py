"""A picture as films take it, [height, width, 3] bytes, from whatever an environment's `render` gives."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 16  # pixels, of which the sides of pictures are multiples: videos are encoded in such blocks
INK = (40, 40, 40)
WHITE = 255.0
CHANNELS = (3, 4, 1)  # colours, with opacity, grey
BRIGHT = 1.5  # beyond which fractions are no 0 to 1, be it with a slip
FIRST = 10  # pictures of a film, not counting black ones, by which its fractions are judged


class Levels:
    """Whether the fractions in a film are from 0 to 1 or from 0 to 255, judged by its first pictures."""

    def __init__(self) -> None:
        self._to_one, self._seen = True, 0

    @property
    def sure(self) -> bool:
        """Whether no later picture changes the judgement."""
        return not self._to_one or self._seen >= FIRST

    def look(self, picture: np.ndarray) -> None:
        """Judge by one more picture; only fractions count."""
        if picture.dtype.kind == "f" and not self.sure:
            brightest = float(picture.max(where=np.isfinite(picture), initial=0.0))
            self._to_one = brightest <= BRIGHT
            self._seen += brightest > 0.0

    def of(self, picture: np.ndarray) -> np.ndarray:
        """Return the values of a picture as levels from 0 to 255."""
        if picture.dtype == np.uint8:
            return picture
        levels = picture.astype(np.float64)
        if picture.dtype.kind == "b" or (picture.dtype.kind == "f" and self._to_one):
            levels *= WHITE
        return np.rint(np.clip(np.nan_to_num(levels, nan=0.0, posinf=WHITE, neginf=0.0), 0.0, WHITE))


def shaped(drawn: Any) -> np.ndarray:
    """Return a picture of one of the usual kinds as [height, width, channels], its values as they are.

    Args:
      drawn: [H, W] grey, or with 1, 3 or 4 channels in front or behind, the fourth of them opacity over white; bytes,
        other whole numbers up to 255, fractions from 0 to 1 or 0 to 255, or booleans; of several, the last counts.

    Raises:
      ValueError: it is none of these; says what it is.
    """
    picture = _array(drawn)
    if picture.ndim == 4 and len(picture):
        picture = picture[-1]
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.dtype.kind not in "buif" or 0 in picture.shape:
        raise ValueError(f"an array {list(picture.shape)} of {picture.dtype}")
    if picture.shape[-1] not in CHANNELS and picture.shape[0] in CHANNELS:
        picture = np.moveaxis(picture, 0, -1)
    if picture.shape[-1] not in CHANNELS:
        raise ValueError(f"an array {list(picture.shape)} of {picture.dtype}")
    return picture


def coloured(picture: np.ndarray, levels: Levels) -> np.ndarray:
    """Return a picture [height, width, channels] as [height, width, 3] bytes.

    Args:
      levels: of the film that it is a picture of.
    """
    shown = levels.of(picture)
    if shown.shape[-1] == 4:
        opacity = shown[..., 3:] / WHITE
        shown = np.rint(shown[..., :3] * opacity + WHITE * (1.0 - opacity))
    return np.ascontiguousarray(np.broadcast_to(shown, (*shown.shape[:2], 3)).astype(np.uint8))


def _array(drawn: Any) -> np.ndarray:
    """Return what was drawn as an array; of a list of pictures, the last one."""
    while isinstance(drawn, list | tuple) and drawn and np.ndim(drawn[-1]) > 1 and not isinstance(drawn[-1], list):
        drawn = drawn[-1]
    if drawn is None or isinstance(drawn, str | dict):
        raise ValueError("None" if drawn is None else f"a {type(drawn).__name__}")
    try:
        return np.asarray(drawn)
    except Exception:  # whatever a stranger's array raises, or rows of different lengths
        raise ValueError(f"a {type(drawn).__name__}") from None


def fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a picture as large as fits into a size, in its own shape but for a few pixels."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns, rows = (max(BLOCK, round(side * scale / BLOCK) * BLOCK) for side in picture.shape[1::-1])
    return _resized(picture, columns, rows)


def framed(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a picture of exactly this size, whole and in its own shape, with black bars where it does not fill it."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns, rows = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    whole = np.zeros((height, width, 3), np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    whole[top : top + rows, left : left + columns] = _resized(picture, columns, rows)
    return whole


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """Return a picture with lines of text in its upper left corner."""
    from PIL import Image, ImageDraw

    image, size = Image.fromarray(picture), max(10, picture.shape[0] // 22)
    ImageDraw.Draw(image).multiline_text((size, size // 2), text, fill=INK, font_size=size)
    return np.asarray(image)


def _resized(picture: np.ndarray, columns: int, rows: int) -> np.ndarray:
    from PIL import Image

    if (rows, columns) == picture.shape[:2]:
        return picture
    return np.asarray(Image.fromarray(picture).resize((columns, rows), Image.Resampling.LANCZOS))
