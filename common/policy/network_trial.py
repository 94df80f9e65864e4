"""The trial of a network of a user's own: what it is and what it gives, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from baselines_ppo.common.failures import Failure, UsageError
from baselines_ppo.common.policy.arrays import NUMPY
from baselines_ppo.common.policy.named import with_traceback
from baselines_ppo.common.policy.parameters import Parameter, initial_value

ROWS = 3  # observations of the trial
CLOSE = 1e-3  # products of one row and of several differ in their last bits


def check_network(name: str, build: Callable[[], Any], kind: type, shape: tuple[int, ...], as_bytes: bool) -> None:
    """Check the network that a user's function builds, on a few observations of chance.

    Args:
      kind: what the function must return.
      shape, as_bytes: of one observation, as the network is given it; else it is float32.

    Raises:
      UsageError: it is none, raises, gives something else than it says, or depends on chance or on its neighbours in a
        batch. Where its own code raised, the traceback is below.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(256, size=(ROWS, *shape)) if as_bytes else rng.standard_normal((ROWS, *shape))
    observations = drawn.astype(np.uint8 if as_bytes else np.float32)
    with _told(name):
        first, second = build(), build()
    for network in (first, second):
        if not isinstance(network, kind):
            raise UsageError(f"network {name} returned {_what(network)}, expected a {kind.__name__}")
        _check_parts(name, network)
    seen, state = _features(name, first, observations)
    again, _ = _features(name, second, observations)
    alone, _ = _features(name, first, observations[:1])
    if not np.array_equal(seen, again):
        raise UsageError(f"network {name} gives other features each time; draw no numbers, let them be a Parameter")
    if not np.allclose(seen[:1], alone, rtol=CLOSE, atol=CLOSE):
        raise UsageError(f"network {name}: what it makes of an observation depends on the others of its batch")
    if state is not None and state.shape != (ROWS, first.state_size):
        raise UsageError(
            f"network {name}: step gives states {list(state.shape)}, expected [{ROWS}, {first.state_size}]"
        )


def _check_parts(name: str, network: Any) -> None:
    parameters, features = network.parameters, network.features
    if not isinstance(parameters, list | tuple) or not all(isinstance(one, Parameter) for one in parameters):
        raise UsageError(f"network {name}: its parameters are {_what(parameters)}, expected a list of Parameter")
    names = [parameter.name for parameter in parameters]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise UsageError(f"network {name} has two parameters of the name {twice[0]}")
    for parameter in parameters:
        if any(not isinstance(size, int | np.integer) or size < 0 for size in parameter.shape):
            raise UsageError(f"network {name}: parameter {parameter.name} has the shape {tuple(parameter.shape)}")
    if isinstance(features, bool) or not isinstance(features, int | np.integer) or features < 0:
        raise UsageError(f"network {name}: its features are {_what(features)}, expected how many it gives")
    for what, function in (("encode", network.encode), *((("step", network.step),) if network.step else ())):
        if not callable(function):
            raise UsageError(f"network {name}: its {what} is {_what(function)}, expected a function")


def _features(name: str, network: Any, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what a network gives for observations, and the states after them if it remembers.

    Raises:
      UsageError: it raises, or gives no features of the shape that it says.
    """
    rng, rows = np.random.default_rng(0), len(observations)
    parts = {parameter.name: initial_value(parameter, rng) for parameter in network.parameters}
    state = None
    with _told(name), np.errstate(all="ignore"):
        features = network.encode(NUMPY, parts, observations)
        if network.step is not None:
            features, state = network.step(NUMPY, parts, features, np.zeros((rows, network.state_size), np.float32))
    found = np.asarray(features)
    if found.shape != (rows, network.features) or found.dtype != np.float32:
        given = f"{found.dtype} {list(found.shape)} for {rows} observations"
        raise UsageError(f"network {name} gives {given}, expected float32 {[rows, int(network.features)]}")
    return found, None if state is None else np.asarray(state)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what a user's code raises into one line, with its traceback below."""
    try:
        yield
    except (Failure, KeyboardInterrupt):
        raise
    except BaseException as error:  # such as SystemExit
        raise UsageError(f"network {name} raised {with_traceback(error)}") from None


def _what(found: Any) -> str:
    return "None" if found is None else f"a {type(found).__name__}"
