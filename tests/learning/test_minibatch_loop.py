"""Adam, gradient clipping, and epochs of minibatches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from baselines_ppo.common.adam import AdamState, adam_step, clip_by_norm, prefixed, sum_of_squares, unprefixed
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop, NoNumbers
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.parameters import ParameterLayout


def start(parameters: list[float]) -> AdamState:
    zeros = tf.zeros(len(parameters))
    return AdamState(tf.constant(parameters), zeros, zeros, tf.constant(0, tf.int64))


def test_adam_makes_the_steps_computed_by_hand() -> None:
    """Gradient 1 then 2 with step size 0.1, epsilon 0.

    Step 1: m = 0.1, v = 0.001, corrected both 1: 0.1 down. Step 2: m = 0.29, v = 0.004999; corrected
    m = 0.29 / 0.19 = 1.526316, v = 0.004999 / 0.001999 = 2.500750: 0.1 x 1.526316 / 1.581376 = 0.0965182 down.
    """
    state = adam_step(start([1.0]), tf.constant([1.0]), tf.constant(0.1), 0.0)
    np.testing.assert_allclose(state.parameters, [0.9], rtol=1e-5)
    state = adam_step(state, tf.constant([2.0]), tf.constant(0.1), 0.0)
    np.testing.assert_allclose(state.parameters, [0.9 - 0.0965182], rtol=1e-5)
    assert int(state.step) == 2


def test_epsilon_is_added_to_the_uncorrected_root() -> None:
    """First step, gradient 1: rate sqrt(0.001), m 0.1, root of v sqrt(0.001); an epsilon as large halves it."""
    epsilon = float(np.sqrt(0.001))
    state = adam_step(start([0.0]), tf.constant([1.0]), tf.constant(0.1), epsilon)
    np.testing.assert_allclose(state.parameters, [-0.05], rtol=1e-5)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
def test_sum_of_squares_counts_every_number_once(size: int) -> None:
    x = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    assert float(sum_of_squares(tf.constant(x))) == pytest.approx(float(np.sum(x.astype(np.float64) ** 2)), rel=1e-6)
    for bad in (np.nan, np.inf, 1e30):  # whose square is too large
        assert not np.isfinite(sum_of_squares(tf.constant([*x[1:], np.float32(bad)])))


def test_clipping_shortens_long_gradients_only() -> None:
    np.testing.assert_allclose(clip_by_norm(tf.constant([3.0, 4.0]), 0.5), [0.3, 0.4], rtol=1e-6)
    assert clip_by_norm(tf.constant([0.3, 0.4]), 0.6).numpy().tolist() == pytest.approx([0.3, 0.4])
    assert clip_by_norm(tf.constant([3.0, 4.0]), None).numpy().tolist() == [3.0, 4.0]


class Batch(NamedTuple):
    x: Any


def to_mean(parts: Mapping[str, tf.Tensor], batch: Batch, _: NoNumbers) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    loss = tf.reduce_mean(tf.square(parts["a"] - batch.x))
    return loss, {"loss": loss}


class Pull(NamedTuple):
    weight: Any
    other: Any


def optimizer(max_grad_norm: float | None = None) -> MinibatchLoop:
    adam = MinibatchLoop(to_mean, ("loss",), ParameterLayout((("a", (1,)),)), Comm(), LoopSettings(1e-8, max_grad_norm))
    adam.start(np.array([5.0], np.float32))
    return adam


def test_epochs_find_the_minimum() -> None:
    adam, batch = optimizer(), Batch(tf.constant([[1.0], [2.0], [3.0], [2.0]]))
    indices = np.array([[0, 2], [1, 3]], np.int32)
    for _ in range(400):
        fitted = adam.epochs(batch, indices[None], 0.02)
    np.testing.assert_allclose(adam.parameters, [2.0], atol=0.02)
    assert adam.step == 800
    assert fitted.metrics["loss"] == pytest.approx(0.5, abs=0.01)


def test_an_epoch_makes_the_steps_of_its_minibatches_in_order() -> None:
    adam, x = optimizer(0.5), np.array([[0.0], [10.0]], np.float32)
    adam.epochs(Batch(tf.constant(x)), np.array([[[1], [0]]], np.int32), 0.1)
    state = start([5.0])
    for target in (10.0, 0.0):
        gradient = np.clip(2 * (float(state.parameters[0]) - target), -0.5, 0.5)
        state = adam_step(state, tf.constant([gradient], tf.float32), tf.constant(0.1), 1e-8)
    np.testing.assert_allclose(adam.parameters, state.parameters, rtol=1e-6)


def test_a_gradient_that_is_not_finite_is_never_applied() -> None:
    adam, batch = optimizer(), Batch(tf.constant([[1.0], [np.nan], [1.0]]))
    with pytest.raises(DataError, match="NaN or Inf"):
        adam.epochs(batch, np.array([[[0], [1], [2]]], np.int32), 0.1)
    np.testing.assert_allclose(adam.parameters, [4.9], rtol=1e-5)  # the good step before it
    assert adam.step == 1


def test_a_finite_gradient_whose_square_overflows_is_never_applied() -> None:
    adam, batch = optimizer(), Batch(tf.constant([[1.0], [1.2e19]]))
    with pytest.raises(DataError, match="update 2: the gradient"):
        adam.epochs(batch, np.array([[[0], [1]]], np.int32), 0.1)
    assert np.isfinite(adam.state()["adam/v"]).all()


def test_state_round_trip_continues_bit_for_bit() -> None:
    one, other, batch = optimizer(), optimizer(), Batch(tf.constant([[1.0], [2.0]]))
    indices = np.array([[0], [1]], np.int32)
    one.epochs(batch, indices[None], 0.1)
    other.restore(one.state())
    one.epochs(batch, indices[None], 0.1)
    other.epochs(batch, indices[None], 0.1)
    assert {k: x.tobytes() for k, x in one.state().items()} == {k: x.tobytes() for k, x in other.state().items()}


def test_two_optimizers_states_keep_apart_under_their_own_names() -> None:
    one, other = optimizer(), optimizer()
    other.epochs(Batch(tf.constant([[1.0]])), np.array([[[0]]], np.int32), 0.1)
    together = {**prefixed("one", one.state()), **prefixed("other", other.state())}
    assert not any("parameters" in name for name in together)
    for name, adam in (("one", one), ("other", other)):
        own = {**unprefixed(name, together), "parameters": adam.parameters}
        assert {k: x.tobytes() for k, x in own.items()} == {k: x.tobytes() for k, x in adam.state().items()}


def test_a_loss_may_take_several_numbers_that_move() -> None:
    def pulled(parts: Mapping[str, tf.Tensor], batch: Batch, settings: Pull) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        loss = settings.weight * tf.reduce_sum(parts["a"]) + 0.0 * tf.reduce_sum(batch.x)
        return loss, {"second": settings.other}

    step_by_step = LoopSettings(1e-8, compiled=False)
    adam = MinibatchLoop(pulled, ("second",), ParameterLayout((("a", (1,)),)), Comm(), step_by_step)
    adam.start(np.array([5.0], np.float32))
    fitted = adam.epochs(Batch(tf.constant([[1.0]])), np.array([[[0]]], np.int32), 0.1, Pull(-2.0, 0.75))
    assert fitted.metrics == fitted.last == {"second": 0.75}
    np.testing.assert_allclose(adam.parameters, [5.1], rtol=1e-5)  # uphill, against the negative weight


def test_a_step_scale_moves_the_parameters_it_names_and_no_others() -> None:
    """Adam's first step has the size of its step size, whatever the gradient."""

    def sum_of_both(
        parts: Mapping[str, tf.Tensor], batch: Batch, _: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return tf.reduce_sum(parts["a"]) + 7.0 * tf.reduce_sum(parts["b"]) + 0.0 * tf.reduce_sum(batch.x), {}

    layout = ParameterLayout((("a", (2,)), ("b", (1,))))
    adam = MinibatchLoop(sum_of_both, (), layout, Comm(), LoopSettings(1e-8, step_scales={"b": 3.0}))
    adam.start(np.zeros(3, np.float32))
    adam.epochs(Batch(tf.constant([[1.0]])), np.array([[[0]]], np.int32), 0.1)
    np.testing.assert_allclose(adam.parameters, [-0.1, -0.1, -0.3], rtol=1e-5)


def test_each_minibatch_has_settings_of_its_own() -> None:
    """With a gradient that is the setting, Adam's first step goes against its sign; metrics are means of means."""

    def pulled(parts: Mapping[str, tf.Tensor], batch: Batch, settings: Pull) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return settings.weight * tf.reduce_sum(parts["a"]) + 0.0 * tf.reduce_sum(batch.x), {"seen": settings.weight}

    adam = MinibatchLoop(pulled, ("seen",), ParameterLayout((("a", (1,)),)), Comm(), LoopSettings(1e-8))
    adam.start(np.zeros(1, np.float32))
    batch, indices = Batch(tf.constant([[1.0]])), np.zeros((2, 3, 1), np.int32)
    fitted = adam.epochs(batch, indices, 0.1, Pull(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]]), 0.0))
    assert (fitted.metrics["seen"], fitted.last["seen"], fitted.epochs) == (4.0, 6.0, 2)


@pytest.mark.parametrize("compiled", [True, False])
def test_what_lies_between_epochs_moves_the_step_size_and_ends_them(compiled: bool) -> None:
    """Each step of Adam under an even gradient has its step size: 0.1, then 0.05, then no more."""

    def down(parts: Mapping[str, tf.Tensor], batch: Batch, _: NoNumbers) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return tf.reduce_sum(parts["a"]) + 0.0 * tf.reduce_sum(batch.x), {"where": tf.reduce_sum(parts["a"])}

    def halved(metrics: Mapping[str, tf.Tensor], rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rate / 2.0, metrics["where"] > -0.05

    layout = ParameterLayout((("a", (1,)),))
    adam = MinibatchLoop(down, ("where",), layout, Comm(), LoopSettings(1e-8, compiled=compiled), halved)
    adam.start(np.zeros(1, np.float32))
    fitted = adam.epochs(Batch(tf.constant([[1.0]])), np.zeros((5, 1, 1), np.int32), 0.1)
    np.testing.assert_allclose(adam.parameters, [-0.15], rtol=1e-4)
    assert (fitted.epochs, adam.step) == (2, 2)
    assert fitted.learning_rate == pytest.approx(0.025)
