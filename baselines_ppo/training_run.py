"""What happens in each iteration of a training run: the verbs of the training loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, perf_counter

import numpy as np

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.ending import say
from baselines_ppo.common.envs.foreign import named, pass_on
from baselines_ppo.common.envs.process_state import ProcessState
from baselines_ppo.common.failures import FINISHED, STOPPED_BY_CTRL_C, STOPPED_BY_SIGNAL, WriteError
from baselines_ppo.common.files.columns import TIME_SHARES
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.common.job.board import create_board
from baselines_ppo.common.job.memory import resident_megabytes, return_freed_memory, return_loaded_code
from baselines_ppo.common.job.tensorflow_start import as_started
from baselines_ppo.common.rollout import Rollout, by_environment, of_all_ranks
from baselines_ppo.common.screen.contract import Screen
from baselines_ppo.monitoring.callback import Callback, Wishes, wishes_of
from baselines_ppo.monitoring.evaluation import Evaluator, Figures
from baselines_ppo.monitoring.films import Films
from baselines_ppo.monitoring.iteration_progress import progress
from baselines_ppo.monitoring.logger import Logger
from baselines_ppo.monitoring.row import Report, count_episodes, row_of
from baselines_ppo.result import Result
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.state.attributes import set_attributes
from baselines_ppo.state.changing import change_settings
from baselines_ppo.state.run_state import RunState
from baselines_ppo.state.saver import Saver

UPDATES_BETWEEN_CHECKS = 100  # of the replicas' equality
LONG = 0.25  # of the grace: the state before an iteration that may take longer is kept, as a stop may not wait for it


class TrainingRun:
    """A run, as the training loop goes through it, one iteration after the other."""

    def __init__(
        self,
        state: RunState,
        folder: RunFolder,
        process: ProcessState,
        screen: Screen,
        callback: Callback | None = None,
    ) -> None:
        """Rank 0 gives the run its logger afterwards, and all give it their evaluator if there are evaluations."""
        self.state, self.folder, self.process, self.callback = state, folder, process, callback
        self.comm, self.counters, self.collector = state.comm, state.counters, state.collector
        self.saver, self.films, self.screen = Saver(state, folder), Films(state, folder, process), screen
        self.logger: Logger | None = None
        self.evaluator: Evaluator | None = None
        self.exit_code = FINISHED
        self.save_due = self.stopped = self._complete = False  # stopped: by the callback; complete: all is saved
        self.spent = {"collecting": 0.0, "learning": 0.0}  # s, of this iteration
        self._evaluated: Figures | None = None  # in this iteration; on rank 0
        self._wishes = Wishes()  # of the callback, in this iteration
        self._calls_back = self.comm.broadcast(callback is not None, "whether there is a callback")
        self._checked_updates = 0
        self._clock = self._agreed_at = self._began = monotonic()
        self.comm.messages.cost()  # of getting ready, which no iteration's row is to have

    @property
    def finished(self) -> bool:
        """Whether all steps are made or the ranks have agreed to stop."""
        return self.exit_code != FINISHED or self.stopped or self._all_made

    @property
    def _all_made(self) -> bool:
        return self.counters.total_steps >= self.config.num_timesteps

    @property
    def config(self) -> TrainConfig:
        """What the run goes by; a callback may change it."""
        return self.state.config

    @property
    def algorithm(self) -> Algorithm:
        """The learner of the present settings."""
        return self.state.algorithm

    def share_signs(self) -> None:
        """Let the ranks see each other's signs of life, and rank 0 rescue what it keeps of a long iteration."""
        folder = self.folder
        self.comm.on_root(lambda: create_board(folder.board, self.comm.size), "the signs of life")
        self.comm.alive.share(folder.board, folder.rank_log)
        self.comm.alive.rescue = self.saver.save_kept
        if self.comm.is_root:
            self.comm.alive.heartbeat.begin(lambda doing, seconds: progress(self.state, self._began, doing, seconds))

    def collect(self) -> Rollout:
        """Return the next iteration's experience: T steps of each environment, or its share of the episodes."""
        self.comm.alive.note("collecting")
        self.comm.alive.heartbeat.shown()
        self._began = monotonic()
        episodes, envs = self.config.num_episodes, self.config.num_envs
        share = None if episodes is None else episodes // envs
        rollout = self.collector.collect(self.counters.iteration, self.config.rollout.num_steps, share)
        self.process.set_again()
        self.spent["collecting"] = monotonic() - self._began
        return rollout

    def share(self, rollout: Rollout) -> Rollout:
        """Return what this rank learns from: its own part, or where minibatches are small the steps of all ranks."""
        begun = perf_counter()
        shared = rollout if self.state.learns_from_its_own else of_all_ranks(rollout, self.comm)
        self.spent["learning"] = perf_counter() - begun
        return shared

    def learn(self, rollout: Rollout) -> dict[str, float]:
        """Give the rollout to the algorithm; returns its metrics."""
        self.comm.alive.note("learning")
        begun = perf_counter()
        with as_started():
            metrics = self.algorithm.update(rollout, self.counters.total_steps / self.config.num_timesteps)
        if not self.comm.alive.warm:
            return_freed_memory()  # that compiling took
            return_loaded_code()
        self.spent["learning"] += perf_counter() - begun
        return metrics

    def update_statistics(self, rollout: Rollout) -> None:
        """Merge what all ranks have seen into the statistics that the next iteration uses."""
        policy, scaler = self.collector.policy, self.collector.reward_scaler
        if self.config.rollout.normalize_observations and policy.normalizes:
            policy.observations.update(self.comm.moments(by_environment(rollout.raw_observations, rollout.made)))
        if scaler is not None:
            scaler.update(self.comm.moments(by_environment(rollout.discounted_returns, rollout.made)))

    def count(self, rollout: Rollout) -> None:
        """Count the iteration and its steps over all ranks."""
        self.counters.iteration += 1
        self.counters.total_steps += int(self.comm.sum(np.array([rollout.num_transitions]), "steps")[0])

    def evaluate(self) -> None:
        """Let the policy play episodes of its own, if it is time; a checkpoint is due when it was never better."""
        self._evaluated, self.spent["evaluating"], self.counters.eval_return = None, 0.0, None
        if self.evaluator is None or not self.evaluator.is_due(self.counters.iteration, self._all_made):
            return
        self.comm.alive.note("evaluating")
        figures = self.evaluator.evaluate()
        self.process.set_again()
        self.spent["evaluating"] = self.evaluator.seconds
        if figures:
            self._evaluated, best = figures, self.counters.best_eval_return
            self.counters.eval_return = figures["eval_return"]
            if best is None or figures["eval_return"] > best:
                self.counters.best_eval_return = figures["eval_return"]
                self.saver.hurry()

    def log(self, rollout: Rollout, metrics: dict[str, float]) -> None:
        """Gather the iteration's figures and write them down, after the callback has seen them."""
        self.comm.alive.heartbeat.shown()  # by what is written below
        self.comm.alive.note("logging")
        self.comm.alive.warm = True
        shares = (*TIME_SHARES, *(("evaluating",) if self.evaluator else ()))
        spent = {name: {**self.spent, **rollout.seconds}[name] for name in shares}
        cost = self.comm.messages.cost()
        report = Report(rollout.episodes, rollout.num_transitions, spent, cost, resident_megabytes())
        reports = self.comm.gather(report, "episodes") or []  # on rank 0, which alone counts episodes
        count_episodes(self.counters, reports)
        now = monotonic()
        seconds, self._clock = now - self._clock, now
        self.counters.seconds += seconds

        def write() -> Wishes:
            row = row_of(self.state, reports, metrics, self._evaluated, seconds)
            wishes = Wishes()
            if self.callback is not None:
                wishes = wishes_of(self.callback, self.config, self.folder.path, row)
            assert self.logger is not None
            self.logger.write({**row, **wishes.metrics}, last=wishes.stop or self._all_made)
            return wishes

        if self._calls_back:
            self._wishes = self.comm.on_root(write, "the callback's wishes")
        elif self.comm.is_root:
            write()

    def obey(self) -> None:
        """Do what the callback has asked for, on all ranks alike; stopping and saving are agreed on afterwards.

        Raises:
          UsageError: the environments take no such attribute, or a setting may not be changed.
        """
        wishes = self._wishes
        set_attributes(self.collector.envs, wishes.attributes, self.config.num_envs)
        if wishes.settings:
            self.comm.alive.note("changing settings")
            for change in change_settings(self.state, wishes.settings):
                if self.comm.is_root:
                    say(f"iteration {self.counters.iteration}: changed {change}")
        self.stopped = wishes.stop

    def film(self) -> None:
        """Film an episode of the policy, if it is time; the other ranks wait."""
        if self.films.is_due(self._all_made):
            path = self.comm.on_root(self.films.film, "the film")
            if path is not None and self.logger is not None:
                self.logger.film(path, self.counters.total_steps)

    def check_replicas(self) -> None:
        """Prove from time to time, and at the end, that all ranks hold the same learner.

        Raises:
          DataError: they do not.
        """
        if self.algorithm.updates - self._checked_updates >= UPDATES_BETWEEN_CHECKS or self.finished:
            self._checked_updates = self.algorithm.updates
            self.comm.assert_equal(self.state.replicated(), f"at update {self.algorithm.updates}")

    def agree(self) -> None:
        """Decide on all ranks alike whether to stop and whether to save: signals reach ranks at different times."""
        asked = self.process.signals.asked()  # also if an environment has handled the signal
        own = FINISHED if asked is None else asked.exit_code
        due = self.comm.is_root and (self.saver.is_due() or self._wishes.save)
        long = self.comm.is_root and self._expected_seconds() > self.config.grace * LONG
        self._agreed_at = monotonic()
        flags = np.array([own == STOPPED_BY_CTRL_C, own == STOPPED_BY_SIGNAL, due, long], dtype=np.int64)
        interrupted, signalled, save_due, keep = self.comm.sum(flags, "wishes")
        steps_remain = self.counters.total_steps < self.config.num_timesteps
        if steps_remain and (interrupted or signalled):
            self.exit_code = STOPPED_BY_CTRL_C if interrupted else STOPPED_BY_SIGNAL
        self.save_due = bool(save_due)
        self.saver.keep(bool(keep))

    def _expected_seconds(self) -> float:
        """Return how long the next iteration may take, or more: as long as this one, and as its evaluation."""
        counters, seconds = self.counters, monotonic() - self._agreed_at
        last = counters.total_steps * (1 + 1 / counters.iteration) >= self.config.num_timesteps
        measured = self.evaluator is not None and self.evaluator.is_due(counters.iteration + 1, last)
        return seconds + self.evaluator.seconds if self.evaluator is not None and measured else seconds

    def save(self) -> None:
        """Write a checkpoint; if that fails, warn and train on, to try again next time."""
        try:
            self.saver.save()
        except WriteError as error:
            if self.comm.is_root:
                sys.stderr.write(f"warning: {error}; training goes on and will try again\n")
            self.saver.postpone()

    def save_last(self) -> None:
        """Write the checkpoint with which a run ends or stops.

        Raises:
          WriteError: it could not be written.
        """
        if not self.comm.on_root(self.saver.is_saved, "whether all is saved"):  # the watch saves on rank 0 alone
            self.saver.save()
        if self.stopped and self.comm.is_root:
            say(f"stopped by the callback; checkpoint {self.saver.saved_iteration:08d} written")
        elif self.exit_code != FINISHED and self.comm.is_root:
            received = self.process.signals.received
            name = "another rank's signal" if received is None else received.name
            say(f"stop requested by {name}; checkpoint {self.saver.saved_iteration:08d} written")
        self.comm.alive.stuck_code = self.exit_code  # nothing is left to do
        self._complete = True
        self.process.signals.finish()

    def result(self) -> Result:
        """Return how the run ended, on every rank."""
        counters = self.counters
        mean_return, episodes = self.comm.broadcast((counters.mean_return, len(counters.window)), "the result")
        return Result(self.folder.path, counters.total_steps, mean_return, self.exit_code, episodes)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """End the screen after the block; if that fails, the watch as well, so that the error can be told."""
        try:
            yield
        except BaseException:
            self._close({"the screen": self.screen.close, "the signs of life": self.comm.alive.end})
            raise
        self._close({"the screen": self.screen.close})

    def close(self) -> None:
        """Close environments, logs and the run folder; whatever goes wrong is only warned of."""
        self.comm.alive.note("closing", saving=True)  # what a stop signal waits for is done
        parts: dict[str, Callable[[], None]] = {f"the environments {self.config.env}": self.collector.envs.close}
        if self.evaluator is not None:
            parts["the environments of evaluations"] = self.evaluator.close
        if self.logger is not None:
            parts["the trackers"] = self.logger.close
        parts |= {"the signs of life": self.comm.alive.end, "the run folder": self.folder.close}
        self._close({**parts, "the process": self.process.end})

    def _close(self, parts: dict[str, Callable[[], None]]) -> None:
        lost = "; nothing is lost" if self._complete else ""
        for name, close in parts.items():
            try:
                close()
            except BaseException as error:
                pass_on(error)
                sys.stderr.write(f"warning: closing {name} of rank {self.comm.rank}: {named(error)}{lost}\n")
