"""A run's configuration, as trackers compare runs by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# In config.json, but no fields of the configuration.
FACTS = ("code", "command", "environment", "platform", "ranks")


def title(folder: Path, config: Mapping[str, Any]) -> str:
    """Return what a run is called: by its user, with the seed, or as its folder."""
    return f"{config['name']}-{config['seed']}" if config.get("name") else folder.name


def flat(config: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """Return the fields of a configuration by the names of their flags, as plain values."""
    groups = [
        value if isinstance(value, dict) else {name: value} for name, value in config.items() if name not in FACTS
    ]
    fields = {name: value for group in groups for name, value in group.items()}
    return {name: x if isinstance(x, bool | int | float | str) else json.dumps(x) for name, x in fields.items()}
