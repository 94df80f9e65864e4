"""The table of times to a score: ours with an environment's preset, a peer's with settings tuned for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.common.files.toml_file import TomlFile
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.bench.against import peer_command
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import announce, answer
from baselines_ppo.run.bench.score import WINDOW, Outcome, outcome
from baselines_ppo.run.bench.sides import ENDLESS, Ours, Peer
from baselines_ppo.run.bench.work import Work

OF_ENVIRONMENTS = ("n_envs", "n_timesteps", "policy", "normalize")  # the other settings are PPO's


class TunedPeer:
    """Stable-Baselines3 with settings from a file, which has a table for each environment, and says its source."""

    def __init__(self, python: str, settings: str) -> None:
        self._python, self._file, self._settings = python, settings, TomlFile(settings).data
        self.source = str(self._settings.get("source", settings))
        self.facts: dict[str, str] = {}  # what runs there, in words, by environment

    def check(self, works: list[Work]) -> None:
        """Check that there are settings for these environments, and what they need.

        Raises:
          UsageError: there is something missing.
        """
        known = [key for key, value in self._settings.items() if isinstance(value, dict)]
        for name in map(name_of, works):
            if name not in known:
                which = f"{nearest(name, known)}; it has {', '.join(known)}"
                raise UsageError(f"{self._file} has no settings for {name}{which}")
        for work in works:
            self.facts[work.env] = str(answer(self._command(work, 1, 0, "nothing"))["facts"])

    def side(self, work: Work, ranks: int, seed: int, folder: Path) -> Peer:
        """Return the training, which writes into a folder."""
        return Peer(self._command(work, ranks, seed, "score"), folder)

    def _command(self, work: Work, ranks: int, seed: int, what: str) -> list[str]:
        return peer_command(self._python, {**self.request(work, ranks), "seed": seed, "what": what})

    def request(self, work: Work, ranks: int) -> dict[str, Any]:
        """Return what `peer.py` is asked for."""
        settings = dict(self._settings[name_of(work)])
        own = {key: settings.pop(key, None) for key in OF_ENVIRONMENTS}
        normalize = bool(own.pop("normalize"))
        if not any(str(value).startswith("lin_") for value in settings.values()):
            own["n_timesteps"] = ENDLESS  # no schedule depends on the number of steps
        return {
            "env": work.env,
            "wrapper": work.config.wrapper,
            "kind": "dummy",  # as RL Zoo has it
            "threads": ranks,
            "normalize": {"norm_obs": normalize, "norm_reward": normalize},
            "settings": settings,
            **own,
        }


def score_table(
    cases: list[tuple[Work, float]], ranks: int, runs: int, seconds: float, peer: TunedPeer | None
) -> list[Row]:
    """Print and return how long trainings take until they have a score; those of both programs take turns.

    Args:
      cases: what is trained, and its score.
      runs: of each, with seeds from 0 on.
      seconds: after which a training is given up.
      peer: None: only ours is trained.
    """
    rows: list[Row] = []
    for work, score in cases:
        print(f"\n{work.env}: until the mean return of the last {WINDOW} episodes is {score:g}, in two checks in a row")
        other = "" if peer is None else f" and Stable-Baselines3 with the settings of {peer.source}"
        print(f"{counted(ranks, 'rank')} with the preset{other}; {seconds:,g} s each")
        for seed in range(runs):
            rows.append(score_row(work, score, ranks, seed, seconds, peer))
    return rows


def score_row(work: Work, score: float, ranks: int, seed: int, seconds: float, peer: TunedPeer | None) -> Row:
    """Train with a seed, ours first; print and return what came of it."""
    row: Row = {"env": work.env, "score": whole(score), "seed": seed, "ranks": ranks, "budget": whole(seconds)}
    announce(f"{work.env}, seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        ours = outcome(Ours(work, ranks, seed, Path(folder)), score, seconds)
    print(f"seed {seed}: {ours.words}", flush=True)
    row |= figures_of(ours)
    if peer is None:
        return row
    announce(f"{work.env}, seed {seed}, Stable-Baselines3")
    with tempfile.TemporaryDirectory() as folder:
        theirs = outcome(peer.side(work, ranks, seed, Path(folder)), score, seconds)
    row["peer"] = f"Stable-Baselines3 with the settings of {peer.source}: {peer.facts[work.env]}"
    ratio = theirs.seconds / ours.seconds if theirs.seconds and ours.seconds else None
    more = "" if ratio is None else f", {ratio:.1f} times as long"
    print(f"seed {seed}, the peer: {theirs.words}{more}", flush=True)
    row |= {f"peer_{name}": value for name, value in figures_of(theirs).items()}
    return {**row, "ratio": None if ratio is None else round(ratio, 1)}


def name_of(work: Work) -> str:
    """Return an environment's id without the module that registers it."""
    return work.env.rpartition(":")[2]


def whole(number: float) -> float:
    """Return 475 for 475.0."""
    return int(number) if number.is_integer() else number


def figures_of(result: Outcome) -> Row:
    """Return what came of a training, for a record."""
    seconds, highest = result.seconds, result.highest
    return {
        "seconds": None if seconds is None else round(seconds, 1),
        "steps": result.steps,
        "highest": None if highest is None else round(highest, 1),
    }
