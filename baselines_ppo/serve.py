"""What a rank does that `launch` has started: take the call, train, leave an answer."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import cloudpickle

from baselines_ppo.algorithm import LEARNERS
from baselines_ppo.common.ending import run_job
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.job.launcher import launched_rank
from baselines_ppo.common.mpi import world
from baselines_ppo.common.policy.networks import NETWORKS
from baselines_ppo.launch import Call
from baselines_ppo.settings.config import TEXTBOOK
from baselines_ppo.train import train


def serve() -> None:
    """Run on each rank what `launch` sent; ends the process."""
    folder: list[Path] = []

    def tell(exit_code: int, failure: str) -> None:
        for path in folder:
            _write(path, {"exit_code": exit_code, "failure": failure})

    run_job(lambda: _serve(folder), tell)


def _serve(folder: list[Path]) -> int:
    comm = world()
    # Rank 0 alone has mpirun's standard input. The bytes come from the parent process, from no file or network.
    where, packed = cloudpickle.loads(comm.broadcast(sys.stdin.buffer.read() if comm.is_root else b""))
    folder.append(Path(where))
    call = _unpacked(packed)
    result = train(call.config, **call.arguments)
    if comm.is_root:
        _write(Path(where), {**result._asdict(), "folder": str(result.folder)})
    return result.exit_code


def _unpacked(packed: bytes) -> Call:
    """Return the call, after what it needs was put where it is looked for."""
    try:
        call: Call = cloudpickle.loads(packed)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the ranks cannot import what the environment is made of: {short(error)}") from None
    NETWORKS.update(call.networks)
    for name, (textbook, learner) in call.algorithms.items():
        TEXTBOOK[name], LEARNERS[name] = textbook, learner
    vars(sys.modules["__main__"]).update(call.main)
    sys.argv = call.argv
    if call.specs:
        import gymnasium

        gymnasium.registry.update(call.specs)
    return call


def _write(folder: Path, answer: dict[str, Any]) -> None:
    """Leave an answer of this rank whole, or none."""
    path = folder / f"{launched_rank():05d}.json"
    with suppress(OSError):
        path.with_suffix(".tmp").write_text(json.dumps(answer), "utf-8")
        path.with_suffix(".tmp").rename(path)
