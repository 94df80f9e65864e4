"""The training loop, and `train`, which starts it from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines_ppo.config import TrainConfig

if TYPE_CHECKING:
    from baselines_ppo.training_run import Result, TrainingRun


def train(
    config: TrainConfig,
    ranks: int | None = None,
    *,
    logdir: str | Path | None = None,
    resume: str | Path | None = None,
    load_path: str | Path | None = None,
    environment: Callable[[], Any] | None = None,
    override: tuple[str, ...] = (),
) -> Result:
    """Train as `config` says, on this process's ranks or on `ranks` of its own.

    Args:
      config: from `configure`.
      ranks: start this many under mpirun, as a notebook needs; None: those that mpirun started, or one.
      logdir: a new folder for the run; by default `runs/<env>/<alg>-<date>-<seed>`.
      resume: a run folder to go on with, or a checkpoint to begin a new run folder from.
      load_path: an agent, checkpoint or run folder whose policy and statistics to begin from.
      environment: function that makes one environment, instead of the id in `config`.
      override: names of fields that may differ from those of the resumed run, such as "learning_rate".

    Raises:
      Failure: see its subclasses in `baselines_ppo.common.failures`.
    """
    if ranks is not None and ranks > 1:
        from baselines_ppo.launch import launch  # needs cloudpickle, which nothing else does

        paths = {"logdir": logdir, "resume": resume, "load_path": load_path}
        return launch(ranks, config, **paths, environment=environment, override=override)

    from baselines_ppo.common.ending import protected  # these load numpy and more, which `--help` does not need
    from baselines_ppo.common.job.signals import StopSignals
    from baselines_ppo.start import start

    def run_all() -> Result:
        with StopSignals() as signals:
            paths = {"logdir": logdir, "resume": resume, "load_path": load_path}
            run = start(config, signals, **paths, environment=environment, override=override)
            try:
                return iterate(run)
            finally:
                run.close()

    return protected(run_all)


def iterate(run: TrainingRun) -> Result:
    """Collect, share, learn, merge statistics, log, save; until all steps are made or a signal asks to stop."""
    while not run.finished:
        rollout = run.collect()
        metrics = run.learn(run.share(rollout))
        run.update_statistics(rollout)
        run.log(rollout, metrics)
        run.agree()
        run.check_replicas()
        if run.save_due:
            run.save()
    run.save_last()
    return run.result()
