"""Networks of a user's own that are no good: each is refused in one line, before anything is trained."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import Network, Parameter, configure
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.networks import NETWORKS, register_network
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.wiring import actor_critic_of

SEEN, ACTED = observation_of(spaces.Box(-1, 1, (4,)), "X"), action_of(spaces.Discrete(2), "X")
WEIGHTS = Parameter("w", (4, 8), gain=1.0)


def encode(xp: Any, p: Any, x: Any) -> Any:
    return xp.tanh(x @ p["w"])


def drawn_once(shape: Any, settings: Any) -> Network:
    weights = np.random.standard_normal(8).astype(np.float32)
    return Network([WEIGHTS], 8, lambda xp, p, x: encode(xp, p, x) + weights)


def raises(shape: Any, settings: Any) -> Network:
    raise ValueError("no such layer")


def leaves(shape: Any, settings: Any) -> Network:
    sys.exit(3)


def over_the_batch(xp: Any, p: Any, x: Any) -> Any:
    return encode(xp, p, x) - xp.sum(x, axis=0)[0]


def remembers(size: int) -> Network:
    return Network([WEIGHTS], 8, encode, lambda xp, p, x, states: (x, states[:, :1]), state_size=size)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda shape, settings: None, "network mine returned None, expected a Network"),
        (lambda: None, "network mine raised TypeError: .* takes 0 positional arguments"),
        (raises, "network mine raised ValueError: no such layer\nTraceback"),
        (leaves, "network mine raised SystemExit: 3\nTraceback"),
        (5, "network mine raised TypeError: 'int' object is not callable"),
        (lambda *_: Network({"w": (4, 8)}, 8, encode), "its parameters are a dict, expected a list of Parameter"),  # type: ignore[arg-type]
        (lambda *_: Network([WEIGHTS, WEIGHTS], 8, encode), "has two parameters of the name w"),
        (lambda *_: Network([Parameter("w", (4, -8), 1.0)], 8, encode), r"parameter w has the shape \(4, -8\)"),
        (lambda *_: Network([WEIGHTS], "8", encode), "its features are a str, expected how many it gives"),  # type: ignore[arg-type]
        (lambda *_: Network([WEIGHTS], 8, None), "its encode is None, expected a function"),  # type: ignore[arg-type]
        (lambda *_: Network([WEIGHTS], 9, encode), r"gives float32 \[3, 8\] for 3 .*, expected float32 \[3, 9\]"),
        (
            lambda *_: Network([WEIGHTS], 8, lambda xp, p, x: np.float64(2) * encode(xp, p, x)),
            r"gives float64 \[3, 8\]",
        ),
        (lambda *_: Network([WEIGHTS], 8, lambda xp, p, x: p["none"]), "network mine raised KeyError: 'none'"),
        (lambda *_: Network([WEIGHTS], 8, lambda xp, p, x: xp.sigmoid(x)), "xp has no sigmoid; it has abs"),
        (drawn_once, "gives other features each time; draw no numbers"),
        (lambda *_: Network([WEIGHTS], 8, over_the_batch), "depends on the others of its batch"),
        (lambda *_: remembers(8), r"step gives states \[3, 1\], expected \[3, 8\]"),
    ],
)
def test_it_is_refused_in_one_line(build: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.common.policy.networks.NETWORKS", dict(NETWORKS))
    register_network("mine", build)
    with pytest.raises(UsageError, match=said):
        actor_critic_of(configure("X", network="mine"), SEEN, ACTED)


def test_a_good_one_is_taken_for_numbers_and_for_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.common.policy.networks.NETWORKS", dict(NETWORKS))
    kinds: list[np.dtype] = []

    def build(shape: Any, settings: Any) -> Network:
        def mean(xp: Any, p: Any, x: Any) -> Any:
            kinds.append(x.dtype)
            return xp.reshape(xp.asarray(x, np.float32), [-1, size]) @ p["w"]

        size = int(np.prod(shape))
        return Network([Parameter("w", (size, 2), gain=1.0)], 2, mean)

    register_network("mine", build)
    for space in (spaces.Box(0, 255, (40, 40, 3), np.uint8), spaces.Box(-1, 1, (4,), np.float64)):
        assert actor_critic_of(configure("X", network="mine"), observation_of(space, "X"), ACTED).layout.size
    assert {str(kind) for kind in kinds} == {"uint8", "float32"}
