"""Starting ranks from Python: a notebook's `train(config, ranks=4)` runs mpirun and shows what rank 0 prints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from baselines_ppo.common.failures import DataError, Failure, LoadError, UsageError, WriteError
from baselines_ppo.common.launcher import find_mpirun, launched_by_mpi
from baselines_ppo.common.networks import NETWORKS
from baselines_ppo.config import TrainConfig

if TYPE_CHECKING:
    from baselines_ppo.training_run import Result

FAILURES: dict[int, type[Failure]] = {kind.exit_code: kind for kind in (UsageError, DataError, LoadError, WriteError)}


def launch(ranks: int, config: TrainConfig, **arguments: Any) -> Result:
    """Train on `ranks` new processes; the arguments are those of `train`.

    The call travels to rank 0 through a pipe, an environment function and the registered networks by value
    (cloudpickle); no file holds it.

    Raises:
      Failure: the ranks ended with it; its message is on standard error.
    """
    from baselines_ppo.training_run import Result

    if launched_by_mpi():
        raise UsageError(f"ranks={ranks} inside a job that mpirun started; leave it out to train on its ranks")
    mpirun = find_mpirun()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "result.json"
        call = cloudpickle.dumps((config, arguments, NETWORKS, str(answer)))
        process = subprocess.Popen(
            [mpirun, "-np", str(ranks), sys.executable, "-m", "baselines_ppo.launch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt reaches mpirun once, from below, and not twice
        )
        try:
            exit_code = _show(process, call)
        finally:
            process.terminate()  # does nothing to one that has ended
        if not answer.exists():
            raise FAILURES.get(exit_code, Failure)(f"the ranks ended with exit code {exit_code}; see above")
        data = json.loads(answer.read_text())
    return Result(Path(data["folder"]), data["total_steps"], data["mean_return"], data["exit_code"])


def _show(process: subprocess.Popen[bytes], call: bytes) -> int:
    """Send the ranks their call and print what they print, so that it appears in a notebook's cell."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):  # mpirun has ended already; it says why
        process.stdin.write(call)
        process.stdin.close()
    while True:
        try:
            for line in process.stdout:
                print(line.decode(errors="replace"), end="", flush=True)
            return process.wait()
        except KeyboardInterrupt:  # a notebook's stop button; the ranks write a checkpoint and end
            process.send_signal(signal.SIGINT)


def _serve() -> int:
    """Run on each rank what `launch` sent; returns the exit code."""
    from baselines_ppo.common.mpi import world
    from baselines_ppo.train import train

    comm = world()
    # Rank 0 alone has mpirun's standard input. The bytes come from the parent process, from no file or network.
    call = comm.broadcast(sys.stdin.buffer.read() if comm.is_root else b"")
    config, arguments, networks, answer = cloudpickle.loads(call)
    NETWORKS.update(networks)
    result = train(config, **arguments)
    if comm.is_root:
        Path(answer).write_text(json.dumps({**result._asdict(), "folder": str(result.folder)}))
    return result.exit_code


if __name__ == "__main__":
    from baselines_ppo.common.threads import limit_threads

    limit_threads()
    from baselines_ppo.common.ending import run_job

    run_job(_serve)
