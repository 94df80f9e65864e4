"""Exported agents do in the runtimes of their formats what they do here."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import export
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.files.agent import load_agent
from tests.conftest import ROOT
from tests.exporting import cases
from tests.exporting.cases import Case

FORMATS = {"onnx": "onnxruntime", "tflite": "ai_edge_litert", "savedmodel": "tensorflow"}
CLOSE = 1e-5
COUNT = 1000  # observations of each pretrained agent
BOX = spaces.Box(-1.0, 1.0, (4,), np.float64)
PIXELS = spaces.Box(0, 255, (36, 40, 2), np.uint8)
CHOICE = spaces.Discrete(3, start=-1)
SEEN: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(5, start=7),
    "multi-discrete": spaces.MultiDiscrete([[2, 3], [4, 5]]),
    "multi-binary": spaces.MultiBinary((2, 3)),
    "whole": spaces.Box(-1000, 1000, (2, 2), np.int32),
    "bytes": spaces.Box(0, 255, (7,), np.uint8),
    "float32": spaces.Box(-1.0, 1.0, (2, 3), np.float32),
    "number": spaces.Box(-1.0, 1.0, (), np.float32),
    "dict": spaces.Dict({"at": BOX, "odd name": spaces.Discrete(3), "on": spaces.MultiBinary(2)}),
    "tuple": spaces.Tuple((spaces.Discrete(3), spaces.Dict({"x": BOX}))),
}
DONE: dict[str, spaces.Space[Any]] = {
    "float64": spaces.Box(np.array([-2.0, 1.0]), np.array([3.0, 1.5]), dtype=np.float64),
    "unbounded": spaces.Box(-np.inf, np.inf, (2, 2), np.float32),
    "steps": spaces.Box(np.array([-3, 0]), np.array([3, 100]), dtype=np.int16),
    "multi-discrete": spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[0, 1], [2, 3]]),
    "multi-binary": spaces.MultiBinary((2, 3)),
    "discrete": CHOICE,
}
NETWORKS: dict[str, tuple[spaces.Space[Any], str, bool]] = {
    "lstm": (BOX, "lstm", False),
    "shared-lstm": (BOX, "lstm", True),
    "cnn": (PIXELS, "cnn", True),
    "cnn-first": (spaces.Box(0, 255, (2, 36, 40), np.uint8), "cnn", False),
    "cnn-floats": (spaces.Box(0.0, 1.0, (36, 40, 1), np.float32), "cnn", False),
    "cnn-beside": (spaces.Dict({"at": BOX, "eye": PIXELS}), "cnn", True),
    "cnn-lstm": (PIXELS, "cnn_lstm", True),
}


@functools.cache
def zoo() -> dict[str, Case]:
    """Return the pretrained agents, in the states that they come to."""
    return {name: cases.visited(load_agent(f"zoo:{name}"), COUNT) for name in pretrained.names()}


def written(folder: Path) -> dict[str, tuple[str, Case]]:
    """Return agents of all kinds by their names: what to export, and what they do."""
    spaces_of = {f"sees-{name}": (seen, CHOICE, "mlp", False) for name, seen in SEEN.items()}
    spaces_of |= {f"does-{name}": (BOX, done, "mlp", False) for name, done in DONE.items()}
    spaces_of |= {name: (seen, DONE["float64"], *kind) for name, (seen, *kind) in NETWORKS.items()}
    found = {}
    for name, (seen, done, network, shared) in spaces_of.items():
        path = cases.random_agent(folder, name, seen, done, network, shared)
        found[name] = str(path), cases.drawn(load_agent(path), seen, *((12, 3) if "lstm" in network else (1, 20)))
    return found


@functools.cache
def everything(folder: Path) -> dict[str, tuple[str, Case]]:
    return {**{name: (f"zoo:{name}", case) for name, case in zoo().items()}, **written(folder)}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Case]]:
    return everything(tmp_path_factory.mktemp("agents"))


@pytest.mark.parametrize("format", FORMATS)
def test_an_exported_agent_does_the_same_in_its_runtime(
    format: str, agents: dict[str, tuple[str, Case]], tmp_path: Path
) -> None:
    """All agents in one process, in which there is nothing of ours."""
    pytest.importorskip(FORMATS[format])
    for name, (agent, case) in agents.items():
        import time; t=time.perf_counter(); export(agent, tmp_path / name, format); print(name, round(time.perf_counter()-t,2))
        np.savez(tmp_path / name / "given.npz", **case.given)  # type: ignore[arg-type]  # numpy's stub
    script = ROOT / "tests" / "exporting" / "runtimes.py"
    ran = subprocess.run([sys.executable, "-P", str(script), format, str(tmp_path)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for name, (_, case) in agents.items():
        with np.load(tmp_path / name / "done.npz") as done:
            alone = done["alone"]
            assert {*done.files} == {"alone", *case.expected}
            for output, expected in case.expected.items():
                assert done[output].shape == expected.shape, (name, output)
                if output == "action":
                    assert done[output].dtype == expected.dtype, name
            same(name, case, done["action"])
            same(name, Case(case.given, {key: x[:, :1] for key, x in case.expected.items()}), alone)
            for output in {*case.expected} - {"action"}:
                np.testing.assert_allclose(done[output], case.expected[output], rtol=1e-4, atol=1e-4, err_msg=name)


def same(name: str, case: Case, action: np.ndarray) -> None:
    """Check actions: numbers to 1e-5, choices but where two are as likely."""
    expected = case.expected["action"]
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(action, expected, rtol=0, atol=CLOSE, err_msg=name)
        return
    differs = action != expected
    assert differs.mean() < 0.01, name
    if differs.any():
        logits = np.sort(case.expected["logits"], axis=-1)
        assert (logits[..., -1] - logits[..., -2])[differs].max() < CLOSE, name
