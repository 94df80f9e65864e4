"""`export`: a trained agent for ONNX Runtime, TFLite or TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import AGENT, on_one_rank
from baselines_ppo.run.parser import Parser

HELP = "a trained agent as a file for other runtimes: onnx, tflite or savedmodel"
USAGE = "AGENT --out FOLDER"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add = result.add_argument
    add("agent", help=AGENT)
    add("--out", metavar="FOLDER", required=True, help="new or empty")
    add("--format", metavar="onnx|tflite|savedmodel", default="onnx", help="default onnx")
    add("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")


def run(options: dict[str, Any]) -> int:
    """Write the agent; returns the exit code."""

    def show() -> int:
        from baselines_ppo.common.files.whole import shown
        from baselines_ppo.run.exporting.description import in_words
        from baselines_ppo.run.exporting.export import export

        exported = export(**options)
        print(f"wrote {shown(exported.path)}")
        for side in ("inputs", "outputs"):
            print(f"{side}: {in_words(exported.description[side])}")
        return 0

    return on_one_rank("export", show)
