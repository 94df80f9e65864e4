"""Exported agents do in the runtimes of their formats what they do here."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import export
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.policy.spaces.masks import MASK
from tests.conftest import ROOT
from tests.exporting import cases
from tests.exporting.cases import Case

FORMATS = {"onnx": "onnxruntime", "tflite": "ai_edge_litert", "savedmodel": "tensorflow"}
CLOSE = 1e-5
BOX = spaces.Box(-1.0, 1.0, (4,), np.float64)
PIXELS = spaces.Box(0, 255, (36, 40, 2), np.uint8)
SIZES = np.array([[2, 3], [4, 5]])
BOUNDS = spaces.Box(np.array([-2.0, 1.0]), np.array([3.0, 1.5]), dtype=np.float64)
CHOICE = spaces.Discrete(3, start=-1)
HYBRID = spaces.Dict({
    "move": spaces.Box(-2.0, 1.0, (2,), np.float32),
    "hand": CHOICE,
    "odd name": spaces.Discrete(4),  # without a mask
    "more": spaces.Tuple((spaces.MultiDiscrete([2, 3], start=[1, 2]), spaces.MultiBinary(3))),
})  # fmt: skip


def apart(*sizes: int) -> spaces.Tuple:
    """Return the space of masks of several choices, one for each."""
    return spaces.Tuple([spaces.MultiBinary(size) for size in sizes])


def beside(seen: spaces.Space[Any], mask: spaces.Space[Any]) -> spaces.Dict:
    return spaces.Dict({"observation": seen, MASK: mask})


MASKS = spaces.Dict(
    {"hand": spaces.MultiBinary(3), "more": spaces.Tuple((apart(2, 3), spaces.Box(0, 2, (3,), np.int8)))}
)
# What is seen, what is done, by which network, and whether it is shared.
KINDS: dict[str, tuple[spaces.Space[Any], spaces.Space[Any], str, bool]] = {
    "discrete": (spaces.Discrete(5, start=7), BOUNDS, "mlp", False),
    "multi-discrete": (spaces.MultiDiscrete(SIZES), spaces.MultiDiscrete(SIZES, start=SIZES), "mlp", False),
    "multi-binary": (spaces.MultiBinary((2, 3)), spaces.MultiBinary((3, 2)), "mlp", False),
    "whole": (spaces.Box(-1000, 1000, (2, 2), np.int32), spaces.Box(-3, 9, (2,), np.int16), "mlp", True),
    "bytes": (spaces.Box(0, 255, (7,), np.uint8), spaces.Box(-np.inf, np.inf, (2, 2), np.float32), "mlp", False),
    "number": (spaces.Box(-1.0, 1.0, (), np.float32), spaces.Box(-1.0, 5.0, (), np.float32), "mlp", False),
    "dict": (spaces.Dict({"at": BOX, "odd name": CHOICE, "on": spaces.MultiBinary(2)}), CHOICE, "mlp", False),
    "tuple": (spaces.Tuple((spaces.Discrete(3), spaces.Dict({"x": BOX}))), BOUNDS, "mlp", False),
    "lstm": (BOX, BOUNDS, "lstm", False),
    "shared-lstm": (BOX, CHOICE, "lstm", True),
    "cnn": (PIXELS, CHOICE, "cnn", True),
    "cnn-first": (spaces.Box(0, 255, (2, 36, 40), np.uint8), BOUNDS, "cnn", False),
    "cnn-floats": (spaces.Box(0.0, 1.0, (36, 40, 1), np.float32), BOUNDS, "cnn", False),
    "cnn-beside": (spaces.Dict({"at": BOX, "eye": PIXELS}), BOUNDS, "cnn", True),
    "cnn-lstm": (PIXELS, BOUNDS, "cnn_lstm", True),
    "hybrid": (BOX, HYBRID, "mlp", False),
    "hybrid-lstm": (BOX, spaces.Tuple((BOUNDS, CHOICE, spaces.Tuple((spaces.MultiBinary(2),)))), "lstm", False),
    "masked": (beside(BOX, spaces.Box(0, 1, (3,), np.int8)), CHOICE, "mlp", False),
    "masked-choices": (beside(BOX, spaces.MultiBinary(14)), spaces.MultiDiscrete(SIZES), "mlp", True),
    "masked-apart": (beside(CHOICE, apart(2, 3)), spaces.MultiDiscrete([2, 3]), "lstm", False),
    "masked-switches": (beside(BOX, spaces.Box(0, 2, (3, 2), np.uint8)), spaces.MultiBinary((3, 2)), "mlp", False),
    "masked-bytes": (beside(PIXELS, spaces.Box(0, 1, (3,), np.float32)), CHOICE, "cnn", True),
    "masked-hybrid": (spaces.Dict({"at": BOX, "eye": CHOICE, MASK: MASKS}), HYBRID, "mlp", False),
    **{f"{name}-info": (BOX, done, "mlp", False) for name, done in (
        ("masked", CHOICE), ("masked-choices", spaces.MultiDiscrete(SIZES)), ("masked-switches", spaces.MultiBinary(3)),
        ("masked-hybrid", HYBRID),
    )},
}  # fmt: skip
# Of all these and the pretrained ones: each kind of space and network once; TensorFlow takes a second to write one.
FEW = {
    "Humanoid-v4", "multi-discrete", "whole", "dict", "shared-lstm", "cnn-beside",
    "masked-switches-info", "masked-hybrid",
}  # fmt: skip


class Written(NamedTuple):
    """An agent to be exported, and what it does."""

    agent: str
    case: Case


@functools.cache
def pretrained_agent(name: str) -> Written:
    return Written(f"zoo:{name}", cases.visited(load_agent(f"zoo:{name}"), name))


@functools.cache
def random_agent(name: str, folder: Path) -> Written:
    seen, done, network, shared = KINDS[name]
    in_info = name.endswith("-info")
    path = cases.random_agent(folder, name, seen, done, network, shared, masks_in_info=in_info)
    steps, rows = (12, 3) if "lstm" in network else (1, 20)
    return Written(str(path), cases.drawn(load_agent(path), seen, done, steps, rows, in_info))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.mark.parametrize(("format", "few"), [
    ("onnx", False), ("tflite", True), ("savedmodel", True),
    pytest.param("tflite", False, marks=pytest.mark.slow), pytest.param("savedmodel", False, marks=pytest.mark.slow),
])  # fmt: skip
def test_an_exported_agent_does_the_same_in_its_runtime(format: str, few: bool, folder: Path, tmp_path: Path) -> None:
    """All agents in one process, in which there is nothing of ours."""
    names = {*pretrained.names(), *KINDS}
    chosen = names & FEW if few else names
    agents = {name: random_agent(name, folder) if name in KINDS else pretrained_agent(name) for name in chosen}
    do_the_same(format, agents, tmp_path)


def do_the_same(format: str, agents: dict[str, Written], folder: Path) -> None:
    """Export agents, let them act in the runtime, and compare."""
    pytest.importorskip(FORMATS[format])
    for name, (agent, case) in agents.items():
        export(agent, folder / name, format)
        np.savez(folder / name / "given.npz", **case.given)  # type: ignore[arg-type]  # numpy's stub
    script = ROOT / "tests" / "exporting" / "runtimes.py"
    ran = subprocess.run([sys.executable, "-I", str(script), format, str(folder)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for name, (_, case) in agents.items():
        done, alone = (dict(np.load(folder / name / file)) for file in ("done.npz", "alone.npz"))
        assert {name: (x.shape, x.dtype) for name, x in done.items()} == {
            name: (x.shape, x.dtype) for name, x in case.expected.items()
        }
        first = Case(case.given, {key: x[:, :1] for key, x in case.expected.items()})
        for output in case.expected:
            if output.startswith("action"):
                same(name, case, output, done[output])
                same(name, first, output, alone[output])
            else:
                np.testing.assert_allclose(done[output], case.expected[output], rtol=1e-4, atol=1e-4, err_msg=name)


def same(name: str, case: Case, output: str, action: np.ndarray) -> None:
    """Check actions: numbers to 1e-5, choices but where two are as likely."""
    expected = case.expected[output]
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(action, expected, rtol=0, atol=CLOSE, err_msg=name)
        return
    differs = action != expected
    assert differs.mean() < 0.01, name
    if differs.any():
        logits = np.sort(case.expected[output.replace("action", "logits", 1)], axis=-1)
        assert (logits[..., -1] - logits[..., -2])[differs].max() < CLOSE, name
