"""From a configuration to a run that is ready to iterate: parts, folder, banner; new, resumed or warm."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from baselines_ppo.algorithm import Algorithm, make_learner
from baselines_ppo.banner import banner
from baselines_ppo.common.ending import closed_late, end_all, inside_job
from baselines_ppo.common.envs.backend_contract import Backend
from baselines_ppo.common.envs.episodes import MOST_STEPS, steps_allowed
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.process_state import ProcessState
from baselines_ppo.common.envs.trial import Trial
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import Agent, agent_of
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.common.files.remembered import remember
from baselines_ppo.common.files.run_folder import RunFolder, is_run, missing, new_run, remove_empty, runs_of
from baselines_ppo.common.files.whole import check_given, place, shown
from baselines_ppo.common.job.alive import Watch
from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.job.tensorflow_start import start_tensorflow
from baselines_ppo.common.job.threads import limit_checked_threads
from baselines_ppo.common.job.xla_flags import check_xla_flags
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.fit import check_network, check_spaces
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Collector
from baselines_ppo.common.screen.choice import screen_of
from baselines_ppo.common.screen.contract import Screen
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.trackers.choice import Trackers, check_installed, trackers_of
from baselines_ppo.environments import make_environments
from baselines_ppo.handshake import compare_ranks
from baselines_ppo.monitoring.callback import Callback
from baselines_ppo.monitoring.evaluation import Evaluator
from baselines_ppo.monitoring.films import check_filmed
from baselines_ppo.monitoring.logger import Logger
from baselines_ppo.plan import Plan, plan_of
from baselines_ppo.settings.changes import as_changed, changes_of, configuration_in, in_stored_words, moved_schedules
from baselines_ppo.settings.config import TrainConfig, renamed, resolve, to_json
from baselines_ppo.state.code import code_digest
from baselines_ppo.state.platform_facts import platform_facts
from baselines_ppo.state.run_state import RunState
from baselines_ppo.state.snapshot import restore
from baselines_ppo.state.warm_start import warm_start
from baselines_ppo.training_run import TrainingRun
from baselines_ppo.wiring import actor_critic_of


def start(
    config: TrainConfig,
    signals: StopSignals,
    *,
    logdir: str | Path | None,
    resume: str | Path | None,
    load_path: str | Path | None,
    environment: Callable[[], Any] | None,
    override: tuple[str, ...] = (),
    callback: Callback | None = None,
) -> TrainingRun:
    """Return a run at its first iteration, or at that of a checkpoint; the arguments are those of `train`.

    What can be refused comes first and is quick; TensorFlow, which takes seconds to load, comes last.

    Raises:
      UsageError, LoadError, WriteError: the same on all ranks.
    """
    _check_origin(logdir, resume, load_path, override)
    check_filmed(config, environment)
    limit_checked_threads()
    comm, process = world(), ProcessState(signals)
    with closed_late() as on_failure, ExitStack() as before_told:  # close what was opened, the last first
        comm.alive.begin(Watch(config.timeout, config.grace, signals.asked, signals.insisted, end_all))
        before_told.callback(comm.alive.end)
        on_failure.callback(process.end)
        config = resolve(config, comm.size)
        compare_ranks(comm, config)
        comm.on_root(check_xla_flags, "the compiler's flags")
        screen = _screen(config, comm)
        before_told.callback(screen.close)
        stored, warm = _read(resume, comm), _read(load_path, comm)
        config, began, changes = (config, {}, {}) if stored is None else _going_on(config, stored, override)
        path, continued, made = comm.on_root(lambda: _folder_path(config, logdir, resume), "the run folder's name")
        on_failure.callback(remove_empty, made if comm.is_root else [])
        typed = shown(path)  # before an environment can change the working folder
        envs, trial, more = make_environments(config, comm, environment, stored, warm, process)
        on_failure.callback(close_unheard, envs.close)
        plan = plan_of(config, actor_critic_of(config, envs.observation, envs.action), comm.size)
        _check_fit(plan.network, (stored, warm), config.env)
        folder = RunFolder(path)
        on_failure.callback(folder.discard)
        on_failure.callback(folder.close)
        begun = stored if continued else None
        facts = comm.on_root(lambda: _prepare(folder, config, comm, begun, trial), "the run folder")
        if comm.is_root:
            screen.say("\n".join((banner(plan, typed), *_told(trial.to_policy(plan.network.masked), config))))
        comm.alive.note("loading TensorFlow")
        state = RunState(config, comm, *_learner(plan, comm, envs), trial.treatment, changed=began)
        run = TrainingRun(state, folder, process, screen, callback)
        run.share_signs()
        on_failure.callback(_add_evaluator(run, more, environment is None))
        if stored is not None:
            _resume(run, stored, changes, continued, screen)
        else:
            _begin(run, warm, load_path, screen)
        run.logger = _logger(config, folder, facts, screen) if comm.is_root else None
        before_told.pop_all()
        on_failure.pop_all()
    return run


def _screen(config: TrainConfig, comm: Comm) -> Screen:
    """Return where rank 0 shows what the run does, its signs of life too; the others show nothing.

    Raises:
      UsageError: what the run is to be tracked by is not installed; this is to be said before anything is shown.
    """
    comm.on_root(lambda: check_installed(config.track), "the trackers")
    screen = screen_of(config.progress, config.num_timesteps, config.log_interval, comm.is_root)
    comm.alive.heartbeat.speak_by(screen.news, screen.patience)
    return screen


def _told(trial: Trial, config: TrainConfig) -> tuple[str, ...]:
    """Note the modules that the user has named, now that they have proved good; returns this, and what else is new."""
    noted = remember(config.env, (*config.wrapper, config.policy.network))
    return (*trial.told_in_training, *filter(None, [noted]))


def _logger(config: TrainConfig, folder: RunFolder, facts: dict[str, Any], screen: Screen) -> Logger:
    """Return what writes the run down, with the trackers begun.

    Args:
      facts: what config.json holds.
    """
    trackers = Trackers(trackers_of(config.track, screen.say))
    trackers.begin(folder.path, facts)
    return Logger(folder, config.num_timesteps, screen, trackers)


def _check_origin(
    logdir: str | Path | None, resume: str | Path | None, load_path: str | Path | None, override: tuple[str, ...]
) -> None:
    for path in (logdir, resume, load_path):
        if path is not None:
            check_given(path)
    if resume is not None and load_path is not None:
        raise UsageError("give --resume to go on with a run or --load-path to begin a new one, not both")
    if override and resume is None:
        raise UsageError("--override changes a run that goes on; give --resume too, or the flags themselves")


def _going_on(
    config: TrainConfig, stored: Checkpoint, override: tuple[str, ...]
) -> tuple[TrainConfig, dict[str, Any], dict[str, str]]:
    """Return the configuration with which a run goes on, what it has changed on the way, and what is changed now."""
    override = tuple(renamed(config).get(name, name) for name in override)
    config, began = as_changed(in_stored_words(config, stored), stored, override)
    return config, began, changes_of(config, stored, override)


def _add_evaluator(run: TrainingRun, more: Callable[[int], Backend], registered: bool) -> Callable[[], None]:
    """Give a run what plays episodes on the way, if it is to; returns what closes it.

    Args:
      registered: the environment's id makes it, and knows its time limit; a function of the user's may have none.
    """
    if run.config.eval_interval is None:
        return lambda: None
    comm, config = run.comm, run.config
    comm.alive.note("making environments for evaluations")
    agent = Agent(run.collector.policy, config.env, run.folder.path, {})
    most = steps_allowed(config.env, None) if registered else MOST_STEPS
    evaluator = comm.together(lambda: Evaluator(config, comm, agent, more, most), "environments for evaluations")
    run.evaluator = evaluator
    return lambda: close_unheard(evaluator.close)


def _read(path: str | Path | None, comm: Comm) -> Checkpoint | None:
    """Return the newest valid checkpoint at a path, read by rank 0, on all ranks."""
    if path is None:
        return None
    found, skipped = comm.on_root(lambda: checkpoint.find(path), "a checkpoint")
    if comm.is_root:
        for reason in skipped:
            sys.stderr.write(f"warning: skipping a checkpoint: {reason}\n")
    return found


def _learner(plan: Plan, comm: Comm, envs: VecEnv) -> tuple[Collector, Algorithm]:
    """Return what collects, and the algorithm that learns from it."""
    config, network = plan.config, plan.network
    rng, settings = generator(config.seed, Purpose.PARAMETERS), config.rollout
    parameters = comm.broadcast(network.initial_parameters(rng, config.policy.init_log_std), "the parameters")
    clip = settings.clip_observations if settings.normalize_observations else None
    policy = Policy(network, parameters, clip)
    scaler = Normalizer((), settings.clip_rewards) if settings.normalize_returns else None
    note, clip_rewards = comm.alive.note, settings.clip_raw_rewards
    collector = Collector(envs, policy, scaler, config.seed, settings.gamma, clip_rewards, note)
    collector.noise_correlation = settings.noise_correlation
    start_tensorflow(inside_job())
    return collector, make_learner(plan, policy, comm, envs.indices)


def _folder_path(
    config: TrainConfig, logdir: str | Path | None, resume: str | Path | None
) -> tuple[Path, bool, list[Path]]:
    """Return the run's folder, whether it is that of a resumed run which goes on in it, and what was made for it."""
    if resume is not None and is_run(place(resume)):
        if logdir is not None and place(logdir).resolve() != place(resume).resolve():
            raise UsageError(
                f"run folder {resume} goes on in its own place; leave --logdir out, or resume one of its checkpoints"
            )
        return place(resume), True, []
    if logdir is not None:
        return place(logdir), False, []
    parents = missing(place(runs_of(config.env)))
    path = place(new_run(config.env, config.alg, config.seed, config.name))
    return path, False, [path, *parents]


def _prepare(
    folder: RunFolder, config: TrainConfig, comm: Comm, stored: Checkpoint | None, trial: Trial
) -> dict[str, Any]:
    """Make the folder or, to go on from a checkpoint in it, open it; write down what is run, and how; returns that."""
    if stored is None:
        folder.create()
    else:
        folder.open(int(stored.manifest["iteration"]))
    written = {
        **to_json(config),
        "ranks": comm.size,
        "command": sys.argv,
        "code": code_digest(),
        "platform": platform_facts(),
        "environment": trial.treatment._asdict(),
    }
    folder.write_config(written)
    return written


def _resume(run: TrainingRun, stored: Checkpoint, changes: dict[str, str], continued: bool, screen: Screen) -> None:
    """Bring the run to the checkpoint, and say how exactly."""
    exactness = restore(run.state, stored, changes)
    if continued:
        run.saver.mark_saved()
    else:
        run.state.counters.best_eval_return = None  # of a checkpoint that this folder does not have
    screen.say(f"resumed {stored.path.name} at {(steps := run.counters.total_steps):,} steps: {exactness}")
    if not continued:
        screen.say("it goes on in a new run folder; the old one stays as it is")
    if moved := moved_schedules(run.config, configuration_in(stored), steps):
        screen.say(moved)
    if run.finished:
        screen.say(f"all {run.config.num_timesteps:,} steps are made; give a larger --num-timesteps to go on")


def _check_fit(network: ActorCritic, sources: tuple[Checkpoint | None, ...], env_id: str) -> None:
    """Check that what a run begins or goes on with has its spaces and its networks.

    Raises:
      LoadError: names what differs.
    """
    for source in sources:
        if source is not None:
            agent = agent_of(source)
            stored = agent.policy.network
            found = (network.observation, network.action)
            check_spaces(source.path, agent.env_id, (stored.observation, stored.action), found, env_id)
            check_network(source.path, stored, network)


def _begin(run: TrainingRun, warm: Checkpoint | None, load_path: str | Path | None, screen: Screen) -> None:
    """Begin a new run, with what an agent has learned if there is one to begin from."""
    if warm is not None:
        warm_start(run.state, warm, str(load_path))
        if log_std := run.config.policy.init_log_std:
            screen.say(f"the agent's log std is set to {log_std:g}; --init-log-std 0 keeps its own")
    run.state.begin_segment(exact=True)
    run.collector.envs.reset()
