"""The C++ program of the docs acts as the agent does."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo import export, load
from tests.conftest import ROOT
from tests.exporting import cases

HEADER = "onnxruntime_cxx_api.h"
INCLUDES = ("/usr/include", "/usr/include/onnxruntime", "/usr/local/include", "/usr/local/include/onnxruntime")
LIBRARIES = ("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib")
LONGEST = 40  # lines


def compiled(source: str, folder: Path) -> Path:
    """Return a program that is linked with ONNX Runtime; skips the test where there is none."""
    compiler = shutil.which("c++")
    include = next((path for path in INCLUDES if (Path(path) / HEADER).exists()), None)
    if compiler is None or include is None:
        pytest.skip(f"needs a C++ compiler and ONNX Runtime's {HEADER}: apt install g++ libonnxruntime-dev")
    (folder / "act.cpp").write_text(source)
    words = [
        compiler,
        "-std=c++17",
        "-O2",
        "-Wall",
        "-Werror",
        "act.cpp",
        f"-I{include}",
        *library(folder),
        "-o",
        "act",
    ]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "act"


def library(folder: Path) -> list[str]:
    """Return what links the library: the system's, or the one in Python's package, by the name that it goes by."""
    for place in LIBRARIES:
        if (Path(place) / "libonnxruntime.so").exists():
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
    case = cases.visited(load("zoo:Humanoid-v4"), 100)
    lines = "".join(" ".join(map(repr, row)) + "\n" for row in case.given["observation"][0].tolist())
    done = subprocess.run([program], cwd=tmp_path, input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    acted = np.loadtxt(done.stdout.splitlines())
    np.testing.assert_allclose(acted, case.expected["action"][0], rtol=0, atol=1e-5)
