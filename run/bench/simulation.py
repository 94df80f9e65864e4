"""Training of a preset on 16 to 4096 ranks, simulated from what one rank takes and from what a message costs.

An iteration takes as long as the slowest rank collects, and then as learning, its sums and the rest take. How long a
rank collects is drawn from measured iterations of one rank, so that the slowest of many ranks is slower. Each rank
has a core of its own. That some ranks compute slower than others while they learn is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo.run.bench.constants import Constants
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import ask
from baselines_ppo.run.bench.scaling import fit

RANKS = (1, 16, 64, 256, 1024, 4096)
PART = 16  # by which the second measurement has fewer environments
DRAWS = 200  # simulated iterations
PARTS = ("collecting", "waiting", "learning", "messages", "rest")
SMALL_MESSAGES = 8  # of an iteration: statistics, counts, agreements


class Network(NamedTuple):
    """What it costs to give an array to a partner and get its own, s + s per byte; within a host, or between hosts."""

    ranks_per_host: int
    host: tuple[float, float]
    hosts: tuple[float, float]

    def exchange(self, ranks: int, size: float) -> float:
        """Return the seconds in which all ranks have the sum of so many bytes: one exchange per level of the tree."""
        levels = math.log2(ranks)
        inside = min(levels, math.log2(self.ranks_per_host))
        near, far = (latency + size * per_byte for latency, per_byte in (self.host, self.hosts))
        return inside * near + (levels - inside) * far

    def gather(self, ranks: int, size: float) -> float:
        """Return the seconds in which all ranks have all parts of so many bytes, which each receives once."""
        per_byte = self.host[1] if ranks <= self.ranks_per_host else self.hosts[1]
        return self.exchange(ranks, 0.0) + size * (ranks - 1) / ranks * per_byte


class Simulated(NamedTuple):
    """Seconds of one iteration, means over iterations."""

    collecting: float  # until the mean rank has collected
    waiting: float  # from then until the slowest has
    learning: float  # on every rank, without the messages
    messages: float
    rest: float
    steps: int  # of all ranks

    @property
    def rate(self) -> float:
        """Steps per second of all ranks."""
        return self.steps / (self.collecting + self.waiting + self.learning + self.messages + self.rest)


def simulated(
    whole: Constants, part: Constants, ranks: int, environments: int, network: Network, rng: np.random.Generator
) -> Simulated:
    """Return an iteration of so many ranks.

    Args:
      whole, part: one rank with all environments of the preset, and with few.
      environments: over all ranks, of which each rank has the same number, 1 at least.
    """
    own = environments / ranks
    own_collecting, steps = _at(whole, part, own, "collecting"), whole.steps // whole.environments * environments
    deviations = np.array(part.collecting) - np.median(part.collecting)
    drawn = rng.choice(deviations, (DRAWS, ranks)) * math.sqrt(own / part.environments)  # of independent environments
    slowest = float(np.mean(np.max(drawn, axis=1) - np.mean(drawn, axis=1)))
    if whole.shares_out:
        learning = _at(whole, part, own, "learning")
        messages = whole.updates * network.exchange(ranks, 4.0 * whole.parameters)
    else:
        learning = whole.learning * environments / whole.environments
        messages = network.gather(ranks, whole.rollout_bytes * environments / whole.environments)
    messages += SMALL_MESSAGES * network.exchange(ranks, 8.0 * environments)
    return Simulated(own_collecting, slowest, learning, messages, part.rest, steps)


def _at(whole: Constants, part: Constants, environments: float, what: str) -> float:
    """Return the seconds of a rank with so many environments, on the line through the two that were measured."""
    many, few = (float(np.median(getattr(x, what))) for x in (whole, part))
    if whole.environments == part.environments:
        return many
    slope = max(0.0, (many - few) / (whole.environments - part.environments))
    return max(few - slope * (part.environments - environments), 0.0)


def simulation_table(envs: Sequence[str], ranks_per_host: int, latency: float, bandwidth: float) -> list[Row]:
    """Measure, simulate, print and return steps per second of presets on many ranks.

    Args:
      latency, bandwidth: between hosts, in microseconds and GB/s.
    """
    measured = fit({2: ask(2, {"what": "exchanges"})["seconds"]})
    network = Network(ranks_per_host, measured, (latency * 1e-6, 1e-9 / bandwidth))
    near = network.host
    print(f"\nmeasured, two ranks of this host: {near[0] * 1e6:.0f} us + {1e-9 / near[1]:.1f} GB/s for each message")
    print(f"assumed: {ranks_per_host} ranks on a host, {latency:g} us + {bandwidth:g} GB/s between hosts")
    heading = "".join(f"{name:>12}" for name in PARTS)
    print(f"{'environment':<26}{'ranks':>6}{'envs':>7}{heading}{'steps/s':>13}  efficiency   (ms of an iteration)")
    rows: list[Row] = []
    for env in envs:
        whole = _constants(env, 1, None)
        part = _constants(env, PART, whole.shares_out)
        for row in rows_of(env, whole, part, network):
            shown = "".join(f"{row[name]:>12,.1f}" for name in PARTS)
            end = f"{row['training']:>13,}{row['efficiency']:>12.2f}"
            print(f"{env:<26}{row['ranks']:>6}{row['environments']:>7}{shown}{end}", flush=True)
            rows.append(row)
    return rows


def rows_of(env: str, whole: Constants, part: Constants, network: Network) -> list[Row]:
    """Return what is simulated of a preset: with its environments, or one for each rank where that is more."""
    rows: list[Row] = []
    for ranks in RANKS:
        environments = max(whole.environments, ranks)
        found = simulated(whole, part, ranks, environments, network, np.random.default_rng(0))
        row: Row = {"env": env, "ranks": ranks, "environments": environments}
        row |= {name: round(1e3 * getattr(found, name), 1) for name in PARTS}
        row["training"] = round(found.rate)
        alone = rows[0]["training"] if rows else row["training"]
        rows.append({**row, "efficiency": round(row["training"] / alone / ranks, 2)})
    return rows


def _constants(env: str, part: int, share_out: bool | None) -> Constants:
    arguments = {"env": env, "part": part, "share_out": share_out}
    return Constants(**ask(1, {"what": "constants", "arguments": arguments}))
