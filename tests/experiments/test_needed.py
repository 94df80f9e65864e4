"""Where the packages that make tables and figures are missing, one line says so, before anything is begun."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import sweep
from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.statistics import interval


@pytest.mark.parametrize("missing", ["matplotlib", "scipy"])
def test_a_sweep_without_what_its_end_needs_begins_nothing(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == missing else found(name, *more)
    )
    settings: dict[str, Any] = {"env": "CartPole-v1", "num_timesteps": 128, "logdir": str(tmp_path / "runs")}
    with pytest.raises(
        UsageError, match=rf"^{missing} is not installed; pip install 'matplotlib>=3\.7' 'scipy>=1\.11'$"
    ):
        sweep(**settings)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(UsageError, match=f"^{missing} is not installed"):
        interval([np.arange(5.0)])
