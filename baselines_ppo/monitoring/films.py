"""Films on the way: an episode of the policy as it is, by `record` in a process of its own.

That process has its own environment, its own random streams and its own OpenGL, so that a training cannot notice it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO

from baselines_ppo.common.envs.process_state import ProcessState
from baselines_ppo.common.failures import Failure, LoadError, UsageError, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.run_folder import FILMS, RunFolder
from baselines_ppo.common.job.launcher import environment_of_one, python_like_this
from baselines_ppo.common.job.parent import ending_with_parent
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.state.run_state import RunState
from baselines_ppo.state.snapshot import agent_facts

KIND = ".gif"  # which browsers, notebooks and TensorBoard show
LONGEST = 300.0  # s, that a film may take
LOOK = 1.0  # s, between two signs of life
RECORD = (
    "from baselines_ppo.common.job.threads import limit_threads; limit_threads(); "
    "from baselines_ppo.common.ending import run_job; from baselines_ppo.run.cli import main; "
    "run_job(lambda: main(sys.argv[1:]))"
)


class Films:
    """Makes films into a run's folder, on rank 0; what stands in the way of one is told and does no harm."""

    def __init__(self, state: RunState, folder: RunFolder, process: ProcessState) -> None:
        """Note where this process imports modules from."""
        self._state, self._folder, self._asked = state, folder.path / FILMS, process.signals.asked
        self._python = python_like_this(RECORD, process.folder)
        self._go_on = True

    def is_due(self, last: bool) -> bool:
        """Return whether the policy as it is is filmed, the same on all ranks; `last`: there is no other."""
        interval = self._state.config.film_interval
        return interval is not None and (last or self._state.counters.iteration % interval == 0)

    def film(self) -> Path | None:
        """Return the file of a new film; None, with a line on why, where there is none."""
        if not self._go_on:
            return None
        iteration = self._state.counters.iteration
        path = self._folder / f"{iteration:08d}{KIND}"
        try:
            reason = self._recorded(path)
        except OSError as error:
            reason = error.strerror or str(error)
        except Failure as failure:
            reason = str(failure)
        if not reason:
            return path
        more = "" if self._go_on else ", and no more are tried"
        sys.stderr.write(f"warning: no film of iteration {iteration}{more}: {reason}; training goes on\n")
        return None

    def _recorded(self, path: Path) -> str:
        """Write a film; returns what stands in the way."""
        self._folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as said:
            agent = checkpoint.save(Path(place), "agent", *agent_facts(self._state))
            line = [*self._python, "record", str(agent), *self._flags(), "--out", str(path)]
            process = subprocess.Popen(
                line,
                env=environment_of_one(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a Ctrl-C is the training's
                preexec_fn=ending_with_parent(),
            )
            try:
                return self._waited(process, said)
            finally:
                process.kill()  # does nothing to one that has ended
                process.wait()

    def _waited(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
        """Wait for the film, with signs of life; returns what stood in the way."""
        begun, alive = monotonic(), self._state.comm.alive
        while process.poll() is None:
            alive.note(f"filming, {monotonic() - begun:.0f} s")
            if monotonic() - begun > LONGEST:
                return f"it was not ready after {LONGEST:.0f} s"
            if self._asked() is not None:
                return "a stop was asked for"
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
        if process.returncode == 0:
            return ""
        self._go_on = process.returncode not in (UsageError.exit_code, LoadError.exit_code)  # which come again
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return short((errors or lines or [f"exit code {process.returncode}"])[-1])

    def _flags(self) -> list[str]:
        """Return the flags of `record`; what the training's own user has named may be imported."""
        config = self._state.config
        named = {
            "--env": config.env,
            "--env-kwargs": config.env_kwargs,
            "--wrapper": ",".join(config.wrapper),
            "--network": config.policy.network if ":" in config.policy.network else "",
            "--seed": str(config.seed),
            "--episodes": "1",
        }
        return [word for flag, value in named.items() if value for word in (flag, value)]


def check_filmed(config: TrainConfig, environment: object) -> None:
    """Check that a run can be filmed, if it is to be.

    Raises:
      UsageError: a function makes its environments, which does not leave this process.
    """
    if config.film_interval is not None and environment is not None:
        raise UsageError(
            "--film-interval films what the id of an environment makes, and `environment` is a function; register the "
            "environment in a module, and give configure its module:Id"
        )
