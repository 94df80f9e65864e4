"""Conjugate gradient, line search, and TRPO's gradient, Fisher products and step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from baselines_ppo.common.batch import Batch
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.natural_gradient import Tried, conjugate_gradient, line_search
from baselines_ppo.common.policy.actions import Action, DiscreteAction, MultiBinaryAction
from baselines_ppo.common.policy.actor_critic import ActorCritic, Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.observations import BoxObservation
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Collector
from baselines_ppo.plan import plan_of
from baselines_ppo.settings.presets import configure
from baselines_ppo.trpo import TRPO
from baselines_ppo.wiring import actor_critic_of
from tests.envs.test_rollout import vec_env
from tests.reference import mlp, softmax

STATES, CHOICES = 12, 3
XP = tensorflow_arrays()
NO_BONUS = tf.constant(0.0)
OWN = tf.constant(2)  # shards, of one environment each, over which sums are taken


def matrix(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a symmetric positive definite matrix and a right-hand side."""
    rng = np.random.default_rng(size)
    root = rng.standard_normal((size, size))
    return root @ root.T + np.eye(size), rng.standard_normal(size)


class Product:
    """A matrix by which vectors are multiplied, counted."""

    def __init__(self, a: np.ndarray) -> None:
        self.a, self.count = a, 0

    def __call__(self, v: np.ndarray) -> np.ndarray:
        self.count += 1
        return self.a @ v


@pytest.mark.parametrize("size", [1, 4, 12])
def test_conjugate_gradient_solves_a_system_of_p_unknowns_in_p_steps(size: int) -> None:
    a, b = matrix(size)
    product = Product(a)
    np.testing.assert_allclose(a @ conjugate_gradient(product, b, size), b, atol=1e-4)
    assert product.count <= size


def test_as_many_steps_as_there_are_different_eigenvalues_are_enough() -> None:
    basis, _ = np.linalg.qr(matrix(20)[0])
    product = Product(basis @ np.diag([1.0] * 8 + [5.0] * 7 + [40.0] * 5) @ basis.T)
    b = matrix(20)[1]
    np.testing.assert_allclose(product.a @ conjugate_gradient(product, b, 20), b, atol=1e-4)
    assert product.count <= 4


def test_the_first_step_goes_down_the_gradient_to_the_lowest_point_on_that_line() -> None:
    a, b = matrix(6)
    x = conjugate_gradient(Product(a), b, 1)
    assert x @ b == pytest.approx(np.linalg.norm(x) * np.linalg.norm(b))  # along b, the steepest descent from zero
    assert (a @ x - b) @ b == pytest.approx(0.0, abs=1e-9)  # the slope of x A x / 2 - b x there


def test_every_step_comes_closer() -> None:
    a, b = matrix(10)
    exact = np.linalg.solve(a, b)
    errors = [conjugate_gradient(Product(a), b, steps) - exact for steps in range(8)]
    lengths = [float(error @ a @ error) for error in errors]
    assert lengths == sorted(lengths, reverse=True)


def test_nothing_to_solve_takes_no_step() -> None:
    product = Product(np.eye(3))
    assert conjugate_gradient(product, np.zeros(3), 10).tolist() == [0.0] * 3
    assert product.count == 0


START, STEP = np.array([1.0, 2.0], np.float32), np.array([4.0, -8.0])


def searched(evaluate: Callable[[float], Tried], steps: int = 10) -> tuple[float, np.ndarray, list[float]]:
    """Return length and parameters of a search by halves with KL up to 0.01, and the lengths that were tried."""
    lengths: list[float] = []

    def along(candidate: np.ndarray) -> Tried:
        assert candidate.dtype == START.dtype
        share = (candidate - START) / STEP
        assert share[0] == pytest.approx(share[1])
        lengths.append(float(share[0]))
        return evaluate(lengths[-1])

    taken = line_search(along, START, STEP, 0.01, 0.5, steps)
    return taken.length, taken.parameters, lengths


def test_a_good_full_step_is_taken_at_once() -> None:
    length, parameters, tried = searched(lambda share: Tried(1.0, 0.01))
    assert (length, parameters.tolist(), tried) == (1.0, [5.0, -6.0], [1.0])


def test_a_step_is_shortened_until_it_is_within_the_trust_region() -> None:
    length, parameters, tried = searched(lambda share: Tried(share, 0.05 * share**2))
    assert (length, parameters.tolist(), tried) == (0.25, [2.0, 0.0], [1.0, 0.5, 0.25])


def test_a_step_is_shortened_until_it_improves() -> None:
    assert searched(lambda share: Tried(share * (0.3 - share), 0.0))[0] == 0.25


@pytest.mark.parametrize(
    "tried", [Tried(-1.0, 0.0), Tried(0.0, 0.0), Tried(1.0, 0.02), Tried(np.nan, 0.0), Tried(1.0, np.nan)]
)
def test_where_no_length_is_good_nothing_changes(tried: Tried) -> None:
    length, parameters, lengths = searched(lambda share: tried, steps=4)
    assert length == 0.0
    np.testing.assert_array_equal(parameters, START)
    assert len(lengths) == 4


def learner(network: str = "mlp", action: Action | None = None, **fields: Any) -> TRPO:
    shape = {"num_envs": 2, "num_minibatches": 2, **fields}
    config = configure("X", "trpo", network=network, hidden_sizes=(4,), lstm_size=3, **shape)
    wired: ActorCritic = actor_critic_of(config, BoxObservation((2,), "float32"), action or DiscreteAction(CHOICES, 0))
    parameters = wired.initial_parameters(np.random.default_rng(0), 0.0)
    parameters += 0.3 * np.random.default_rng(1).standard_normal(len(parameters)).astype(np.float32)
    return TRPO(plan_of(config, wired, 1), Policy(wired, parameters, None), Comm(), range(2))


def theta_of(trpo: TRPO) -> np.ndarray:
    return trpo.policy.parameters[: trpo.layout.size]


def experience(trpo: TRPO) -> Batch:
    """Return made-up experience of the learner's own policy; with memory, two sequences."""
    rng, policy = np.random.default_rng(2), trpo.policy
    lead = (2, STATES // 2) if policy.network.recurrent else (STATES,)
    seen, starts = rng.standard_normal((*lead, 2)).astype(np.float32), rng.random(lead) < 0.3
    states = rng.standard_normal((lead[0], policy.network.state_size)).astype(np.float32)
    inputs = Inputs(*map(tf.constant, (seen, states, starts)))
    params, _ = policy.network.learn(XP, policy.network.layout.split(tf.constant(policy.parameters)), inputs)
    noise = policy.distribution.noise(rng, STATES).reshape(*lead, -1)
    actions = policy.distribution.sample(params.numpy(), noise)
    advantages = tf.constant(rng.standard_normal(lead).astype(np.float32))
    log_probs = policy.distribution.log_prob(XP, params, actions)
    return Batch(inputs, tf.constant(actions), log_probs, params, advantages, tf.zeros(lead), tf.zeros(lead))


def written_out(trpo: TRPO, theta: np.ndarray, batch: Batch) -> np.ndarray:
    """Return the probabilities [STATES, CHOICES] of the policy, unit by unit in float64."""
    parts = trpo.layout.split(theta)
    layers = [(parts[f"{scope}/0/weights"], parts[f"{scope}/0/bias"]) for scope in ("policy/hidden", "policy_head")]
    return np.stack([softmax(mlp(layers, x)) for x in batch.inputs.observations.numpy().astype(np.float64)])


def test_the_gradient_is_that_of_the_surrogate_by_finite_differences() -> None:
    trpo = learner()
    batch, theta = experience(trpo), theta_of(trpo).astype(np.float64)
    taken, advantages = batch.actions.numpy(), batch.advantages.numpy()
    old = written_out(trpo, theta, batch)[np.arange(STATES), taken]

    def gain(theta: np.ndarray) -> float:
        return float(np.mean(written_out(trpo, theta, batch)[np.arange(STATES), taken] / old * advantages))

    offset = theta + 0.05  # not where the ratio is 1
    got = trpo.gradient(tf.constant(offset, tf.float32), batch, OWN, NO_BONUS).numpy() / 2
    for k in range(len(theta)):
        unit = 1e-6 * (np.arange(len(theta)) == k)
        assert got[k] == pytest.approx((gain(offset + unit) - gain(offset - unit)) / 2e-6, rel=1e-3, abs=1e-5)


def test_the_fisher_product_is_that_of_the_expected_outer_product_of_scores() -> None:
    """F = E over states of the sum over actions of pi grad log pi grad log pi^T."""
    trpo = learner()
    batch, theta = experience(trpo), tf.constant(theta_of(trpo))
    with tf.GradientTape() as tape:
        tape.watch(theta)
        logits = trpo.policy.network.learn_policy(XP, trpo.layout.split(theta), batch.inputs)
        log_probs = tf.nn.log_softmax(logits)
    scores = tape.jacobian(log_probs, theta).numpy().astype(np.float64)  # [STATES, CHOICES, P]
    fisher = np.einsum("sa,sap,saq->pq", np.exp(log_probs), scores, scores) / STATES
    assert np.linalg.matrix_rank(fisher, tol=1e-6) > 5
    got = np.stack(
        [trpo.fisher_product(theta, tf.constant(v), batch, OWN) / 2 for v in np.eye(len(fisher), dtype=np.float32)]
    )
    np.testing.assert_allclose(got, fisher, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "action"), [("mlp", MultiBinaryAction(2, (2,))), ("lstm", DiscreteAction(CHOICES, 0))]
)
def test_the_fisher_product_is_how_the_kls_gradient_grows_along_a_direction(network: str, action: Action) -> None:
    trpo = learner(network, action)
    batch, theta = experience(trpo), theta_of(trpo)
    v = np.random.default_rng(3).standard_normal(len(theta)).astype(np.float32)

    def slope(theta: np.ndarray) -> np.ndarray:
        at = tf.constant(theta)
        with tf.GradientTape() as tape:
            tape.watch(at)
            _, kl, _ = trpo.objective(at, batch, NO_BONUS)
        return tape.gradient(kl, at).numpy().astype(np.float64)

    differences = (slope(theta + np.float32(1e-2) * v) - slope(theta - np.float32(1e-2) * v)) / 2e-2
    compiled = trpo.fisher_product
    product = compiled.python_function if network == "lstm" else compiled  # a loop's second derivative traces slowly
    got = product(tf.constant(theta), tf.constant(v), batch, OWN).numpy() / 2
    np.testing.assert_allclose(got, differences, rtol=0.05, atol=0.02 * np.abs(differences).max())


@pytest.mark.parametrize(("coefficient", "stuck"), [(0.0, True), (0.01, False)])
def test_a_policy_that_takes_one_action_only_comes_free_by_the_entropy_bonus(coefficient: float, stuck: bool) -> None:
    """It takes the first of three in 99 of 100 states; where all advantages are 0 the uniform policy is best."""
    trpo = learner(entropy_coef=coefficient)
    parts = {name: part.copy() for name, part in trpo.policy._parts.items()}
    parts["policy_head/0/bias"] = np.array([6.0, 0.0, 0.0], np.float32)
    trpo.policy.parameters = trpo.policy.network.layout.join(parts)
    begun, entropies = trpo.policy.parameters, []
    for _ in range(40):
        batch = experience(trpo)
        theta, metrics = trpo._natural_step(batch._replace(advantages=tf.zeros_like(batch.advantages)))
        trpo.policy.parameters = np.concatenate([theta, begun[len(theta) :]])
        entropies.append(metrics["entropy"])
        assert metrics["kl"] <= 0.01
    assert entropies[0] < 0.1
    if stuck:
        np.testing.assert_array_equal(trpo.policy.parameters, begun)
    else:
        probabilities = written_out(trpo, theta_of(trpo).astype(np.float64), experience(trpo))
        np.testing.assert_allclose(probabilities, 1 / CHOICES, atol=0.03)


@pytest.fixture(scope="module")
def training() -> tuple[TRPO, Collector]:
    """Return a learner and where its experience comes from; compiled once for all tests."""
    config = configure(
        "CartPole-v1", "trpo", hidden_sizes=(8,), num_epochs=2, num_minibatches=4, kl_target=0.02, num_envs=4
    )
    envs = vec_env("CartPole-v1", range(4))
    network = actor_critic_of(config, envs.observation, envs.action)
    policy = Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), 10.0)
    envs.reset()
    return TRPO(plan_of(config, network, 1), policy, Comm(), range(4)), Collector(
        envs, policy, Normalizer(()), seed=0, gamma=0.99
    )


def test_an_update_improves_the_surrogate_and_stays_within_the_trust_region(training: tuple[TRPO, Collector]) -> None:
    trpo, source = training
    for iteration in range(2):
        rollout, updates = source.collect(iteration, 64), trpo.updates
        metrics = trpo.update(rollout, 0.0)
        assert trpo.updates == updates + 1 + 2 * 4
        outputs, _, _ = trpo.policy.network.act(
            np, trpo.policy._parts, rollout.observations.reshape(-1, 4), np.zeros((256, 0))
        )
        pairs = zip(rollout.outputs.reshape(-1, 2), outputs, strict=True)
        probabilities = np.array([(softmax(old), softmax(new)) for old, new in pairs])
        kl = np.mean(np.sum(probabilities[:, 0] * np.log(probabilities[:, 0] / probabilities[:, 1]), axis=1))
        assert kl == pytest.approx(metrics["kl"], abs=1e-4)
        assert 0.004 < kl <= 0.0201  # a natural step as long as it may be, not just any
        assert metrics["improvement"] > 0
        assert 0 < metrics["step_length"] <= 1


def test_a_state_round_trip_continues_bit_for_bit(training: tuple[TRPO, Collector]) -> None:
    trpo, source = training
    rollout, state, updates = source.collect(7, 64), trpo.state(), trpo.updates
    metrics, parameters = trpo.update(rollout, 0.5), trpo.policy.parameters
    trpo.restore(state)
    assert trpo.updates == updates
    assert trpo.update(rollout, 0.5) == metrics
    np.testing.assert_array_equal(trpo.policy.parameters, parameters)


def test_a_gradient_that_is_not_finite_is_never_applied(training: tuple[TRPO, Collector]) -> None:
    trpo, source = training
    rollout, before = source.collect(9, 64), trpo.policy.parameters.copy()
    rollout.rewards[3, 1] = np.nan
    with pytest.raises(DataError, match="the policy's gradient has NaN or Inf"):
        trpo.update(rollout, 0.0)
    np.testing.assert_array_equal(trpo.policy.parameters, before)
