"""The C++ program of the docs acts as the agent does."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import export, load
from tests.conftest import ROOT
from tests.exporting import cases

HEADER = "onnxruntime_cxx_api.h"
ELSEWHERE = ("/usr/include/onnxruntime", "/usr/local/include/onnxruntime")  # where a compiler does not look by itself
LONGEST = 40  # lines


def compiled(source: str, folder: Path) -> Path:
    """Return a program that is linked with ONNX Runtime; skips the test where there is none."""
    compiler = shutil.which("c++")
    words = [f"-I{path}" for path in ELSEWHERE]
    if (
        compiler is None
        or subprocess.run([compiler, "-E", "-x", "c++", *words, "-"], **asking(f"#include <{HEADER}>\n")).returncode
    ):
        pytest.skip(f"needs a C++ compiler and {HEADER}: apt install g++ libonnxruntime-dev; CPATH is looked into, too")
    (folder / "act.cpp").write_text(source)
    words += ["-std=c++17", "-O2", "-Wall", "-Werror", "act.cpp", *library(compiler, folder), "-o", "act"]
    done = subprocess.run([compiler, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "act"


def asking(source: str) -> dict[str, Any]:
    """Return how a compiler is asked about a source that it reads from its input."""
    return {"input": source, "text": True, "capture_output": True}


def library(compiler: str, folder: Path) -> list[str]:
    """Return what links the library: the system's, or the one in Python's package, by the names that it goes by."""
    linked = [compiler, "-x", "c++", "-", "-lonnxruntime", "-o", str(folder / "empty")]
    if subprocess.run(linked, **asking("int main() {}\n")).returncode == 0:
        return ["-lonnxruntime"]
    package = importlib.util.find_spec("onnxruntime")
    found = sorted(Path(package.origin).parent.glob("capi/libonnxruntime.so*")) if package and package.origin else []
    if not found:
        pytest.skip("needs ONNX Runtime's library: pip install onnxruntime")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(found[-1])
    return [f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}"]


def test_the_program_in_the_docs_acts_as_the_agent_does(tmp_path: Path) -> None:
    (source,) = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "docs" / "export.md").read_text(), re.MULTILINE | re.DOTALL)
    assert source.count("\n") <= LONGEST
    program = compiled(source, tmp_path)
    export("zoo:Humanoid-v4", tmp_path / "humanoid")
    case = cases.visited(load("zoo:Humanoid-v4"), "Humanoid-v4")
    lines = "".join(" ".join(map(repr, row)) + "\n" for row in case.given["observation"][0].tolist())
    done = subprocess.run([program], cwd=tmp_path, input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    acted = np.loadtxt(done.stdout.splitlines())
    np.testing.assert_allclose(acted, case.expected["action"][0], rtol=0, atol=1e-5)
