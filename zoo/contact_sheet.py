"""A picture of every environment: `python -m baselines_ppo.zoo.contact_sheet robots.jpg`."""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import numpy as np

from baselines_ppo.zoo import REGISTERED

COLUMNS, WIDTH, HEIGHT = 5, 480, 360  # pixels of each picture
STEPS = 4  # from the start, without any action
LYING_SEED = 5  # with which Harder starts on its back


def picture(name: str) -> np.ndarray:
    """Return an environment soon after its start, with its name, [HEIGHT, WIDTH, 3] bytes."""
    from PIL import Image, ImageDraw

    env = gymnasium.make(f"baselines_ppo.zoo:Robo{name}-v1", render_mode="rgb_array", width=WIDTH, height=HEIGHT)
    env.reset(seed=LYING_SEED if name.endswith("Harder") else 3)
    if "Flagrun" in name:
        env.unwrapped.set_target(0, 1.2, 1.0)  # type: ignore[attr-defined]
    for _ in range(STEPS):
        env.step(np.zeros(env.action_space.shape or ()))
    image = Image.fromarray(np.asarray(env.render()))
    env.close()
    ImageDraw.Draw(image).text((12, 8), f"Robo{name}-v1", fill=(40, 40, 40), font_size=20)
    return np.asarray(image)


def contact_sheet(path: Path) -> None:
    """Write all pictures, row by row, into one file."""
    import imageio

    pictures = [picture(name) for name in REGISTERED]
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pictures += [blank] * (-len(pictures) % COLUMNS)
    rows = [np.concatenate(pictures[i : i + COLUMNS], axis=1) for i in range(0, len(pictures), COLUMNS)]
    imageio.imwrite(path, np.concatenate(rows))


if __name__ == "__main__":
    contact_sheet(Path(sys.argv[1]))
