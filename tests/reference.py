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
