"""Starting ranks from Python: a notebook's `train(config, ranks=4)` runs mpirun and shows what rank 0 prints."""

from __future__ import annotations

import codecs
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle

from baselines_ppo.algorithm import LEARNERS
from baselines_ppo.common.failures import DataError, Failure, LoadError, UsageError, WriteError, short
from baselines_ppo.common.job.launcher import find_mpirun, launched_by_mpi, python_like_this, why
from baselines_ppo.common.policy.networks import NETWORKS
from baselines_ppo.common.screen.bar import in_notebook
from baselines_ppo.common.screen.choice import AUTO, BAR
from baselines_ppo.result import Result
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, resolve

FAILURES: dict[int, type[Failure]] = {kind.exit_code: kind for kind in (UsageError, DataError, LoadError, WriteError)}
# What a rank does.
BEGIN = (
    "from baselines_ppo.common.job.threads import limit_threads; limit_threads(); "
    "from baselines_ppo.serve import serve; serve()"
)
MAIN = "__main__:"


class Call(NamedTuple):
    """What the ranks are to do, and what they need for it that no module of theirs has."""

    config: TrainConfig
    arguments: dict[str, Any]
    networks: dict[str, Any]  # the configuration's, by the name under which it is registered
    algorithms: dict[str, tuple[TrainConfig, Any]]  # likewise, its textbook and its learner
    specs: dict[str, Any]  # Gymnasium's registration of the environment
    main: dict[str, Any]  # what is named as `__main__:NAME`
    argv: list[str]


def launch(ranks: int, config: TrainConfig, **arguments: Any) -> Result:
    """Train on `ranks` new processes of this host; the arguments are those of `train`.

    They have this process's folder, path and environment variables. The call travels to rank 0 through a pipe, what
    was defined in this script or notebook by value (cloudpickle); no file holds it.

    Raises:
      UsageError: so many ranks cannot share the environments.
      Failure: that of the ranks.
    """
    if launched_by_mpi():
        raise UsageError(f"ranks={ranks} inside a job that mpirun started; leave it out to train on its ranks")
    resolve(config, ranks)  # before there are processes, which may be many
    if config.progress == AUTO and in_notebook():
        config = replace(config, progress=BAR)  # the ranks write to a pipe and cannot know
    mpirun = find_mpirun()
    with tempfile.TemporaryDirectory() as folder:
        line = [mpirun, "-np", str(ranks), *python_like_this(BEGIN, Path.cwd())]
        call = _packed(config, arguments)
        with subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt reaches mpirun once, from below, and not twice
        ) as process:
            try:
                exit_code = _show(process, cloudpickle.dumps((folder, call)))
            finally:
                process.terminate()  # does nothing to one that has ended
        data = _answer(Path(folder), exit_code)
    return Result(**{**data, "folder": Path(data["folder"])})


def _packed(config: TrainConfig, arguments: dict[str, Any]) -> bytes:
    """Return the call as bytes.

    Raises:
      UsageError: something of it cannot leave this process.
    """
    gymnasium = sys.modules.get("gymnasium")
    spec = None if gymnasium is None else gymnasium.registry.get(config.env.rpartition(":")[2])
    named = [config.env, *config.wrapper, config.policy.network, getattr(spec, "entry_point", None)]
    names = [name.removeprefix(MAIN) for name in named if isinstance(name, str) and name.startswith(MAIN)]
    own = vars(sys.modules["__main__"])
    main = {name: own[name] for name in names if name in own}
    specs = {} if spec is None else {spec.id: spec}
    networks = {name: made for name, made in NETWORKS.items() if name == config.policy.network}
    algorithms = {name: (TEXTBOOK[name], learner) for name, learner in LEARNERS.items() if name == config.alg}
    try:
        return cloudpickle.dumps(Call(config, arguments, networks, algorithms, specs, main, sys.argv))
    except Exception as error:  # whatever the objects' own ways of being pickled raise
        reason = short(f"{type(error).__name__}: {error}")
        raise UsageError(
            f"the environment or the callback cannot be sent to the ranks: {reason}; make what it needs in its function"
        ) from None


def _answer(folder: Path, exit_code: int) -> dict[str, Any]:
    """Return the result that rank 0 wrote down.

    Raises:
      Failure: a rank wrote down that instead, or nothing; of several, that of the lowest.
    """
    answers = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    for answer in answers:
        if "failure" in answer:
            raise FAILURES.get(answer["exit_code"], Failure)(answer["failure"])
    if not answers:
        raise FAILURES.get(exit_code, Failure)(f"{why(exit_code)}; what the ranks said is above")
    return answers[0]


def _show(process: subprocess.Popen[bytes], call: bytes) -> int:
    """Send the ranks their call and print what they print, so that it appears in a notebook's cell."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):  # mpirun has ended already; it says why
        process.stdin.write(call)
        process.stdin.close()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            while said := process.stdout.read1():  # type: ignore[attr-defined]  # it is buffered
                print(decoder.decode(said), end="", flush=True)
            return process.wait()
        except KeyboardInterrupt:  # a notebook's stop button; the ranks write a checkpoint and end
            process.send_signal(signal.SIGINT)
