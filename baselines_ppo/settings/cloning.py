"""The settings of `clone`, beside those of a training that PPO is to go on with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_type_hints

from baselines_ppo.settings.fields import check, option


@dataclass(frozen=True)
class CloneConfig:
    """How a policy is fitted to demonstrations."""

    num_epochs: int = option(100, "E, most passes over the demonstrations", low=1)
    minibatch_size: int = option(256, "M, steps of a minibatch over all ranks", low=16)
    learning_rate: float = option(1e-3, "Adam's step size", above=0)
    value_coef: float = option(0.5, "weight of the value loss", low=0)
    held_out: float = option(0.1, "share of the episodes that is held out, to see when to stop", low=0, high=0.9)
    patience: int = option(10, "epochs without a better log likelihood of these until it stops", low=1)

    def checked(self) -> CloneConfig:
        """Return these settings.

        Raises:
          UsageError: a value has the wrong type or is out of range.
        """
        kinds = get_type_hints(type(self))
        for item in fields(self):
            check(item, kinds[item.name], getattr(self, item.name))
        return self
