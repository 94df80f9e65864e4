"""The entry point: `mpirun -np 16 python -m baselines_ppo.run --env Humanoid-v4`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from baselines_ppo.common.job.threads import limit_threads

limit_threads()  # before anything imports numpy

from baselines_ppo.common.ending import run_job  # noqa: E402
from baselines_ppo.run.cli import main  # noqa: E402
from baselines_ppo.run.program import SCRIPT  # noqa: E402


def command() -> NoReturn:
    """Run what is typed; the script `baselines-ppo` calls this, too, and finds modules where Python would."""
    if Path(sys.argv[0]).name == SCRIPT:
        sys.path.insert(0, str(Path.cwd()))
    run_job(lambda: main(sys.argv[1:]))


if __name__ == "__main__":
    command()
