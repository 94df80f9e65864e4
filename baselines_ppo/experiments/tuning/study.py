"""The trials of a study in Optuna's storage: opened, dealt out, counted once, gone on with after a crash.

The storage is a database, SQLite by default: what was told is there after a kill -9, several processes may use it at
once, and a server's database, such as PostgreSQL's, serves several hosts by nothing but another URL.
"""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, Trial, TrialState

from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.settings.search_spaces import Dimension

STALE = 600.0  # s without a sign of life after which a trial of another host is taken over
YOUNG = 60.0  # s that whoever has begun a trial may take to say so
SIGN = 60.0  # s, between two signs of life
LOCKED = 20.0  # s that SQLite waits for another process
RUNG = 20  # parts of a training, after each of which its return is looked at
# What is kept beside the trials, and once beside the study.
HOST, SEEN, SETTING, KIND, REASON, RETURNS = "host", "seen", "setting", "kind", "reason", "returns"
IDENTITY = "trained"
WORST = float("-inf")  # of a trial that cannot be trained, or not to its end
BEGUN_BY_OTHERS = ("UNIQUE constraint", "duplicate key", "already exists")  # of tables that two hosts make at once
ANOTHER = "give another --study, and another --logdir if you gave one"
TOO_MANY = "another host has begun the last trial"


@contextmanager
def explained(url: str, *further: type[Exception]) -> Iterator[None]:
    """Say in one line what is wrong with a storage.

    Args:
      further: what else is raised because of the storage.

    Raises:
      UsageError: it is none, or its driver is not installed.
      LoadError: it cannot be reached, read or written, or is locked.
    """
    kinds: tuple[type[Exception], ...] = (optuna.exceptions.OptunaError, sqlalchemy.exc.SQLAlchemyError, *further)
    try:
        yield
    except kinds as error:
        cause: BaseException = error
        while isinstance(cause, optuna.exceptions.StorageInternalError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, ImportError):
            driver = cause.name or getattr(cause.__context__, "name", None)  # Optuna's own complaint has no name
            raise UsageError(f"--storage {shown_url(url)} needs {driver}; pip install {driver}") from None
        if isinstance(cause, sqlalchemy.exc.ArgumentError):
            expected = "a URL such as sqlite:///study.db or postgresql://user@host/name"
            raise UsageError(f"--storage {shown_url(url)} is no database, expected {expected}") from None
        reason = short(getattr(cause, "orig", None) or cause)
        cure = "nothing is lost: the same command goes on when it can be used"
        raise LoadError(f"storage {shown_url(url)} cannot be used: {reason}; {cure}") from None


def shown_url(url: str) -> str:
    """Return a storage's URL without its password."""
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return short(url)


def open_study(url: str, name: str, sampler: str, pruner: str, num_timesteps: int, seed: Sequence[int]) -> optuna.Study:
    """Return a study, made if it is not there yet.

    Args:
      seed: of the sampler; the number of trials so far is added, so that nothing is drawn again after a restart.

    Raises:
      UsageError, LoadError: see `explained`.
    """
    with explained(url, ImportError, RuntimeError):  # no driver; tables of another version of Optuna
        try:
            return _opened(url, name, sampler, pruner, num_timesteps, seed)
        except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
            if not any(words in str(error.__cause__ or error) for words in BEGUN_BY_OTHERS):
                raise
            time.sleep(1.0)  # until they have made the tables
            return _opened(url, name, sampler, pruner, num_timesteps, seed)


def _opened(url: str, name: str, sampler: str, pruner: str, num_timesteps: int, seed: Sequence[int]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    wait = {"connect_args": {"timeout": LOCKED}} if url.startswith("sqlite") else {}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=wait)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    number = int(np.random.SeedSequence([*seed, len(study.trials)]).generate_state(1)[0])
    study.sampler = sampler_of(sampler, number)
    study.pruner = pruner_of(pruner, num_timesteps)
    return study


def sampler_of(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Return a sampler: tpe, cmaes or random."""
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    tpe = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    if name == "tpe":
        return tpe
    return optuna.samplers.CmaEsSampler(  # words have no order, so TPE draws those
        independent_sampler=tpe,
        warn_independent_sampling=False,
        consider_pruned_trials=True,
        with_margin=True,
        seed=seed,
    )


def pruner_of(name: str, num_timesteps: int) -> optuna.pruners.BasePruner:
    """Return a pruner that looks at returns by steps: median, hyperband or none."""
    if name == "none":
        return optuna.pruners.NopPruner()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=num_timesteps // 5)
    least = max(num_timesteps // 10, 1)
    return optuna.pruners.HyperbandPruner(min_resource=least, max_resource=num_timesteps, reduction_factor=3)


def rungs(num_timesteps: int) -> list[int]:
    """Return the steps at which a trial's return is looked at, the last of them before its end."""
    return sorted({num_timesteps * part // RUNG for part in range(1, RUNG)} - {0})


class Trials:
    """The trials of a study, as one host sees them."""

    def __init__(self, study: optuna.Study, wanted: int, host: str) -> None:
        """Nothing is begun yet.

        Args:
          wanted: how many are made in all, over all hosts; no fewer than have been begun already.
          host: the name under which this process begins trials; no other has it while this one lives.
        """
        self.study, self.host = study, host
        self.wanted = max(wanted, len(self.counted()))
        self._mine: dict[int, Trial] = {}  # under way here, by number

    def begin(self, identity: Mapping[str, Any], first: Mapping[str, Any]) -> None:
        """Begin a new study, or check that it is the one that is meant.

        Args:
          identity: what its trials have in common.
          first: what the first trial draws, by the names of fields.

        Raises:
          UsageError: its trials have something else in common; says what differs.
        """
        stored = self.study.user_attrs.get(IDENTITY)
        if stored is None:
            if self.study.trials:
                raise UsageError(f"study {self.study.study_name} is not one of tune; {ANOTHER}")
            self.study.set_user_attr(IDENTITY, dict(identity))
            self.study.enqueue_trial(dict(first), skip_if_exists=True)
        elif stored != dict(identity):
            names = [name for name in {**stored, **identity} if stored.get(name) != identity.get(name)]
            words = "; ".join(f"{name} {stored.get(name, '-')} -> {identity.get(name, '-')}" for name in names)
            raise UsageError(f"study {self.study.study_name} is of another search: {words}; {ANOTHER}")

    def next(self, space: Sequence[Dimension]) -> tuple[Trial, dict[str, Any]] | None:
        """Return a trial to train here and what it draws: one that was interrupted, else a new one.

        None where all are made or under way.
        """
        trial = self._interrupted() or self._new()
        if trial is None:
            return None
        trial.set_user_attr(HOST, self.host)
        self._mine[trial.number] = trial
        self.sign(trial)
        return trial, {dimension.field: dimension.draw(trial) for dimension in space}

    def _interrupted(self) -> Trial | None:
        """Return a trial that nobody goes on with; it keeps its number and what it has drawn."""
        for frozen in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            host, seen = frozen.user_attrs.get(HOST), frozen.user_attrs.get(SEEN, 0.0)
            begun = frozen.datetime_start.timestamp() if frozen.datetime_start else 0.0
            left = time.time() - begun > YOUNG if host is None else time.time() - seen > STALE
            if frozen.number not in self._mine and (host == self.host or left):
                return Trial(self.study, frozen._trial_id)
        return None

    def _new(self) -> Trial | None:
        if len(self.counted()) >= self.wanted:
            return None
        trial = self.study.ask()
        numbers = sorted(frozen.number for frozen in self.counted())
        if numbers.index(trial.number) < self.wanted:
            return trial
        trial.set_user_attr(REASON, TOO_MANY)  # another host has asked in the same moment
        self.study.tell(trial, state=TrialState.FAIL)
        return None

    def counted(self) -> list[FrozenTrial]:
        """Return all trials that are made or under way, on all hosts."""
        states = [TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED]
        return self.study.get_trials(deepcopy=False, states=states)

    def made(self) -> list[FrozenTrial]:
        """Return the trials that have come to an end, in order."""
        return [frozen for frozen in self.counted() if frozen.state != TrialState.RUNNING]

    @property
    def elsewhere(self) -> set[str]:
        """The hosts on which trials are under way, other than this one."""
        running = (frozen for frozen in self.counted() if frozen.state == TrialState.RUNNING)
        return {str(frozen.user_attrs.get(HOST, "another host")) for frozen in running} - {self.host}

    def is_first(self, trial: Trial) -> bool:
        """Return whether a trial has the setting that the study has begun with."""
        return trial.number == 0

    def sign(self, trial: Trial) -> None:
        """Let other hosts know that a trial goes on, once in a while."""
        now = time.time()
        if now - trial.user_attrs.get(SEEN, 0.0) > SIGN:
            trial.set_user_attr(SEEN, now)

    def note(self, trial: Trial, **facts: Any) -> None:
        """Keep facts about a trial beside it."""
        for name, value in facts.items():
            trial.set_user_attr(name, value)

    def pruned(self, trial: Trial, values: Mapping[int, float]) -> bool:
        """Report returns by steps, each once; returns whether the trial is not worth going on with."""
        if not values:
            return False
        known = self.study._storage.get_trial(trial._trial_id).intermediate_values
        for step, value in values.items():
            if step not in known:
                trial.report(value, step)
                if trial.should_prune():
                    return True
        return False

    def end(self, trial: Trial, score: float | None) -> None:
        """Tell a trial's score; None where it was pruned."""
        if score is None:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, score)
        del self._mine[trial.number]


def seed_of(text: str) -> int:
    """Return a number that is a text's own."""
    return zlib.crc32(text.encode())
