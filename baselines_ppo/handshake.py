"""Before anything is shared: whether all ranks were started with the same code, versions and settings."""

from __future__ import annotations

import json
import sys
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.settings.config import TrainConfig, all_fields
from baselines_ppo.state.code import code_digest
from baselines_ppo.state.platform_facts import PROCESSOR, platform_facts


def compare_ranks(comm: Comm, config: TrainConfig) -> None:
    """Check that all ranks are about to do the same.

    Raises:
      UsageError: names the ranks that differ from rank 0, and in what; processors may differ, with a warning.
    """
    own = {**{item.name: value for _, item, value in all_fields(config)}, **platform_facts(), "code": code_digest()}
    gathered = comm.gather_all(own, "the handshake")
    differing = {rank: _differences(gathered[0], facts) for rank, facts in enumerate(gathered)}
    odd = [f"rank {rank} has {', '.join(words)}" for rank, words in differing.items() if words]
    if odd:
        raise UsageError(f"not all ranks are the same as rank 0: {'; '.join(odd)}")
    if comm.is_root and len({tuple(facts[name] for name in PROCESSOR) for facts in gathered}) > 1:
        sys.stderr.write("warning: ranks run on different processors; their last bits may differ and end the job\n")


def _differences(first: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return what differs, in words."""
    names = [name for name in {**first, **other} if name not in PROCESSOR and first.get(name) != other.get(name)]
    return [f"{name} {_plain(other.get(name))} instead of {_plain(first.get(name))}" for name in names]


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else str(value)
