"""Training under kills ends like one without, bit for bit: `python tests/soak.py --minutes 20 -- --env Humanoid-v4`.

Ranks are killed at random, about once a minute, while `launch` starts them again; then the same training runs
undisturbed, and all that the last checkpoints hold is compared.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from baselines_ppo.common.files import checkpoint


def main() -> int:
    """Run both; returns 0 if they end alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=20, help="after which nothing is killed any more")
    parser.add_argument("--every", type=float, default=60, help="seconds between kills, on average")
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    parser.add_argument("training", nargs=argparse.REMAINDER, help="-- and the flags of the training")
    options = parser.parse_args()
    flags = [flag for flag in options.training if flag != "--"]
    killed = run(options.ranks, [*flags, "--logdir", str(options.folder / "killed")], options.minutes, options.every)
    run(options.ranks, [*flags, "--logdir", str(options.folder / "whole")], 0, 0)
    one, other = (checkpoint.find(options.folder / name)[0].arrays for name in ("killed", "whole"))
    different = [name for name in one if name not in other or one[name].tobytes() != other[name].tobytes()]
    print(f"{killed} kills; {len(one)} arrays, different: {', '.join(different) or 'none'}")
    return int(bool(different) or set(one) != set(other))


def run(ranks: int, flags: list[str], minutes: float, every: float) -> int:
    """Run a training under `launch`, killing a random rank now and then; returns how often."""
    command = [
        sys.executable,
        "-m",
        "baselines_ppo.run",
        "launch",
        "-n",
        str(ranks),
        "--restarts",
        "1000",
        "--",
        *flags,
    ]
    end, kills, rng = time.monotonic() + 60 * minutes, 0, random.Random(0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as job:
        next_kill = time.monotonic() + rng.expovariate(1 / every) if every else float("inf")
        while job.poll() is None:
            time.sleep(0.2)
            if next_kill < time.monotonic() < end:
                victims = ranks_of(flags[-1])
                if victims:
                    os.kill(rng.choice(victims), signal.SIGKILL)
                    kills += 1
                next_kill = time.monotonic() + rng.expovariate(1 / every)
    if job.returncode:
        sys.exit(f"launch ended with exit code {job.returncode}")
    return kills


def ranks_of(logdir: str) -> list[int]:
    """Return the processes that train in this folder, without mpirun and its like."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"python" in words[0] and logdir.encode() in words and b"launch" not in words:
            found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
