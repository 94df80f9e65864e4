"""What `sweep` does: make the runs here, list them, or hand them to Slurm."""

from __future__ import annotations

import sys
from typing import Any

from baselines_ppo.common.ending import say
from baselines_ppo.common.failures import FINISHED
from baselines_ppo.experiments.jobs import stage
from baselines_ppo.experiments.sweep import Plan, planned, run
from baselines_ppo.experiments.sweeping import record
from baselines_ppo.experiments.sweeping.slurm import submit, write_script

HERE = ("jobs", "only", "list", "slurm")  # flags that say what is done with the sweep, not what it is


def sweep_command(options: dict[str, Any]) -> int:
    """Do as the flags say; returns the exit code."""
    unsaid = [name for name in ("logdir", "ranks") if options[name] is None]
    keys = {name: value for name, value in options.items() if name not in (*HERE, *unsaid)}
    plan = planned(keys.pop("file"), keys)
    if options["list"]:
        say(_listed(plan))
        return FINISHED
    if options["slurm"] is not None:
        record.keep(plan.folder, plan.cases, plan.ranks)
        words = without_slurm(sys.argv[1:])
        return submit(write_script(plan.folder, len(plan.cases), plan.ranks, words, options["slurm"]))
    return run(plan, options["jobs"], options["only"]).exit_code


def _listed(plan: Plan) -> str:
    """Return the runs with their numbers and stages."""
    stages = [stage(plan.folder / case.name, case.config.num_timesteps) for case in plan.cases]
    return "\n".join(f"{case.number:4d}  {at:6s}{case.name}" for case, at in zip(plan.cases, stages, strict=True))


def without_slurm(words: list[str]) -> list[str]:
    """Return what was typed without --slurm and its options."""
    kept = [word for word in words if not word.startswith("--slurm=")]
    if "--slurm" in kept:
        at = kept.index("--slurm")
        end = at + 1 + (kept[at + 1 : at + 2] != [] and not kept[at + 1].startswith("-"))
        kept = kept[:at] + kept[end:]
    return kept
