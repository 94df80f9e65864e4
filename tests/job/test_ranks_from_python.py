"""`train(ranks=2)` from a script: the ranks have what the script has, and the script gets the failure that they had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baselines_ppo import configure, launch, train
from baselines_ppo.common.failures import UsageError
from tests.conftest import ROOT

SCRIPT = """
import os, sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here / "lib"), ROOT]
os.chdir(here / "work")
os.environ["GOAL"] = "0.25"

import gymnasium, numpy as np
from baselines_ppo import configure, register_network, train
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.failures import Failure
import shapes
import other  # the ranks cannot import it, and the run does not use its network

(here / "lib" / "other.py").unlink()
register_network("other", other.network)

class Mine(gymnasium.Env):
    observation_space, action_space = shapes.OBSERVATION, gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        import lazily
        self.left = 5
        return np.full(3, lazily.offset() + float(Path("offset.txt").read_text()) + float(os.environ["GOAL"])), {}
    def step(self, action):
        self.left -= 1
        if MODE == "raises" and self.left == 0: raise OSError("the valve is stuck")
        if MODE == "gone" and self.left == 0: os.kill(os.getpid(), 9)
        bad = np.nan if MODE == "bad" and self.left == 0 else 0.5
        return np.full(3, bad), 1.0, False, self.left == 0, {}

class Twice(gymnasium.Wrapper):
    def reset(self, **named):
        observation, info = super().reset(**named)
        return 2 * observation, info

MODE = sys.argv[1]
gymnasium.register("Mine-v0", "__main__:Mine")
shape = dict(num_envs=2, num_steps=16, num_minibatches=2, num_epochs=1, num_timesteps=32)
config = configure("Mine-v0", preset="none", wrapper=("__main__:Twice",), **shape)
given = {} if MODE != "lock" else {"environment": lambda lock=__import__("threading").Lock(): Mine()}
try:
    result = train(config, ranks=2, logdir="run", **given)
except Failure as failure:
    print("RAISED", type(failure).__name__, failure.exit_code, "|", str(failure).replace("\\n", "|"))
else:
    found = checkpoint.find(result.folder)[0]
    print("FOLDER", result.folder, found.manifest["lineage"][0]["ranks"])
    print("SEEN", found.arrays["observations/mean"].max())
"""


def ran(folder: Path, mode: str) -> list[str]:
    """Run the script from another folder; returns the lines that it wrote for us."""
    for name in ("lib", "work", "elsewhere"):
        (folder / name).mkdir()
    shapes = "import numpy as np, gymnasium\nOBSERVATION = gymnasium.spaces.Box(-99, 99, (3,), np.float64)\n"
    (folder / "lib" / "shapes.py").write_text(shapes)
    (folder / "lib" / "lazily.py").write_text("def offset(): return 10.0\n")
    (folder / "lib" / "other.py").write_text("def network(shape, settings): ...\n")
    (folder / "work" / "offset.txt").write_text("4.5")
    (folder / "script.py").write_text(SCRIPT.replace("ROOT", repr(str(ROOT))))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [sys.executable, str(folder / "script.py"), mode],
        cwd=folder / "elsewhere",
        env={**environment, "PWD": str(folder / "elsewhere")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return [line for line in finished.stdout.splitlines() if line.startswith(("RAISED", "FOLDER", "SEEN"))]


def test_the_ranks_have_path_folder_variables_and_what_the_script_defines(tmp_path: Path) -> None:
    """Each part of 2 (10 + 4.5 + 0.25) comes in one of these ways; 16 steps have 4 beginnings of this, the rest 0.5."""
    folder, seen = ran(tmp_path, "whole")
    assert folder == f"FOLDER {tmp_path}/work/run 2"
    assert float(seen.split()[1]) == pytest.approx((4 * 29.5 + 12 * 0.5) / 16)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("bad", ("RAISED DataError 65 | env Mine-v0, rank 0", "the observation has NaN at [")),
        ("raises", ("RAISED DataError 65 | env Mine-v0", "OSError: the valve is stuck")),
        ("gone", ("RAISED Failure 1 | a rank was killed (exit code 9)",)),
        ("lock", ("RAISED UsageError 2 | the environment or the callback cannot be sent to the ranks: TypeError",)),
    ],
)
def test_the_failure_of_the_ranks_is_raised_here(mode: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    (line,) = ran(tmp_path, mode)
    assert line.startswith(expected[0])
    for part in expected:
        assert part in line


def test_so_many_ranks_that_environments_cannot_be_dealt_are_refused_before_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(launch.subprocess, "Popen", lambda *words, **named: begun.append(words))
    with pytest.raises(UsageError, match="num_envs 8 is not a multiple of 1000 ranks; give --num-envs 1000"):
        train(configure("CartPole-v1"), ranks=1000)
    assert begun == []
