"""An agent as a folder that other runtimes act with: ONNX Runtime, TFLite, TensorFlow."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from baselines_ppo.common.failures import Failure, UsageError, nearest, short
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.files.whole import empty_folder, writing
from baselines_ppo.run.agents.scoring import trusted_agent
from baselines_ppo.run.exporting.description import description_of
from baselines_ppo.run.exporting.onnx_file import check_onnx, onnx_file, runner_of_onnx
from baselines_ppo.run.exporting.trial import try_out

FORMATS = {"onnx": "policy.onnx", "tflite": "policy.tflite", "savedmodel": ""}  # and what a runtime loads
DESCRIPTION = "policy.json"


class Exported(NamedTuple):
    """An agent for another runtime."""

    path: Path  # what the runtime loads: policy.onnx, policy.tflite, or the folder of the SavedModel
    description: dict[str, Any]  # as in policy.json beside it: spaces, inputs, outputs, the agent's checksum


def export(agent: str | Path, out: str | Path, format: str = "onnx", network: str | None = None) -> Exported:
    """Write a trained agent for another runtime, with all that is between an observation and an action in it.

    Args:
      agent: a run folder, a checkpoint, an agent folder or `zoo:NAME`.
      out: a new or empty folder.
      format: onnx, tflite or savedmodel.
      network: module:function, where the agent's own kind of network is from.

    Raises:
      UsageError: the format is unknown, the folder is not empty, a package is missing, or the agent's network has
        something that the format has not.
      LoadError: there is no agent.
      WriteError: the folder cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"--format is {short(format)}{nearest(format, FORMATS)}, expected {', '.join(FORMATS)}")
    folder = empty_folder(out)
    if format == "onnx":
        check_onnx()
    loaded = trusted_agent(str(agent), network)
    with _whole_folder(folder) as temporary:
        try:
            description = _write(loaded, temporary, format)
        except (OSError, Failure):
            raise
        except Exception as error:  # of a network of the user's own, or of a converter
            raise UsageError(f"{short(agent)} cannot be written as {format}: {_reason(error)}") from error
    return Exported(folder / FORMATS[format], description)


def _write(agent: Agent, folder: Path, format: str) -> dict[str, Any]:
    """Write an agent into a folder that there is; returns its description."""
    description = description_of(agent)
    if format == "onnx":
        data = onnx_file(agent.policy, description)
        runner = runner_of_onnx(data)
    else:
        from baselines_ppo.run.exporting import tensorflow_files

        if format == "tflite":
            data = tensorflow_files.tflite_file(agent.policy)
            runner = tensorflow_files.runner_of_tflite(data)
        else:
            tensorflow_files.save_model(agent.policy, folder)
            runner = tensorflow_files.runner_of_model(folder)
    try_out(agent.policy, runner)
    if FORMATS[format]:
        (folder / FORMATS[format]).write_bytes(data)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1, allow_nan=False), encoding="utf-8")
    return description


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return short(f"{type(error).__name__}: {lines[-1]}".rstrip(": "))


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside another; it gets the other's name when all went well.

    Raises:
      WriteError: it cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}-{os.getpid()}")
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
            yield temporary
            temporary.replace(folder)  # also an empty one of that name
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
