"""The real command with a fault planted on one rank: `python tests/faults.py FAULT [flags of the command]`.

A fault written as `stub+FAULT` runs with a learner of a few numpy lines, which starts in a second instead of ten.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from baselines_ppo.common.job.threads import limit_threads

limit_threads()

import numpy as np  # noqa: E402

from baselines_ppo import algorithm, start  # noqa: E402
from baselines_ppo.common.ending import run_job  # noqa: E402
from baselines_ppo.common.envs.vec_env import VecEnv  # noqa: E402
from baselines_ppo.common.failures import DataError, LoadError  # noqa: E402
from baselines_ppo.common.files import checkpoint  # noqa: E402
from baselines_ppo.common.job.launcher import launched_rank, launched_size  # noqa: E402
from baselines_ppo.common.job.tensorflow_start import start_tensorflow  # noqa: E402
from baselines_ppo.common.policy.policy import Policy  # noqa: E402
from baselines_ppo.common.rollout import Collector, Rollout  # noqa: E402
from baselines_ppo.run.cli import main  # noqa: E402
from baselines_ppo.training_run import TrainingRun  # noqa: E402

WHEN = 3  # iteration at which faults strike


class Stub:
    """A learner that moves its parameters by what it saw, the same on all ranks."""

    def __init__(self, policy: Policy, comm: Any, environments: range) -> None:
        self.policy, self.comm, self.environments, self.updates = policy, comm, environments, 0

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        self.updates += 1
        step = self.comm.sum(np.array([rollout.rewards.mean()], np.float64))[0] / self.comm.size
        self.policy.parameters = (self.policy.parameters + np.float32(1e-3 * step)).astype(np.float32)
        return {"approx_kl": 0.0}

    def state(self) -> dict[str, np.ndarray]:
        return {"parameters": self.policy.parameters, "adam/step": np.int64(self.updates)}

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        self.policy.parameters, self.updates = state["parameters"], int(state["adam/step"])

    def environment_state(self) -> list[dict[str, np.ndarray]]:
        return [{} for _ in self.environments]

    def restore_environments(self, states: list[dict[str, np.ndarray]]) -> None:
        assert states == self.environment_state()


def use_stub(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Leave TensorFlow out: in this process for ever, or as `put` does it."""
    put(start, "start_tensorflow", lambda alone=False: None)
    put(algorithm, "find_learner", lambda name: lambda config, *parts: Stub(*parts))
    put(start, "trackers_of", lambda track, say: {})


def on_rank(rank: int, action: Callable[[], None]) -> Callable[[], None]:
    """Return the action, done on one rank only."""
    return lambda: action() if launched_rank() == rank else None


def before(owner: Any, name: str, action: Callable[[], None], call: int = WHEN) -> None:
    """Do something before the n-th call of a method."""
    original, calls = getattr(owner, name), [0]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            action()
        return original(*arguments, **named)

    setattr(owner, name, wrapped)


def fail() -> None:
    raise ValueError("planted fault")


def no_space() -> None:
    raise OSError(28, "No space left on device")


def fail_in_thread() -> None:
    threading.Thread(target=fail).start()
    time.sleep(1)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def nudge(run_class: type[TrainingRun]) -> None:
    """Move one parameter of rank 1 by its last bit after an update."""
    original = run_class.learn

    def learn(self: TrainingRun, rollout: Rollout) -> dict[str, float]:
        metrics = original(self, rollout)
        if launched_rank() == 1 and self.counters.iteration == WHEN:
            state = {name: x.copy() for name, x in self.algorithm.state().items()}
            state["parameters"][7] = np.nextafter(state["parameters"][7], np.float32(np.inf))
            self.algorithm.restore(state)
        return metrics

    run_class.learn = learn  # type: ignore[method-assign]


def nan_gradient() -> None:
    """Give rank 1 advantages that are not numbers, after the ranks have found their moments together."""
    start_tensorflow()
    from baselines_ppo import ppo2

    original, calls = ppo2.moments_per_minibatch, [0]

    def moments(
        advantages: np.ndarray, indices: np.ndarray, comm: Any, shards: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        calls[0] += 1
        mean, std = original(advantages, indices, comm, shards)
        if launched_rank() == 1 and calls[0] == WHEN + 1:
            mean[0, 0] = np.nan
        return mean, std

    ppo2.moments_per_minibatch = moments


def hang() -> None:
    """Stand still where signals cannot help: Python's own sleep would be woken."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
    threading.Event().wait(120)


def out_of_step(comm_method: str, **named: Any) -> Callable[[], None]:
    """Let rank 1 make a call of its own before the third iteration's."""

    def plant() -> None:
        original, calls = TrainingRun.count, [0]

        def count(self: TrainingRun, *arguments: Any) -> None:
            calls[0] += 1
            if launched_rank() == 1 and calls[0] == WHEN:
                getattr(self.comm, comm_method)(np.zeros(1, np.int64), **named)
            original(self, *arguments)

        TrainingRun.count = count  # type: ignore[method-assign, assignment]

    return plant


def swapped(comm_method: str) -> Callable[[], None]:
    """Let rank 1 make two calls of the same size the other way round."""

    def plant() -> None:
        original, calls = TrainingRun.log, [0]

        def log(self: TrainingRun, *arguments: Any) -> None:
            calls[0] += 1
            if calls[0] == WHEN:
                names = ("losses", "gradients") if launched_rank() else ("gradients", "losses")
                for name in names:
                    getattr(self.comm, comm_method)(np.ones(3, np.float32), name)
            original(self, *arguments)

        TrainingRun.log = log  # type: ignore[method-assign, assignment]

    return plant


def long_iterations() -> None:
    """Take a second for each iteration, and half a minute for the third."""
    calls, original = [0], Collector.collect

    def collect(self: Collector, *arguments: Any) -> Rollout:
        calls[0] += 1
        threading.Event().wait(30 if calls[0] == WHEN else 1)
        return original(self, *arguments)

    Collector.collect = collect  # type: ignore[method-assign, assignment]


def deaf() -> None:
    """Compute for half a minute without a moment in which Python could handle a signal."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 50_000_000)


def slow_close() -> None:
    """Take four seconds to close the environments."""
    VecEnv.close = lambda self: time.sleep(4)  # type: ignore[method-assign]


def hanging_close() -> None:
    """Never come back from closing the environments of the last of one or two ranks."""
    VecEnv.close = lambda self: hang() if launched_rank() == launched_size() - 1 else None  # type: ignore[method-assign]


def leaving_close() -> None:
    """Leave the process, as if all were well, when the environments are closed."""
    VecEnv.close = lambda self: os._exit(0)  # type: ignore[method-assign]


def interrupted_close() -> None:
    """Have a person type Ctrl-C twice while the environments are closed."""

    def close(self: VecEnv) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    VecEnv.close = close  # type: ignore[method-assign]


def other_versions() -> None:
    """Let rank 1 have another version of a package than rank 0."""
    from baselines_ppo import handshake

    original = handshake.platform_facts
    handshake.platform_facts = lambda: {**original(), **({"numpy": "0.0"} if launched_rank() == 1 else {})}


def nap() -> None:
    """Delay rank 1 at random before every collective of the loop."""
    rng, original = np.random.default_rng(0), Collector.collect

    def collect(self: Collector, *arguments: Any) -> Rollout:
        time.sleep(rng.uniform(0, 1))
        return original(self, *arguments)

    if launched_rank() == 1:
        Collector.collect = collect  # type: ignore[method-assign, assignment]


def fail_differently() -> None:
    if launched_rank() == 1:
        raise DataError("bad data on rank 1")
    raise LoadError("bad file on rank 0")


def signal_self(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "raise-start": lambda: before(start, "make_environments", on_rank(1, fail), 1),
    "raise-collect": lambda: before(Collector, "collect", on_rank(1, fail)),
    "raise-learn": lambda: before(TrainingRun, "learn", on_rank(1, fail)),
    "raise-log-root": lambda: before(TrainingRun, "log", on_rank(0, fail)),
    "raise-save-root": lambda: before(checkpoint, "save", on_rank(0, fail)),
    "exit-0": lambda: before(Collector, "collect", on_rank(1, lambda: sys.exit(0))),
    "exit-3": lambda: before(Collector, "collect", on_rank(1, lambda: sys.exit(3))),
    "thread": lambda: before(Collector, "collect", on_rank(1, fail_in_thread)),
    **{f"kill-{k}": lambda k=k: before(Collector, "collect", on_rank(k, kill)) for k in range(3)},  # type: ignore[misc]
    "kill-in-save": lambda: before(checkpoint, "_sync_folder", on_rank(0, kill)),
    "term-1": lambda: before(Collector, "collect", on_rank(1, signal_self(signal.SIGTERM))),
    "usr1-0": lambda: before(Collector, "collect", on_rank(0, signal_self(signal.SIGUSR1))),
    "int-0": lambda: before(Collector, "collect", on_rank(0, signal_self(signal.SIGINT))),
    "ulp": lambda: nudge(TrainingRun),
    "nan-gradient": nan_gradient,
    "slow": lambda: before(Collector, "collect", lambda: time.sleep(30)),
    "deaf": lambda: before(TrainingRun, "learn", deaf),
    "hang-1": lambda: before(Collector, "collect", on_rank(1, hang)),
    "hang-0": lambda: before(Collector, "collect", on_rank(0, hang)),
    "stop-1": lambda: before(Collector, "collect", on_rank(1, signal_self(signal.SIGSTOP))),
    "extra-sum": out_of_step("sum", of="an extra"),
    "extra-stack": out_of_step("stack", of="an extra"),
    "swapped-sums": swapped("sum"),
    "swapped-stacks": swapped("stack"),
    "long": long_iterations,
    "slow-close": slow_close,
    "hang-close": hanging_close,
    "leave-close": leaving_close,
    "interrupt-close": interrupted_close,
    "other-versions": other_versions,
    "nap-1": nap,
    "different": lambda: before(Collector, "collect", fail_differently),
    "full-disk-once": lambda: before(checkpoint, "_write_synced", no_space, 5),
    "full-disk-last": lambda: before(checkpoint, "_write_synced", no_space, 3),
}


if __name__ == "__main__":
    sys.path.insert(0, "")  # the current folder, as with `python -m`
    fault = sys.argv[1]
    if fault.startswith("stub+"):
        use_stub()
        fault = fault.removeprefix("stub+")
    FAULTS[fault]()
    run_job(lambda: main(sys.argv[2:]))
