"""Moving pictures as files that appear when they are complete: mp4, gif and webp."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.whole import checked_file, shown, whole_file, writing
from baselines_ppo.run.show.frame import BLOCK

Add = Callable[[np.ndarray], None]  # of a picture, [height, width, 3] bytes

REPLAY = ".html"  # the kind of file that `replay` writes
SIZES = {".gif": (480, 352)}  # pixels; of all other kinds:
SIZE, LARGEST = (640, 480), (1920, 1088)
COLOURS = 64  # of a gif
SAMPLES = 24  # pictures by which these are chosen
IN_MEMORY, MEMORY = (".gif", ".webp"), 5e8  # kinds whose pictures wait for the last of them, and bytes for these


def checked_out(out: str, others: Collection[str] = ()) -> Path:
    """Return the absolute path of a film or replay to be written, or of another kind of file.

    Raises:
      UsageError: it cannot be written.
    """
    return checked_file(out, [*KINDS, REPLAY, *others])


def picture_size(kind: str, width: int | None, height: int | None) -> tuple[int, int]:
    """Return the width and height of pictures in pixels, rounded down to what videos can have.

    Raises:
      UsageError: they are too small or too large.
    """
    sides = []
    given = zip(("width", "height"), (width, height), SIZES.get(kind, SIZE), LARGEST, strict=True)
    for name, side, usual, most in given:
        if side is not None and not BLOCK <= side <= most:
            raise UsageError(f"--{name} is {side}, expected {BLOCK} to {most}")
        sides.append((side or usual) // BLOCK * BLOCK)
    return sides[0], sides[1]


def most_pictures(kind: str, size: tuple[int, int]) -> float:
    """Return how many pictures of a size a file of some kind can hold; infinitely many if they need not wait."""
    return MEMORY // (3 * size[0] * size[1]) if kind in IN_MEMORY else math.inf


def film(path: Path, rate: float) -> AbstractContextManager[Add]:
    """Return what gives a function that adds a picture to a new file; all pictures have one size.

    Args:
      path: ends with one of `KINDS`.
      rate: pictures per second.

    Raises:
      UsageError: the package that writes such files is not installed.
      WriteError: the file cannot be written; nothing is left of it.
    """
    needed = "imageio_ffmpeg" if path.suffix == ".mp4" else "PIL"
    if importlib.util.find_spec(needed) is None:
        raise UsageError(f"{needed} is not installed; pip install 'imageio>=2.34' 'imageio-ffmpeg>=0.5'")
    return KINDS[path.suffix](path, rate)


def written(path: Path, moments: int, rate: float) -> str:
    """Return a line on a file that is complete."""
    return f"wrote {short(shown(path))}: {moments / rate:.1f} s, {moments} pictures, {path.stat().st_size / 1e6:.2f} MB"


@contextmanager
def _video(path: Path, rate: float) -> Iterator[Add]:
    import imageio

    def add(picture: np.ndarray) -> None:
        with writing(path):
            writer.append_data(picture)

    with whole_file(path) as temporary:
        with writing(path):
            writer: Any = imageio.get_writer(temporary, fps=rate, codec="libx264", quality=7)
        try:
            yield add
        finally:
            with writing(path):
                writer.close()


@contextmanager
def _gif(path: Path, rate: float) -> Iterator[Add]:
    """Write pictures of the same few colours without dithering, so that what stands still costs nothing."""
    from PIL import Image

    pictures: list[np.ndarray] = []
    yield pictures.append
    samples = [pictures[i] for i in np.linspace(0, len(pictures) - 1, SAMPLES).astype(int)]
    palette = Image.fromarray(np.concatenate(samples)).quantize(COLOURS, Image.Quantize.FASTOCTREE)
    images = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    with whole_file(path) as temporary, writing(path):
        images[0].save(
            temporary, save_all=True, append_images=images[1:], duration=_durations(len(images), rate), loop=0
        )


@contextmanager
def _webp(path: Path, rate: float) -> Iterator[Add]:
    from PIL import Image

    pictures: list[np.ndarray] = []
    yield pictures.append
    first, *others = map(Image.fromarray, pictures)
    with whole_file(path) as temporary, writing(path):
        first.save(
            temporary, save_all=True, append_images=others, duration=_durations(len(pictures), rate), loop=0, quality=75
        )


def _durations(count: int, rate: float) -> list[int]:
    """Return how long each picture is shown, in ms: multiples of 10, as gifs have them, that keep to the time."""
    times = 10 * np.round(100 * np.arange(count + 1) / rate).astype(int)
    return np.diff(times).tolist()


KINDS = {".mp4": _video, ".gif": _gif, ".webp": _webp}
