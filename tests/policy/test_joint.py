"""Actions of several kinds at once: drawn each by itself, sent as their space has them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import (
    GroupAction,
    action_at,
    action_from_json,
    action_of,
    action_to_json,
    as_sent,
)
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import at_first
from baselines_ppo.common.policy.joint import Joint
from tests.any_space import Space, choices, float_boxes, nested, whole_boxes
from tests.envs.masked_tasks import HYBRID

SAMPLES = 100_000
XP = tensorflow_arrays()
# Of observations these may have no numbers, which is nothing to choose.
LEAVES = st.one_of(float_boxes(), whole_boxes(), choices()).filter(lambda space: 0 not in (space.shape or ()))
GROUPS = nested(LEAVES, 6)


def params_of(distribution: Distribution, count: int, seed: int = 0, scale: float = 1.0) -> Any:
    rng = np.random.default_rng(seed)
    output = scale * rng.standard_normal((1, distribution.network_size)).astype(np.float32)
    own = {
        name: x + np.float32(0.3) * rng.standard_normal(x.shape, np.float32)
        for name, x in at_first(distribution).items()
    }
    return distribution.from_network(np.repeat(output, count, axis=0), own)


@settings(deadline=None)
@given(GROUPS, st.integers(0, 2**32 - 1))
def test_every_action_is_contained_alone_and_in_a_batch_and_from_a_file(space: Space, seed: int) -> None:
    action = action_of(space, "X")
    distribution = action.distribution
    drawn = distribution.sample(
        params_of(distribution, 8, seed, 5.0), distribution.noise(np.random.default_rng(seed), 8)
    )
    drawn[0] = distribution.mode(params_of(distribution, 1, seed))[0]
    assert all(
        space.contains(action_at(action, as_sent(action, action.to_environment(drawn)), row)) for row in range(8)
    )
    stored = action_from_json(json.loads(json.dumps(action_to_json(action), allow_nan=False)))
    assert stored == action
    for row in range(8):
        alone = as_sent(stored, stored.to_environment(drawn[row : row + 1]))
        assert repr(action_at(stored, alone, 0)) == repr(
            action_at(action, as_sent(action, action.to_environment(drawn)), row)
        )


@pytest.mark.parametrize("kind", HYBRID)
def test_log_probabilities_entropies_and_divergences_are_the_sums_of_those_of_the_parts(kind: str) -> None:
    """The reference is each part by itself, with its own outputs and its own log std."""
    group = action_of(HYBRID[kind], "X")
    assert isinstance(group, GroupAction)
    joint, leaves = group.distribution, leaves_in(group.distribution)
    rng = np.random.default_rng(1)
    outputs = [rng.standard_normal((3, joint.network_size)).astype(np.float32) for _ in range(2)]
    stds = rng.standard_normal(sum(leaf.action_size for leaf in leaves if leaf.own_parameters())).astype(np.float32)
    own = {"log_std": stds} if len(stds) else {}
    noise = joint.noise(np.random.default_rng(2), 3)
    one, other = (joint.from_network(x, own) for x in outputs)
    drawn = joint.sample(one, noise)
    expected = np.zeros((3, 3))
    begin = {"output": 0, "std": 0, "action": 0}
    for leaf in leaves:
        columns = slice(begin["output"], begin["output"] + leaf.network_size)
        share = {"log_std": stds[begin["std"] : begin["std"] + leaf.action_size]} if leaf.own_parameters() else {}
        old, new = (leaf.from_network(x[:, columns], share) for x in outputs)
        chosen = leaf.sample(old, noise[:, columns])
        place = slice(begin["action"], begin["action"] + leaf.action_size)
        np.testing.assert_array_equal(drawn[:, place], np.reshape(chosen, (3, -1)))
        expected += np.stack(
            [leaf.log_prob(np, old, chosen), leaf.entropy(np, old) + np.zeros(3), leaf.kl(np, old, new)]
        )
        begin["output"], begin["action"] = columns.stop, place.stop
        begin["std"] += leaf.action_size if leaf.own_parameters() else 0
    got = [joint.log_prob(np, one, drawn), joint.entropy(np, one) + np.zeros(3), joint.kl(np, one, other)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    one, other, drawn = tf.nest.map_structure(tf.constant, (one, other, drawn))
    learned = [joint.log_prob(XP, one, drawn), joint.entropy(XP, one) + tf.zeros(3), joint.kl(XP, one, other)]
    np.testing.assert_allclose(learned, expected, rtol=1e-4)


def leaves_in(distribution: Distribution) -> list[Distribution]:
    """Return the distributions that have no others within them, in their order."""
    if not isinstance(distribution, Joint):
        return [distribution]
    return [leaf for part in distribution.parts for leaf in leaves_in(part)]


@pytest.mark.parametrize("kind", HYBRID)
def test_entropy_and_divergence_are_means_over_what_is_drawn(kind: str) -> None:
    joint = action_of(HYBRID[kind], "X").distribution
    one, other = (params_of(joint, SAMPLES, seed) for seed in (0, 1))
    drawn = joint.sample(one, joint.noise(np.random.default_rng(3), SAMPLES))
    log_prob, ratio = joint.log_prob(np, one, drawn), joint.log_prob(np, one, drawn) - joint.log_prob(np, other, drawn)
    for values, stated in ((-log_prob, joint.entropy(np, one)), (ratio, joint.kl(np, one, other))):
        assert abs(values.mean() - np.mean(stated)) < 4 * values.std() / np.sqrt(SAMPLES)


def test_parts_are_drawn_independently() -> None:
    joint = action_of(HYBRID["Dict"], "X").distribution
    drawn = joint.sample(params_of(joint, SAMPLES), joint.noise(np.random.default_rng(4), SAMPLES))
    correlations = np.corrcoef(drawn.T) - np.eye(drawn.shape[1])
    assert np.abs(correlations).max() < 5 / np.sqrt(SAMPLES)


def test_masks_of_parts_limit_these_parts() -> None:
    joint = action_of(HYBRID["Choices"], "X").distribution  # 4; 3 and 2; two switches
    allowed = np.array([[1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1]]) > 0
    outputs = np.random.default_rng(0).standard_normal((1, joint.network_size)).astype(np.float32)
    params = joint.from_network(np.repeat(joint.forbid(np, outputs, allowed), SAMPLES, axis=0), {})
    drawn = joint.sample(params, joint.noise(np.random.default_rng(5), SAMPLES))
    assert [sorted(set(column)) for column in drawn.T.tolist()] == [[0, 3], [1, 2], [1], [0, 1], [1]]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (
            spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(3)}),
            "Text is none of .*; let a wrapper make it a Multi",
        ),
        (spaces.Tuple((spaces.Sequence(spaces.Discrete(2)),)), "Sequence is none of .*; let a wrapper make it a Box"),
        (spaces.OneOf((spaces.Discrete(2), spaces.Box(-1, 1))), "OneOf is none of .*; let a wrapper make it a Dict"),
        (spaces.Dict({}), "nothing to choose; give it at least one part"),
        (spaces.Dict({"a": spaces.Box(-1, 1, (0,))}), "nothing to choose"),
        (spaces.Dict({1: spaces.Discrete(2)}), "name its parts by strings"),  # type: ignore[dict-item]
    ],
    ids=str,
)
def test_a_group_that_cannot_be_drawn_is_refused(space: Space, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        action_of(space, "X")


@pytest.mark.parametrize(
    "stored",
    [
        {"kind": "group", "names": None, "parts": []},
        {"kind": "group", "names": ["a", "a"], "parts": [{"kind": "discrete", "size": 2, "start": 0}] * 2},
        {"kind": "group", "names": ["a"], "parts": [{"kind": "discrete", "size": 2, "start": 0}] * 2},
        {"kind": "group", "parts": [{"kind": "discrete", "size": 2, "start": 0}]},
        {"kind": "group", "names": None, "parts": [{"kind": "os.system"}]},
    ],
)
def test_a_file_with_a_group_that_is_none_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        action_from_json(stored)
