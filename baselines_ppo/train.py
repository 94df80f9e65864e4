"""The training loop, and `train`, which starts it from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.result import Result
from baselines_ppo.settings.config import TrainConfig, all_fields
from baselines_ppo.settings.elsewhere import meant_argument

if TYPE_CHECKING:
    from baselines_ppo.monitoring.callback import Callback
    from baselines_ppo.training_run import TrainingRun


def train(
    config: TrainConfig,
    ranks: int | None = None,
    *,
    logdir: str | Path | None = None,
    resume: str | Path | None = None,
    load_path: str | Path | None = None,
    environment: Callable[[], Any] | None = None,
    override: tuple[str, ...] = (),
    callback: Callback | None = None,
    **unknown: NoReturn,
) -> Result:
    """Train as `config` says, on this process's ranks or on `ranks` of its own.

    Args:
      config: from `configure`.
      ranks: start this many under mpirun, as a notebook needs; None: those that mpirun started, or one.
      logdir: a new folder for the run; by default `runs/<env>/<alg>-<date>-<seed>`.
      resume: a run folder to go on with, or a checkpoint to begin a new run folder from.
      load_path: an agent, checkpoint or run folder whose policy and statistics to begin from. Its std is kept where
        `config` has `init_log_std=0`; some presets have another.
      environment: function that makes one environment, instead of the id in `config`.
      override: names of fields that may differ from those of the resumed run, such as "learning_rate".
      callback: is called on rank 0 after each iteration with a `TrainingProgress`.

    Raises:
      Failure: see its subclasses in `baselines_ppo.common.failures`.

    >>> from baselines_ppo import configure, load, train
    >>> config = configure("CartPole-v1", preset="none", num_envs=2, num_steps=32, num_timesteps=64)
    >>> result = train(config, logdir="first")  # doctest: +ELLIPSIS
    ppo2 on CartPole-v1...
    >>> result.total_steps, load(result.folder).env_id
    (64, 'CartPole-v1')
    """
    _check_arguments(config, ranks, callback, unknown)
    if ranks is not None and ranks > 1:
        from baselines_ppo.launch import launch  # needs cloudpickle, which nothing else does

        paths = {"logdir": logdir, "resume": resume, "load_path": load_path}
        return launch(ranks, config, **paths, environment=environment, override=override, callback=callback)

    import numpy as np  # like the next, more than `--help` needs

    from baselines_ppo.common.ending import closed_late, inside_job, protected
    from baselines_ppo.common.job.signals import StopSignals
    from baselines_ppo.start import start

    def run_all() -> Result:
        with closed_late() as stack:
            signals = stack.enter_context(StopSignals(inside_job()))
            paths = {"logdir": logdir, "resume": resume, "load_path": load_path}
            run = start(config, signals, **paths, environment=environment, override=override, callback=callback)
            stack.callback(run.close)
            with run.shown(), np.errstate(over="ignore", invalid="ignore"):  # it is refused, or does no harm
                return iterate(run)

    return protected(run_all)


def _check_arguments(config: object, ranks: object, callback: object, unknown: Mapping[str, object]) -> None:
    """Refuse what other trainers take, and say where it is given here.

    Raises:
      UsageError: an argument is not what `train` takes, or is none of it.
    """
    if not isinstance(config, TrainConfig):
        raise UsageError(f"train takes a configuration, not {short(repr(config))}: train(configure('CartPole-v1'))")
    if ranks is not None and (type(ranks) is not int or ranks < 1):
        raise UsageError(f"ranks is {short(repr(ranks))}, expected None or a whole number of at least 1")
    if callback is not None and not callable(callback):
        raise UsageError(f"callback is {short(repr(callback))}, expected a function of one argument")
    fields = [item.name for _, item, _ in all_fields(config)]
    for name in unknown:
        raise UsageError(f"train takes no {name}{meant_argument(name, fields)}")


def iterate(run: TrainingRun) -> Result:
    """Iterate and save until all steps are made, or a signal or the callback asks to stop."""
    while not run.finished:
        iteration(run)
        if run.save_due:
            run.save()
    run.save_last()
    return run.result()


def iteration(run: TrainingRun) -> None:
    """Collect and learn, then evaluate, show, agree and check; the verbs are those of `TrainingRun`."""
    rollout = run.collect()
    metrics = run.learn(run.share(rollout))
    run.update_statistics(rollout)
    run.count(rollout)
    run.evaluate()
    run.film()
    run.log(rollout, metrics)
    run.obey()
    run.agree()
    run.check_replicas()
