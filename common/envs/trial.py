"""Trying an environment out before training: whether an episode of it depends on anything but its seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import NamedTuple

import gymnasium
import numpy as np

from baselines_ppo.common.envs.backend_contract import Unusable
from baselines_ppo.common.envs.backends import SerialBackend, maker
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.interface import refuse_shared
from baselines_ppo.common.envs.make import EnvironmentSpec, MakeEnvironment, explained, registered
from baselines_ppo.common.envs.native_backend import vector_form
from baselines_ppo.common.envs.treatment import AS_USUAL, STREAMS, Treatment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.observations import MaskedObservation, mask_of
from baselines_ppo.common.policy.spaces.masks import MASK, untrained_actions

STEPS = 9  # of an episode; what an environment remembers shows in the first ones
SECONDS = 2.0  # that the trial takes, about; and half of what a new environment for each episode may
KNOWN = ("gymnasium.envs.classic_control.", "gymnasium.envs.toy_text.", "gymnasium.envs.mujoco.")  # to repeat
GIVES_MASKS = "gymnasium.envs.toy_text.taxi:"  # the only one of these

# With states of its own of all streams an environment also shows which of them it uses.
WATCHED = Treatment(streams=tuple(STREAMS))
UNTRIED = "whether its episodes repeat is not known before a resume"
MASKS = "it says in its info which actions are allowed; no others are taken"
UNHEEDED = "it says in its info which actions are allowed; this policy was trained without that, and takes others too"
MASKS_LATE = "its steps say in their info which actions are allowed, its reset does not, so nothing is forbidden"
NEW_EPISODES = "a resume of this environment begins new episodes"


class Finding(NamedTuple):
    """One thing that a trial has found out."""

    fact: str
    at_resume: str = ""  # what follows for a training that is resumed


class Trial(NamedTuple):
    """How an environment is treated, and what the user must know of it."""

    treatment: Treatment
    findings: tuple[Finding, ...] = ()
    alone: str = ""  # why a process can step only one; empty: it can step several

    @property
    def told(self) -> tuple[str, ...]:
        """What whoever lets an agent act must know, a line each."""
        return tuple(finding.fact for finding in self.findings)

    @property
    def told_in_training(self) -> tuple[str, ...]:
        """What whoever trains must know, a line each."""
        return tuple("; ".join(filter(None, finding)) for finding in self.findings)

    def to_policy(self, masked: bool) -> Trial:
        """Return what is to be known where a policy acts that was trained with masks, or without."""
        if masked:
            return self
        return self._replace(findings=tuple(f._replace(fact=f.fact.replace(MASKS, UNHEEDED)) for f in self.findings))


def try_out_spec(spec: EnvironmentSpec, closing: Callable[[], None] = lambda: None) -> Trial:
    """Return how environments of a spec must be treated; see `try_out`."""
    if not spec.wrappers:
        with explained(spec.env_id):
            entry_point = str(gymnasium.spec(registered(spec.env_id)).entry_point)
        if entry_point.startswith(GIVES_MASKS):
            return Trial(AS_USUAL._replace(masks=True), (Finding(f"{spec.env_id}: {MASKS}"),))
        if entry_point.startswith(KNOWN) or vector_form(spec) is not None:
            return Trial(AS_USUAL)
    return try_out(maker(spec), spec.env_id, closing)


def try_out(make: MakeEnvironment, env_id: str, closing: Callable[[], None] = lambda: None) -> Trial:
    """Return how an environment must be treated so that its episodes depend on their seeds alone.

    It begins short episodes in environments of its own, which are closed again.

    Args:
      closing: is called when all is found out, and the environments are closed.

    Raises:
      UsageError: none can be made, or two are the same object.
    """
    found: list[Finding] = []
    alone = ""
    with ExitStack() as opened:
        try:
            treatment, alone = _tried(make, env_id, opened, found)
            found += [Finding(alone)] if alone else []
        except Unusable as unusable:  # whoever steps it will meet it, and say where
            masked = [finding for finding in found if finding.fact == MASKS]
            found = [*masked, Finding(f"it could not be tried out, {str(unusable).splitlines()[0]}", UNTRIED)]
            treatment = WATCHED._replace(masks=bool(masked))
        finally:
            closing()
    return Trial(treatment, tuple(Finding(f"{env_id}: {fact}", follows) for fact, follows in found), alone)


def _tried(make: MakeEnvironment, env_id: str, opened: ExitStack, found: list[Finding]) -> tuple[Treatment, str]:
    """Return the treatment, and why a process can step only one; add what was found out."""
    begun = perf_counter()
    first = SerialBackend(make, 1, env_id, WATCHED)
    opened.callback(close_unheard, first.close)
    trace = _trace(first, begun + SECONDS / 4, found)
    watched = WATCHED._replace(masks=first.gives_masks)
    if (slow := perf_counter() - begun) > SECONDS:
        found.append(Finding(f"it takes {slow:.0f} s to make and begin one", UNTRIED))
        return watched, ""
    treatment, trace = _treated(first, trace, found)
    treatment = treatment._replace(masks=watched.masks)
    alone = _alone(make, env_id, first, trace, treatment, opened)
    if streams := first.streams_drawn():
        drawn = f"it draws from {' and '.join(streams)}; each gets a state of its own, seeded by its episode"
        found.insert(0, Finding(drawn))
    return treatment._replace(streams=streams), alone


def _trace(first: SerialBackend, until: float, found: list[Finding]) -> list[bytes]:
    """Return the trace of an episode in a new environment; add whether its infos have masks, which then are used."""
    episode = playing(first, 1, STEPS, until)
    trace = [next(episode)]
    if first.gives_masks:
        found.append(Finding(MASKS))
        first.use_masks()
        first.make_again(0)
        return list(playing(first, 1, STEPS, until))
    trace += episode
    if first.forgets_masks:
        found.append(Finding(f"{MASKS_LATE}; return the {MASK} of reset too"))
    return trace


def _alone(
    make: MakeEnvironment,
    env_id: str,
    first: SerialBackend,
    trace: list[bytes],
    treatment: Treatment,
    opened: ExitStack,
) -> str:
    """Return why a process can step only one environment; nothing where a second one does not disturb the first.

    Raises:
      UsageError: the second is the same object.
    """
    try:
        second = SerialBackend(make, 1, env_id, WATCHED._replace(masks=treatment.masks))
    except UsageError as error:
        return f"only one can be made at a time: {str(error).splitlines()[0]}"
    opened.callback(close_unheard, second.close)
    try:
        refuse_shared([*first.environments, *second.environments], env_id)
        disturbed = treatment.repeats and _disturbs(second, first, trace, treatment)
    except Unusable:  # as it was not, while it was alone
        disturbed = True
    return "one environment changes what another gives, so they share something" if disturbed else ""


def playing(backend: SerialBackend, seed: int, steps: int, until: float = np.inf) -> Iterator[bytes]:
    """Play an episode in row 0 with actions that the seed decides too; yields all that is seen and paid.

    Args:
      steps: at which it is left at the latest.
      until: by `perf_counter`, when it is left.

    Raises:
      Unusable: the environment raised, or gave something that cannot be learned from.
    """
    seen = backend.reset([0], [seed])
    yield seen[0].tobytes()
    distribution, rng = backend.action.distribution, np.random.default_rng(seed)
    masked, mask = isinstance(backend.observation, MaskedObservation), mask_of(backend.observation)
    for _ in range(steps):
        if perf_counter() > until:
            return
        allowed = seen[:, mask] > 0 if masked else None
        actions = untrained_actions(backend.action, distribution.noise(rng, 1), allowed)
        outcome = backend.step(actions, [0])
        seen = outcome.observations
        if outcome.raised:
            raise Unusable(0, outcome.raised[0], raised=True)
        ended = outcome.terminated[0], outcome.truncated[0]
        yield outcome.observations[0].tobytes() + outcome.rewards[0].tobytes() + bytes(map(int, ended))
        if any(ended):
            return


def _treated(first: SerialBackend, trace: list[bytes], found: list[Finding]) -> tuple[Treatment, list[bytes]]:
    """Return what lets an episode repeat, and its trace then; add why.

    Args:
      trace: that of the episode in a new environment.
    """
    steps = len(trace) - 1

    def again() -> list[bytes]:
        list(playing(first, 2, steps))
        return list(playing(first, 1, steps))

    later = again()
    if later == trace:
        return AS_USUAL, trace
    settled = again() == later
    begun = perf_counter()
    first.make_again(0)
    seconds = perf_counter() - begun
    if settled:
        first.reset([0], [0])
        if list(playing(first, 1, steps)) == later:
            found.append(
                Finding("its first episode differs from all others; each environment is begun once before it is used")
            )
            return Treatment(warm=True), later
        first.make_again(0)
    if list(playing(first, 1, steps)) != trace:
        found.append(Finding("its episodes do not repeat with the same seed", NEW_EPISODES))
        return Treatment(repeats=False), trace
    if seconds > SECONDS / 2:
        slow = f"it remembers earlier episodes, and a new one for each takes {seconds:.1f} s"
        found.append(Finding(slow, NEW_EPISODES))
        return Treatment(repeats=False), trace
    remembers = f"it remembers earlier episodes; each gets a new environment, which takes {1000 * seconds:.0f} ms"
    found.append(Finding(remembers))
    return Treatment(fresh=True), trace


def _disturbs(other: SerialBackend, first: SerialBackend, trace: list[bytes], treatment: Treatment) -> bool:
    """Return whether an episode that repeats, of which there is the trace, becomes another if `other` plays too."""
    if treatment.fresh:
        first.make_again(0)
    steps = len(trace) - 1
    others = playing(other, 2, steps)
    for seen, expected in zip(playing(first, 1, steps), trace, strict=False):
        if seen != expected:
            return True
        next(others, None)
    return False
