"""A run's result as a JSON record: `python -m benchmarks.record RUN ...`, from a checkout without changes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from baselines_ppo.common.files import checkpoint
from baselines_ppo.state.code import code_digest

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "benchmarks" / "records"
# Flags that change no result.
OWN = (
    "--logdir",
    "--name",
    "--save-interval",
    "--log-interval",
    "--progress",
    "--track",
    "--resume",
    "--timeout",
    "--grace",
)
OWN_WORDS = ("--quiet", "--table")  # likewise, without a value


def record_of(run: Path, commit: str) -> dict[str, Any]:
    """Return what a run folder says of its result: the raw return of its last training episodes, at most 100.

    Raises:
      ValueError: the run was not made by the code of this checkout, or is not finished.
    """
    found = checkpoint.find(run)[0]
    manifest, facts = found.manifest, json.loads((run / "config.json").read_text("utf-8"))
    if (codes := codes_of(manifest["lineage"], facts)) != {code_digest()}:
        raise ValueError(f"{run} was made by other code ({', '.join(sorted(codes))}) than this ({code_digest()})")
    if manifest["total_steps"] < facts["num_timesteps"]:
        raise ValueError(f"{run} is not finished: {manifest['total_steps']:,} of {facts['num_timesteps']:,} steps")
    returns = found.arrays["window"][:, 0]
    return {
        "flags": flags_of(facts["command"][1:]),
        "env": manifest["env"],
        "alg": facts["alg"],
        "seed": facts["seed"],
        "ranks": facts["ranks"],
        "steps": manifest["total_steps"],
        "episodes": len(returns),
        "mean_return": round(float(returns.mean()), 3),
        "std_return": round(float(returns.std()), 3),
        "minutes": round(manifest["seconds"] / 60, 1),
        "date": manifest["lineage"][0]["began"][:10],
        "commit": commit,
        "code": facts["code"],
        "platform": facts["platform"],
    }


def codes_of(lineage: list[dict[str, Any]], facts: dict[str, Any]) -> set[str]:
    """Return the digests of all code that a run was made by, part by part.

    Args:
      lineage: each start of the run, of its checkpoint.
      facts: of its newest start, from its `config.json`.
    """
    codes = [part.get("code", "not known") for part in lineage]
    return {facts["code"]} if codes == ["not known"] else {facts["code"], *codes}


def flags_of(arguments: list[str]) -> str:
    """Return a training's flags as they are typed, without its seed and what changes no result."""
    kept: list[str] = []
    skip = False
    for word in arguments:
        if word in OWN_WORDS:
            continue
        name, equals, _ = word.partition("=")
        dropped = name in (*OWN, "--seed")
        if not (skip or dropped):
            kept.append(word)
        skip = dropped and not equals
    return shlex.join(kept)


def main(runs: list[str]) -> int:
    """Write a record for each run folder; returns the exit code."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in changed.stdout.splitlines() if not line.endswith(".json")]
    if lines:
        sys.stderr.write("commit first: a record names the commit that it was made with\n")
        return 2
    RECORDS.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    for run in map(Path, runs):
        record = record_of(run, commit.stdout.strip())
        name = f"{record['env'].replace('/', '-')}-{record['alg']}-{record['seed']}-{record['steps']}.json"
        (RECORDS / name).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        print(RECORDS / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
