"""A sweep as an array job of Slurm: each task of it trains one run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from baselines_ppo.common.ending import say
from baselines_ppo.common.failures import FINISHED, UsageError, short
from baselines_ppo.common.files.whole import shown, write_whole, writing

SCRIPT, LOGS = "array.sh", "slurm-%a.log"
# The task is warned two minutes before its time is up; exit code 75 asks for more time.
TEXT = """\
#!/bin/bash
#SBATCH --job-name="{name}" --array=0-{last} --ntasks={ranks} --cpus-per-task=1 --nodes=1
#SBATCH --output="{logs}"
#SBATCH --signal=B:USR1@120 --requeue
{options}cd {here} || exit 1
{command} --only $SLURM_ARRAY_TASK_ID & pid=$!
trap 'kill -USR1 $pid' USR1
wait $pid; code=$?
kill -0 $pid 2>/dev/null && {{ wait $pid; code=$?; }}   # the first wait ends when the signal arrives
[ $code -eq 75 ] && scontrol requeue ${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
exit $code
"""


def write_script(folder: Path, runs: int, ranks: int, words: Sequence[str], options: str) -> Path:
    """Write the script of an array job into a sweep's folder; returns its path.

    Args:
      words: what is typed behind `python -m baselines_ppo.run` to make all runs.
      options: of sbatch, such as "--time=12:00:00 --partition=cpu".

    Raises:
      UsageError: an option is none.
      WriteError: the script cannot be written.
    """
    if any(not option.startswith("-") for option in options.split()[:1]) or "\n" in options:
        raise UsageError(f"--slurm is {short(options)}, expected options of sbatch such as --time=12:00:00")
    if {*'"%'} & {*str(folder)}:  # Slurm replaces % in the names of files
        raise UsageError(f'{shown(folder)} has a " or a % in its name, which Slurm does not take; rename it')
    text = TEXT.format(
        name=folder.name,
        last=runs - 1,
        ranks=ranks,
        logs=folder / LOGS,
        options=f"#SBATCH {options}\n" if options else "",
        here=shlex.quote(str(Path.cwd())),
        command=shlex.join([sys.executable, "-m", "baselines_ppo.run", *words]),
    )
    path = folder / SCRIPT
    write_whole(path, text)
    with writing(path):
        path.chmod(0o755)
    return path


def submit(script: Path) -> int:
    """Hand the script to sbatch where there is one, or say how to; returns the exit code."""
    if shutil.which("sbatch") is None:
        line = f"sbatch {shlex.quote(str(script))}"
        say(f"wrote {shown(script)}; there is no sbatch here: copy it to where there is one, and type {line}")
        return FINISHED
    code = subprocess.run(["sbatch", os.fspath(script)]).returncode
    if code == FINISHED:
        say("when all tasks have ended, the same command without --slurm makes the tables and the figure")
    return code
