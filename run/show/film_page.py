"""A web page with a film inside: for what MuJoCo does not simulate, which no page can turn."""

from __future__ import annotations

import base64
import html
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.run.show.film import Add, film

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #d6e2ec }}
video {{ width: min(100vw, 133vh); max-height: 100vh; image-rendering: pixelated }}
</style>
<video src="data:video/mp4;base64,{film}" controls autoplay loop muted playsinline></video>
</html>
"""


@contextmanager
def film_page(path: Path, rate: float) -> Iterator[Add]:
    """Give a function that adds a picture to the film in a new page, which opens from disk without a network.

    Args:
      rate: pictures per second.

    Raises:
      UsageError: the package that writes films is not installed.
      WriteError: the file cannot be written; nothing is left of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "film.mp4"
        with film(inside, rate) as add:
            yield add
        page = PAGE.format(title=html.escape(path.stem), film=base64.b64encode(inside.read_bytes()).decode())
        write_whole(path, page)
