"""Settings that are known to be good."""

from __future__ import annotations

from typing import NamedTuple

from baselines_ppo.settings.config import TrainConfig


class Preset(NamedTuple):
    """Settings for an environment, and where they are from or what they gave."""

    config: TrainConfig
    source: str
