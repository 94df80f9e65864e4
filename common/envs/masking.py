"""Masks of actions beside what is seen, wherever an environment gives them: where there is to act, they allow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from baselines_ppo.common.envs.backend_contract import Unusable
from baselines_ppo.common.policy.observations import MaskedObservation, mask_of
from baselines_ppo.common.policy.spaces.masks import MASK, nothing_allowed


def mask_in(info: Any) -> Any:
    """Return the mask in an info, or another dict, of one environment or of a vector form; or None."""
    return info.get(MASK) if isinstance(info, Mapping) else None


def told_mask(observation: Any, info: Any) -> Any:
    """Return the mask that one environment gave with an observation or an info, or None."""
    within = mask_in(observation)
    return mask_in(info) if within is None else within


class Masking:
    """Makes one array of what is seen and of the mask that belongs to it."""

    def __init__(self, observation: MaskedObservation) -> None:
        self._observation = observation
        where = "info" if observation.mask is None else "observation"
        self._missing = (
            f"its {where} has no {MASK}, as it had when it was tried out; give one at reset and at each step"
        )

    def encoded(self, row: int, seen: Any, info: Any, ended: bool) -> np.ndarray:
        """Return what a row gave with its mask, [D + M]: that of the observation, else that of the info.

        Args:
          ended: the episode ends with it; there is nothing to do, and the mask does not matter.

        Raises:
          Unusable: it does not fit, the mask is missing, or it allows nothing.
        """
        given = seen
        if not self._observation.holds_mask(seen):
            mask = None if ended else mask_in(info)
            if mask is None and not ended:
                raise Unusable(row, self._missing)
            given = self._observation.joined(seen, mask)
        try:
            encoded = self._observation.encode(given)
        except ValueError as error:
            raise Unusable(row, f"the observation is {error}") from None
        if not ended:
            self._check(encoded[None], [row])
        return encoded

    def encoded_rows(self, seen: Any, infos: Any, count: int, acting: Sequence[int]) -> np.ndarray:
        """Return what a vector form of so many rows gave with its masks, [n, D + M].

        Args:
          acting: the rows in which there is something to do.

        Raises:
          Unusable: see `encoded`.
        """
        given = seen
        if not self._observation.holds_mask(seen):
            if (masks := mask_in(infos)) is None:
                raise Unusable(None, self._missing)
            given = self._observation.joined(seen, masks)
        try:
            encoded = self._observation.encode(given, (count,))
        except ValueError as error:
            raise Unusable(None, f"the observations are {error}") from None
        self._check(encoded[acting], acting)
        return encoded

    def _check(self, encoded: np.ndarray, rows: Sequence[int]) -> None:
        if (found := nothing_allowed(self._observation.action, encoded[:, mask_of(self._observation)])) is not None:
            raise Unusable(rows[found[0]], found[1])
