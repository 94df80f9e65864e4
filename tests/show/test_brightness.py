"""A film whose pictures are fractions: how bright they are is judged once, and soon."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo.run.show.pictures import Film, Pictures


class Fading(gymnasium.Env[Any, Any]):
    """Shows these levels, one after the other."""

    def __init__(self, levels: list[float]) -> None:
        self._levels = iter(levels)

        self._picture = np.zeros((32, 32, 3), np.float32)

    def render(self) -> Any:
        self._picture[:] = next(self._levels)  # into the same array, as many do
        return self._picture


@pytest.mark.parametrize(
    ("levels", "shown"),
    [
        ([200.0, 1.0, 0.5, 0.0, 255.0], [200, 1, 0, 0, 255]),  # fades out
        ([0.0, 0.0, 90.0, 1.2, 1.0], [0, 0, 90, 1, 1]),  # begins in the dark
        ([0.0] * 20 + [120.0, 1.0], [0] * 20 + [120, 1]),  # and stays there for long
        ([0.0, 0.5, 1.0, 1.5, 0.0, 3.0, 120.0, 1.0], [0, 0, 1, 2, 0, 3, 120, 1]),  # fades in, dark at first
        ([0.0] * 20 + [1.0, 0.0, 200.0], [0] * 20 + [1, 0, 200]),
        ([0.2], [51]),  # ends before anybody can know
        ([0.2, 1.0, 0.0, 1.4, 0.4], [51, 255, 0, 255, 102]),
        ([0.2] * 10 + [3.0, 0.2], [51] * 10 + [255, 51]),  # one that is too bright, late
        ([np.inf, 0.2, np.nan], [255, 51, 0]),
    ],
)
def test_the_fractions_of_a_film_are_judged_once(levels: list[float], shown: list[int]) -> None:
    environment = Fading(levels)
    taken: list[np.ndarray] = []
    film = Film(Pictures(lambda: environment, "Fading-v0", 32, 32), taken.append)
    for _ in levels:
        film.take()
    film.finish()
    assert [np.unique(picture).tolist() for picture in taken] == [[level] for level in shown]


def test_only_the_first_pictures_of_a_film_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Fading([0.0, 0.2, 0.2] + [0.5] * 40)
    taken: list[np.ndarray] = []
    film = Film(Pictures(lambda: environment, "Fading-v0", 32, 32), taken.append)
    waiting = []
    for k in range(43):
        film.take()
        waiting.append(k + 1 - len(taken))
    assert waiting[0] == 0
    assert waiting[20:] == [0] * 23
    assert max(waiting) < 11
