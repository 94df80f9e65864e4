"""Records of runs: `python -m benchmarks.record SWEEP_OR_RUN ...` evaluates each and writes it down as JSON.

A record says what a run was, its learning curve, the return of its last training episodes, and the return of its last
policy over 100 episodes of other seeds. It is made from a checkout without changes, of the code that made the run.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.failures import Failure
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.common.job.threads import limit_threads
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.curves import Curve, curve_of
from baselines_ppo.experiments.runs import find_runs, read_run
from baselines_ppo.settings.config import from_json, to_json
from baselines_ppo.state.code import code_digest
from benchmarks.rows import RECORDS, ROOT, TRAINING, comparable, row_name

EVALUATION_SEED = 1_000  # beside the streams of a training; the same episodes for all seeds of a row
EPISODES = 100
MOST_POINTS = 120  # of a curve
SOME_MISSING = 1  # exit code: a run has no record
WITHOUT_EFFECT = (":!docs", ":!*.md", ":!benchmarks/records", ":!benchmarks/bars.toml")  # on what a run comes to


def record_of(run: Path, commit: str, episodes: int = EPISODES) -> dict[str, Any]:
    """Return what a run comes to: its own last returns, and an evaluation of its last policy.

    Args:
      commit: of this checkout.
      episodes: of the evaluation, in each of the two kinds of actions.

    Raises:
      ValueError: the run was not made by the code of this checkout, began with an agent, or is not finished.
    """
    found = checkpoint.find(run)[0]
    manifest, facts = found.manifest, json.loads((run / "config.json").read_text("utf-8"))
    if (codes := codes_of(manifest["lineage"], facts)) != {code_digest()}:
        raise ValueError(f"{run} was made by other code ({', '.join(sorted(codes))}) than this ({code_digest()})")
    if manifest["total_steps"] < facts["num_timesteps"]:
        raise ValueError(f"{run} is not finished: {manifest['total_steps']:,} of {facts['num_timesteps']:,} steps")
    if "stages" in manifest:
        raise ValueError(f"{run} began with an agent (--load-path); a row of the benchmark begins with nothing")
    returns, curve = found.arrays["window"][:, 0], curve_of(read_run(run))
    config = from_json(manifest["config"])
    settings = json.loads(json.dumps(to_json(config)))
    return {
        "row": row_name(config),
        "env": facts["env"],
        "alg": facts["alg"],
        "seed": facts["seed"],
        "ranks": facts["ranks"],
        "steps": manifest["total_steps"],
        TRAINING: {
            "episodes": len(returns),
            "mean": round(float(returns.mean()), 3),
            "std": round(float(returns.std()), 3),
        },
        "evaluation": {"episodes": episodes, "seed": EVALUATION_SEED},
        **evaluated(found, facts, episodes),
        "minutes": round(manifest["seconds"] / 60, 2),
        "steps_per_second": round(manifest["total_steps"] / manifest["seconds"]),
        "began": manifest["lineage"][0]["began"],
        "commit": commit,
        "code": facts["code"],
        "platform": facts["platform"],
        "settings": {name: settings[name] for name in settings if name in {**comparable(settings), "seed": 0}},
        "curve": thinned(curve),
        "curve_sha256": curve_digest(curve),
    }


def evaluated(found: checkpoint.Checkpoint, facts: dict[str, Any], episodes: int) -> dict[str, Any]:
    """Return the raw return of a run's last policy by kind of action, over episodes that no training has seen."""
    from baselines_ppo.run.agents.scoring import measure, score_of, trusted  # starts MPI

    wrapper = tuple(facts["wrapper"])
    agent, spec = trusted(str(found.path), facts["env"], wrapper or None, None, facts["env_kwargs"] or None)
    played = measure(agent, spec, episodes, EVALUATION_SEED)
    scores = {mode: asdict(score_of(outcomes)) for mode, outcomes in played.items()}
    return {
        mode: {name: round(value, 3) for name, value in score.items() if value is not None}
        for mode, score in scores.items()
    }


def thinned(curve: Curve) -> dict[str, list[float]]:
    """Return points of a curve, evenly chosen, first and last among them, each as it is in the log."""
    chosen = np.linspace(0, len(curve.x) - 1, min(len(curve.x), MOST_POINTS)).round().astype(int)
    return {"steps": [int(x) for x in curve.x[chosen]], "returns": [float(y) for y in curve.y[chosen]]}


def curve_digest(curve: Curve) -> str:
    """Return what tells whether two whole curves are the same numbers."""
    return hashlib.sha256(np.stack(curve).astype("<f8").tobytes()).hexdigest()[:16]


def codes_of(lineage: list[dict[str, Any]], facts: dict[str, Any]) -> set[str]:
    """Return the digests of all code that a run was made by, part by part.

    Args:
      lineage: each start of the run, of its checkpoint.
      facts: of its newest start, from its `config.json`.
    """
    codes = [part.get("code", "not known") for part in lineage]
    return {facts["code"]} if codes == ["not known"] else {facts["code"], *codes}


def place_of(record: dict[str, Any], folder: Path = RECORDS) -> Path:
    """Return the file of a record."""
    return folder / str(record["row"]) / f"seed-{record['seed']}.json"


def is_recorded(run: Path, episodes: int, folder: Path = RECORDS) -> bool:
    """Return whether there is a record of this very run, with as many episodes of evaluation, of this code."""
    try:
        facts = json.loads((run / "config.json").read_text("utf-8"))
        manifest = checkpoint.find(run)[0].manifest
        name = {"row": row_name(from_json(manifest["config"])), "seed": facts["seed"]}
        record = json.loads(place_of(name, folder).read_text("utf-8"))
        same = (record["code"], record["began"]) == (code_digest(), manifest["lineage"][0]["began"])
        return same and record["evaluation"]["episodes"] == episodes
    except (OSError, ValueError, LookupError, Failure):
        return False


def written(record: dict[str, Any]) -> str:
    """Return a record as JSON, a line for each of its parts."""
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items()) + "\n}\n"


def make(run: Path, commit: str, episodes: int) -> str:
    """Write a run's record; returns why there is none, '' where there is one."""
    try:
        record = record_of(run, commit, episodes)
    except (OSError, ValueError, LookupError, Failure) as error:
        return str(error)
    place = place_of(record)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(written(record), "utf-8")
    return ""


def main(arguments: Sequence[str]) -> int:
    """Write a record for each run that has none; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__)
    parser.add_argument("places", nargs="+", metavar="SWEEP_OR_RUN")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="runs that are evaluated at once")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of the evaluation, for each kind of actions")
    options = parser.parse_args(arguments)
    if git("status", "--porcelain", "--", ".", *WITHOUT_EFFECT):
        sys.stderr.write("commit first: a record names the commit that it was made with\n")
        return 2
    limit_threads()  # of the processes that are begun, too
    try:
        runs = [run.path for run in find_runs(options.places)]
    except Failure as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code
    new = [run for run in runs if not is_recorded(run, options.episodes)]
    print(f"{counted(len(runs), 'run')}, {len(runs) - len(new)} of them recorded already", flush=True)
    work = functools.partial(make, commit=git("rev-parse", "HEAD"), episodes=options.episodes)
    missing = 0
    with ProcessPoolExecutor(max(1, options.jobs), multiprocessing.get_context("spawn")) as pool:
        for run, why in zip(new, pool.map(work, new), strict=True):
            print(f"{run}: {why or 'recorded'}", flush=True)
            missing += bool(why)
    return SOME_MISSING if missing else 0


def git(*words: str) -> str:
    """Return what git says of this checkout."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
