"""A row's result depends on that row alone, wherever it stands and whatever stands beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.policy.rows import in_fixed_rows, independent_rows

# OpenBLAS's kernels by what a processor must have for them.
NEEDED = {"Haswell": "avx2", "Zen": "avx2", "SkylakeX": "avx512f", "Sandybridge": "avx", "Nehalem": "sse4_2"}
CPUINFO = Path("/proc/cpuinfo")
KNOWN = set(CPUINFO.read_text().split()) if CPUINFO.exists() else set()
KERNELS = [kernels for kernels, flag in NEEDED.items() if flag in KNOWN]

PLACED = """
import sys
import numpy as np
from gymnasium import spaces
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.common.policy.policy import Policy

seen = observation_of(spaces.Box(-1, 1, (int(sys.argv[1]),), np.float32), "X")
action = action_of(spaces.Box(-1, 1, (6,), np.float32), "X")
sizes = tuple(map(int, sys.argv[2].split(",")))
network = ActorCritic(seen, action, *[NetworkSettings("mlp", sizes, "tanh", 0)] * 2)
rng = np.random.default_rng(3)
policy = Policy(network, network.initial_parameters(rng, 0.0), None)
observations = rng.standard_normal((301, *seen.shape)).astype(np.float32)
states, noise = policy.initial_states(301), rng.standard_normal((301, 6)).astype(np.float32)
together = policy.sample(observations, states, noise), policy.values(observations, states)
for order in (np.arange(301)[::-1], np.roll(np.arange(301), 5), rng.permutation(301), np.arange(31), np.array([300])):
    moved = policy.sample(observations[order], states[order], noise[order])
    assert moved.actions.tobytes() == together[0].actions[order].tobytes(), "actions"
    assert policy.values(observations[order], states[order]).tobytes() == together[1][order].tobytes(), "values"
"""


@pytest.mark.parametrize("kernels", KERNELS)
def test_policy_and_value_function_give_the_same_bits_at_every_place(kernels: str) -> None:
    for size, layers in (("4", "40,14,5"), ("17", "64,64"), ("376", "256,128")):
        done = subprocess.run(
            [sys.executable, "-c", PLACED, size, layers],
            env={**os.environ, "OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr


def test_a_block_is_halved_until_places_are_alike() -> None:
    def noticing(x: np.ndarray) -> tuple[np.ndarray, ...]:  # like a kernel that takes the rows after the 12th otherwise
        return (x + np.where(np.arange(len(x)) < 12, 0.0, 1e-7)[:, None],)

    examples = (np.zeros((3, 2)),)
    assert independent_rows(noticing, examples, 64) == 8
    assert independent_rows(lambda x: (x,), examples, 64) == 64
    assert independent_rows(lambda x: (x + np.arange(len(x))[:, None],), examples, 64) == 1


def test_what_is_left_over_of_the_last_block_is_padded_and_cut() -> None:
    x = np.arange(10.0)[:, None]
    seen: list[int] = []

    def doubled(block: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(len(block))
        return (2 * block,)

    assert in_fixed_rows(doubled, x, rows=4)[0].tolist() == (2 * x).tolist()
    assert seen == [4, 4, 4]
