"""The states that a training visits, and how long the bare simulator takes from these.

A robot that runs touches the floor and costs more than one that random actions have thrown down.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import mujoco
import numpy as np

from baselines_ppo.training_run import TrainingRun

# All that a step depends on, controls and the solver's first guess included: from the same, MuJoCo makes the same bits.
STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)
REPLAYS = 3  # of which the median counts


class Simulated(NamedTuple):
    """A step that the simulator made for the training."""

    simulator: int  # which one, of several
    begin: partial[None]  # brings a copy of the simulator to the state from which it was made
    advance: partial[Any]  # makes it again there


def visited(run: TrainingRun) -> tuple[int, list[Simulated]]:
    """Collect one more iteration; returns how many steps of environments that were, and those of the simulator.

    There are none of the latter where an environment does not step MuJoCo from Python.
    """
    with recorded() as steps:
        made = run.collect().num_transitions
    return made, sorted(steps, key=lambda step: step.simulator)  # one robot after the other


@contextmanager
def recorded() -> Iterator[list[Simulated]]:
    """Record each step that MuJoCo makes from Python, of one robot or of the zoo's robots as one.

    MuJoCo's own function is replaced meanwhile: all environments call it, with whatever is wrapped around them.
    """
    steps: list[Simulated] = []
    real, copies = mujoco.mj_step, dict[int, mujoco.MjData]()  # copies: what the training has stays as it is

    def mj_step(model: mujoco.MjModel, data: mujoco.MjData, nstep: int = 1) -> None:
        copy = copies[id(data)] = copies.get(id(data)) or mujoco.MjData(model)
        state = np.empty(mujoco.mj_stateSize(model, STATE))
        mujoco.mj_getState(model, data, state, STATE)
        begin = partial(mujoco.mj_setState, model, copy, state, STATE)
        steps.append(Simulated(id(data), begin, partial(real, model, copy, nstep=nstep)))
        real(model, data, nstep=nstep)

    with replaced(mujoco, "mj_step", mj_step), recorded_as_one(steps):
        yield steps


@contextmanager
def recorded_as_one(steps: list[Simulated]) -> Iterator[None]:
    """Record the steps of the zoo's simulation too, if it is loaded: elsewhere its MuJoCo may be missing."""
    loaded: Any = sys.modules.get("baselines_ppo.zoo.simulation")
    if loaded is None:
        yield
        return
    real, copies = loaded.Simulation.step, dict[int, Any]()

    def step(simulation: Any) -> np.ndarray:
        if id(simulation) not in copies:
            copies[id(simulation)] = loaded.Simulation(simulation.model, len(simulation.state), simulation.substeps)
        copy = copies[id(simulation)]
        begin = partial(copy.state.__setitem__, slice(None), simulation.state.copy())
        steps.append(Simulated(id(simulation), begin, partial(real, copy)))
        failed: np.ndarray = real(simulation)
        return failed

    with replaced(loaded.Simulation, "step", step):
        yield


@contextmanager
def replaced(owner: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Let an attribute be another function meanwhile."""
    real = getattr(owner, name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, real)


def seconds_of(steps: list[Simulated]) -> float:
    """Return the seconds that the simulator alone takes for recorded steps, each from its own state."""

    def replay() -> float:
        seconds = 0.0
        for step in steps:
            step.begin()
            begun = time.perf_counter()
            step.advance()
            seconds += time.perf_counter() - begun
        return seconds

    return statistics.median(replay() for _ in range(REPLAYS))
