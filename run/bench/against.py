"""How many times faster training is than Stable-Baselines3's, at the same work."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import baselines_ppo
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import announce, answer, job
from baselines_ppo.run.bench.work import Work, for_peer

KINDS = ("dummy", "subprocess")  # of the peer's vector environments: all in its process, or each in one of its own


def against(work: Work, ranks: int, pairs: int, peer_python: str) -> Row:
    """Print and return how many times faster training is than Stable-Baselines3's, in runs that take turns.

    Both do the same work; the peer's environments are in its process or in one process each, whichever is faster.
    One rank is one core, so that the peer has no other processes then.
    """
    kinds = KINDS[:1] if ranks == 1 else KINDS
    trials = {kind: peer(peer_python, work, kind, ranks, 3) for kind in kinds}
    kind = max(trials, key=lambda name: trials[name]["training"])
    name = "RecurrentPPO of sb3-contrib" if work.network == "lstm" else "Stable-Baselines3"
    rivals = f"{counted(ranks, 'rank')} against {name} with {kind} environments"
    print(f"\n{work.env}, {work.network}: {rivals}, steps per second")
    print(work.shape)
    print(f"the peer: {trials[kind]['facts']}")
    ours, theirs = [], []
    for pair in range(1, pairs + 1):
        ours.append(job(ranks, work, iterations=15, parts=False)["training"])
        theirs.append(peer(peer_python, work, kind, ranks, 5)["training"])
        print(f"pair {pair}: {ours[-1]:>9,.0f} {theirs[-1]:>9,.0f} {ours[-1] / theirs[-1]:>7.2f}", flush=True)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = statistics.median(ours) / statistics.median(theirs)
    spread = f"pairs {min(ratios):.2f} to {max(ratios):.2f}"
    print(f"medians {statistics.median(ours):,.0f} and {statistics.median(theirs):,.0f}: {middle:.2f} times ({spread})")
    return {
        "env": work.env,
        "network": work.network,
        "ranks": ranks,
        "peer": f"{name} with {kind} environments: {trials[kind]['facts']}",
        "training": round(statistics.median(ours)),
        "peer_training": round(statistics.median(theirs)),
        "pairs": pairs,
        "ratio": round(middle, 2),
        "lowest_ratio": round(min(ratios), 2),
        "highest_ratio": round(max(ratios), 2),
    }


def peer(python: str, work: Work, kind: str, ranks: int, iterations: int) -> dict[str, Any]:
    """Return the peer's steps per second, with as many threads as there are ranks here, and its versions.

    Raises:
      UsageError: this Python lacks something; says what to install.
    """
    announce(f"{work.env}, Stable-Baselines3 with {kind} environments")
    threads = ranks if kind == "dummy" else 1
    asked = {"what": "speed", "kind": kind, "threads": threads, "iterations": iterations}
    return answer(peer_command(python, {**for_peer(work), **asked}))


def peer_command(python: str, request: dict[str, Any]) -> list[str]:
    """Return the command line that asks the peer; it then prints lines of JSON."""
    # Where it finds wrappers: ours, which need no more than Gymnasium, and the user's own.
    path = [str(Path(baselines_ppo.__file__).parents[1]), str(Path.cwd())]
    return [python, str(Path(__file__).with_name("peer.py")), json.dumps({"seed": 0, "path": path, **request})]
