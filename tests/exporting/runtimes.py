"""Acts with exported agents in the runtime of one format, without a module of ours: `python runtimes.py FORMAT FOLDER`.

Each folder in FOLDER has an exported agent and given.npz, [T, n, ...] by input; done.npz is written beside it, with
[T, n, ...] by output, and beside it alone.npz, what the first row gives alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Act = Callable[[dict[str, Any]], dict[str, Any]]


def onnx(folder: Path) -> tuple[Act, int]:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "policy.onnx")
    names = [output.name for output in session.get_outputs()]
    memory = [value.shape[1] for value in session.get_inputs() if value.name == "state"]
    return lambda given: dict(zip(names, session.run(None, given), strict=True)), sum(memory)


def tflite(folder: Path) -> tuple[Act, int]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(folder / "policy.tflite")).get_signature_runner("serving_default")
    memory = runner.get_input_details().get("state")
    return lambda given: runner(**given), 0 if memory is None else int(memory["shape"][1])


def savedmodel(folder: Path) -> tuple[Act, int]:
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    signature = model.signatures["serving_default"]
    memory = signature.structured_input_signature[1].get("state")

    def act(given: dict[str, Any], model: Any = model) -> dict[str, Any]:  # without the model, its signature is gone
        return {name: x.numpy() for name, x in signature(**{name: tf.constant(x) for name, x in given.items()}).items()}

    return act, 0 if memory is None else int(memory.shape[1])


def episode(act: Act, memory: int, given: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """Return what is done along T steps by the first rows, with what is remembered from each to the next."""
    state, results = np.zeros((rows, memory), np.float32), []
    for t in range(len(next(iter(given.values())))):
        step: dict[str, Any] = {name: x[t, :rows] for name, x in given.items()}
        results.append(act({**step, "state": state} if memory else step))
        state = results[-1].pop("next_state", state)
    return {name: np.stack([result[name] for result in results]) for name in results[0]}


def main(format: str, folder: str) -> None:
    for path in sorted(Path(folder).iterdir()):
        act, memory = {"onnx": onnx, "tflite": tflite, "savedmodel": savedmodel}[format](path)
        with np.load(path / "given.npz") as file:
            given = dict(file)
        rows = len(next(iter(given.values()))[0])
        np.savez(path / "done.npz", **episode(act, memory, given, rows))  # type: ignore[arg-type]  # numpy's stub
        np.savez(path / "alone.npz", **episode(act, memory, given, 1))  # type: ignore[arg-type]
    assert not [name for name in sys.modules if name.startswith("baselines_ppo")]


if __name__ == "__main__":
    main(*sys.argv[1:])
