"""Several commands in one job, which loads TensorFlow once: `python tests/series.py FLAGS + FLAGS + ...`."""

from __future__ import annotations

import sys

from baselines_ppo.common.job.threads import limit_threads

limit_threads()

from baselines_ppo.common.ending import run_job  # noqa: E402
from baselines_ppo.run.cli import main  # noqa: E402


def lines(arguments: list[str]) -> list[list[str]]:
    """Return the arguments between the plus signs."""
    ends = [k for k, argument in enumerate(arguments) if argument == "+"]
    return [arguments[i:k] for i, k in zip([0, *(k + 1 for k in ends)], [*ends, len(arguments)], strict=True)]


if __name__ == "__main__":
    run_job(lambda: max(main(line) for line in lines(sys.argv[1:])))
