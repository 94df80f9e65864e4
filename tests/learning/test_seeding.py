"""Random streams."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.seeding import Purpose, episode_seed, generator


def test_a_stream_depends_on_every_part_of_its_key() -> None:
    keys = [(0, Purpose.ACTION, 1, 2), (1, Purpose.ACTION, 1, 2), (0, Purpose.SHUFFLE, 1, 2), (0, Purpose.ACTION, 2, 1)]
    draws = [generator(seed, purpose, *rest).random() for seed, purpose, *rest in keys]
    assert len(set(draws)) == len(keys)
    assert generator(0, Purpose.ACTION, 1, 2).random() == draws[0]


def test_streams_of_neighbouring_keys_are_not_correlated() -> None:
    draws = np.stack([generator(0, Purpose.ACTION, i, 0).standard_normal(2000) for i in range(10)])
    correlation = np.corrcoef(draws) - np.eye(10)
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)


def test_episode_seeds_fit_31_bits_and_differ() -> None:
    seeds = {episode_seed(0, environment, episode) for environment in range(100) for episode in range(100)}
    assert len(seeds) > 9_990
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert episode_seed(0, 3, 4) != episode_seed(0, 3, 4, Purpose.EVALUATION)
