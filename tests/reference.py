"""References in plain numpy, written from the definitions and not from our code."""

from __future__ import annotations

import math

import numpy as np


def advantage_by_definition(
    rewards: list[float],
    values: list[float],
    next_values: list[float],
    ends: list[bool],
    gamma: float,
    gae_lambda: float,
) -> list[float]:
    """Return A_t = sum_l (gamma lambda)^l delta_{t+l}, summed until the episode's end, for one environment."""
    advantages = []
    for start in range(len(rewards)):
        total = 0.0
        for later in range(start, len(rewards)):
            delta = rewards[later] + gamma * next_values[later] - values[later]
            total += (gamma * gae_lambda) ** (later - start) * delta
            if ends[later]:
                break
        advantages.append(total)
    return advantages


def normal_log_density(x: float, mean: float, std: float) -> float:
    """Return the log density of a normal distribution."""
    return math.log(math.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of one row of logits."""
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum()


def mlp(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    """Return a tanh network's linear output for one input, unit by unit."""
    for depth, (weights, bias) in enumerate(layers):
        x = np.array([sum(x[i] * weights[i, j] for i in range(len(x))) + bias[j] for j in range(len(bias))])
        if depth < len(layers) - 1:
            x = np.tanh(x)
    return x


def convolution(images: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """Return images [B, H, W, C] filtered by weights [k, k, C, F] without padding, filter by filter, place by place."""
    size, _, _, filters = weights.shape
    batch, height, width, _ = images.shape
    rows, columns = len(range(0, height - size + 1, stride)), len(range(0, width - size + 1, stride))
    result = np.zeros((batch, rows, columns, filters))
    for image in range(batch):
        for row in range(rows):
            for column in range(columns):
                top, left = row * stride, column * stride
                patch = images[image, top : top + size, left : left + size].astype(np.float64)
                for k in range(filters):
                    result[image, row, column, k] = (patch * weights[..., k]).sum()
    return result


def lstm_step(
    weights: np.ndarray, bias: np.ndarray, x: np.ndarray, cell: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the next cell and output of one LSTM for one input, unit by unit.

    Columns of weights [inputs + size, 4 size] are input, forget, output gate and candidate; a forget gate of
    weight 0 is open by 1.
    """
    size, seen = len(cell), [*x, *hidden]
    next_cell, output = np.zeros(size), np.zeros(size)
    for unit in range(size):
        pre = [
            sum(s * weights[i, g * size + unit] for i, s in enumerate(seen)) + bias[g * size + unit] for g in range(4)
        ]
        admit, forget, emit = (1.0 / (1.0 + math.exp(-z)) for z in (pre[0], pre[1] + 1.0, pre[2]))
        next_cell[unit] = forget * cell[unit] + admit * math.tanh(pre[3])
        output[unit] = emit * math.tanh(next_cell[unit])
    return next_cell, output
