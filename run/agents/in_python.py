"""`evaluate` and `record` as functions, for scripts and notebooks."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.demonstrations import SUFFIX
from baselines_ppo.experiments.tables import markdown_table
from baselines_ppo.run.agents import recording, scoring
from baselines_ppo.run.options import check_least
from baselines_ppo.run.show.film import REPLAY, checked_out
from baselines_ppo.zoo.card import Score

VIDEO = ".mp4"
HEIGHT = 420  # pixels, of a replay in a notebook


class Evaluation(NamedTuple):
    """What an agent scores; a notebook shows it as a table."""

    deterministic: Score  # of the most likely actions
    stochastic: Score  # of drawn actions, over the same episodes

    def markdown(self) -> str:
        """Return a table of Markdown."""
        rows = [scoring.row_of(mode, score) for mode, score in zip(self._fields, self, strict=True)]
        return markdown_table(scoring.COLUMNS, rows)

    def _repr_markdown_(self) -> str:
        """Return the table as a notebook shows it; the name is IPython's."""
        return self.markdown()


class Recorded(NamedTuple):
    """A film, a replay or demonstrations; a notebook shows it."""

    path: Path

    def _repr_html_(self) -> str:
        """Return it as a part of a page that needs no file; the name is IPython's."""
        name = html.escape(self.path.name)
        if self.path.suffix == REPLAY:
            page = html.escape(self.path.read_text(encoding="utf-8"))
            return f'<iframe title="{name}" srcdoc="{page}" width="100%" height="{HEIGHT}" frameborder="0"></iframe>'
        if self.path.suffix == SUFFIX:
            return f"<code>{name}</code>"
        data = base64.b64encode(self.path.read_bytes()).decode()
        if self.path.suffix == VIDEO:
            return f'<video src="data:video/mp4;base64,{data}" controls autoplay loop muted playsinline></video>'
        return f'<img alt="{name}" src="data:image/{self.path.suffix[1:]};base64,{data}">'


def evaluate(
    agent: str | Path, episodes: int = 20, seed: int = 0, env: str | None = None, max_steps: int | None = None
) -> Evaluation:
    """Return the raw returns of a trained agent over the same episodes, with its most likely and with drawn actions.

    Args:
      agent: a run folder, a checkpoint, an agent folder or `zoo:NAME`.
      seed: of the episodes.
      env: the environment; None: the one that the agent was trained on.
      max_steps: of an episode at most; None: 30,000 where the environment has no time limit.

    Raises:
      UsageError: a number is too small, or the environment is not supported.
      LoadError: there is no agent, or the environment has other spaces.
      DataError: the environment raised, or gave something unusable.
    """
    check_least({"episodes": episodes, "seed": seed}, dashes="")
    loaded, spec = scoring.trusted(str(agent), env, None, None)
    played = scoring.measure(loaded, spec, episodes, seed, max_steps=max_steps)
    return Evaluation(**{mode: scoring.score_of(outcomes) for mode, outcomes in played.items()})


def record(
    agent: str | Path,
    out: str | Path,
    seconds: float | None = None,
    *,
    episodes: int = 1,
    seed: int = 0,
    env: str | None = None,
    stochastic: bool = False,
    size: Sequence[int] = (),
) -> Recorded:
    """Film a trained agent, write a page that replays it, or keep its episodes; a notebook shows what is returned.

    Args:
      agent: a run folder, a checkpoint, an agent folder or `zoo:NAME`.
      out: the file: .mp4, .gif or .webp, .html for a replay, or .npz for demonstrations.
      seconds: at most; None: whole episodes, of endless ones 120 s.
      seed: of the episodes.
      env: the environment; None: the one that the agent was trained on.
      stochastic: draw actions; by default they are the most likely ones.
      size: width and height of pictures in pixels; by default 640 x 480, of a gif 480 x 352.

    Raises:
      UsageError: an argument is wrong, or there is nothing to draw with.
      LoadError: there is no agent, or the environment has other spaces.
      WriteError: the file cannot be written.
    """
    check_least({"episodes": episodes, "seed": seed}, dashes="")
    if len(size) not in (0, 2):
        raise UsageError(f"size is {tuple(size)}, expected width and height, such as (480, 352)")
    width, height = size or (None, None)
    path = checked_out(str(out), [SUFFIX])
    asked = recording.Recording(
        agent=str(agent),
        out=str(path),
        env=env,
        episodes=episodes,
        seconds=seconds,
        seed=seed,
        stochastic=stochastic,
        width=width,
        height=height,
    )
    recording.record(asked)
    return Recorded(path)
