"""Ids of environments: those that a package registers, that are misspelt, out of date or without a version."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

import baselines_ppo.zoo  # noqa: F401  # registers its own
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.packages import KNOWN, package_of
from baselines_ppo.common.envs.stored import check_stored_id
from baselines_ppo.common.failures import LoadError, UsageError
from tests.conftest import ROOT, Finished

OWN_PACKAGE = """
import gymnasium
from gymnasium import spaces
class Blocks(gymnasium.Env):
    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        return 0, {}
    def step(self, action):
        return 1, 1.0, False, True, {}
gymnasium.register("PandaStack-v9", "panda_gym:Blocks")
"""


def in_a_fresh_process(code: str, *folders: Path) -> str:
    """Return what the code prints, with these folders before all others."""
    path = ":".join(map(str, (*folders, ROOT)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    return done.stderr + done.stdout


@pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="needs ale-py")
@pytest.mark.parametrize("env_id", ["ALE/Breakout-v5", "BreakoutNoFrameskip-v4"])
def test_atari_needs_no_import_made_elsewhere(env_id: str) -> None:
    code = (
        "from baselines_ppo.common.envs.backends import make_backend\n"
        "from baselines_ppo.common.envs.make import EnvironmentSpec\n"
        f"backend = make_backend(EnvironmentSpec({env_id!r}), 2)\n"
        "print(backend.reset([0, 1], [3, 4]).shape)\n"
    )
    assert in_a_fresh_process(code).splitlines()[-1] == "(2, 84, 84, 4)"


@pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="needs ale-py")
def test_the_documented_command_trains_atari_in_a_fresh_process(trainer: Callable[..., Finished]) -> None:
    small = ("--num-envs", 2, "--num-steps", 16, "--num-minibatches", 2, "--num-epochs", 1, "--num-timesteps", 64)
    finished = trainer(1, "--env", "ALE/Freeway-v5", *small, "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    assert "done: 64 steps" in finished.stdout


def test_a_known_package_is_imported_for_an_id_that_is_typed_and_not_for_one_in_a_file(tmp_path: Path) -> None:
    """A package of that name is put in the way, so that the test needs none to be installed."""
    (tmp_path / "panda_gym.py").write_text(OWN_PACKAGE)
    typed = (
        "from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment\n"
        "print(make_environment(EnvironmentSpec('PandaStack-v9')).spec.id)"
    )
    assert in_a_fresh_process(typed, tmp_path).strip() == "PandaStack-v9"
    stored = (
        "import sys\nfrom baselines_ppo.common.envs.stored import check_stored_id\n"
        "try:\n    check_stored_id('PandaStack-v9')\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'panda_gym' in sys.modules, str(error)[-27:])"
    )
    assert in_a_fresh_process(stored, tmp_path).strip() == "ModuleNotNamed False it, add --env PandaStack-v9"


def test_ids_that_files_may_name() -> None:
    for safe in ("CartPole-v1", "ALE/Pong-v5", "RoboAnt-v1", "baselines_ppo.zoo:RoboAnt-v1"):
        assert check_stored_id(safe) == safe
    for unsafe in ("minigrid:MiniGrid-Empty-5x5-v0", "MiniGrid-Empty-5x5-v0", "HopperBulletEnv-v0", "dm_control/x-v0"):
        with pytest.raises(LoadError, match=f"add --env {unsafe}"):
            check_stored_id(unsafe)


ABSENT = [
    ("MiniGrid-Empty-5x5-v0", "pip install minigrid, then give --env minigrid:MiniGrid-Empty-5x5-v0"),
    ("BabyAI-GoToObj-v0", "pip install minigrid, then give --env minigrid:BabyAI-GoToObj-v0"),
    ("highway-fast-v0", "pip install highway-env, then give --env highway_env:highway-fast-v0"),
    (
        "dm_control/cheetah-run-v0",
        "pip install 'shimmy\\[dm-control\\]', then give --env shimmy:dm_control/cheetah-run-v0",
    ),
    ("FetchReach-v3", "pip install gymnasium-robotics, then give --env gymnasium_robotics:FetchReach-v3"),
    ("AntMaze_UMaze-v5", "gymnasium_robotics:AntMaze_UMaze-v5"),
    ("Meta-World/MT1", "pip install metaworld, then give --env metaworld:Meta-World/MT1"),
    (
        "AntBulletEnv-v0",
        "'pybullet_envs_gymnasium>=0.5', then give --env pybullet_envs_gymnasium:AntBulletEnv-v0",
    ),
]


@pytest.mark.parametrize(("env_id", "message"), ABSENT)
def test_an_id_of_a_package_that_is_absent_says_what_to_install_and_to_give(env_id: str, message: str) -> None:
    package = package_of(env_id)
    assert package is not None
    if importlib.util.find_spec(package.module.split(".")[0]) is not None:
        pytest.skip(f"{package.module} is installed")
    with pytest.raises(UsageError, match=f"^environment {env_id} is of a package that is not installed: .*{message}"):
        make_environment(EnvironmentSpec(env_id))
    with pytest.raises(UsageError, match=f"module {package.module.split('.')[0]} is not installed; pip install"):
        make_environment(EnvironmentSpec(f"{package.module}:{env_id}"))


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Taxi-v3", "environment Taxi-v3 is out of date; give --env Taxi-v4$"),
        ("LunarLander-v2", "environment LunarLander-v2 is out of date; give --env LunarLander-v3$"),
        ("Ant-v2", "environment Ant-v2 is too old for this Gymnasium; give --env Ant-v5 or Ant-v4$"),
        ("Walker2d", "unknown environment Walker2d; give --env Walker2d-v5 or Walker2d-v4$"),
        ("Pendulum", "unknown environment Pendulum; give --env Pendulum-v1$"),
        ("Acrobot-v7", "unknown environment Acrobot-v7; give --env Acrobot-v1$"),
        ("Pendulem-v1", r"unknown environment Pendulem-v1 \(did you mean Pendulum-v1"),
        ("json:Zzz", "unknown environment json:Zzz; json registers none of that id, see gymnasium.register$"),
        ("Zzz-v0", "unknown environment Zzz-v0; if a module registers it, give --env MODULE:ID"),
    ],
)
def test_an_id_that_is_not_there_is_answered_by_the_one_that_is(env_id: str, message: str) -> None:
    for make in (lambda: make_environment(EnvironmentSpec(env_id)), lambda: make_backend(EnvironmentSpec(env_id), 1)):
        with pytest.raises(UsageError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_no_id_of_gymnasium_or_the_zoo_is_taken_for_a_packages() -> None:
    for env_id, spec in gymnasium.registry.items():
        if str(spec.entry_point).startswith(("gymnasium.envs.", "baselines_ppo.zoo")):
            assert package_of(env_id) is None, env_id
    assert len({package.module for package in KNOWN}) == len(KNOWN)


def test_a_module_that_is_typed_is_part_of_what_is_suggested(tmp_path: Path) -> None:
    """What is suggested can be made in a fresh process; ids of Gymnasium's own need no module."""
    own = OWN_PACKAGE.replace("panda_gym:Blocks", "my_blocks:Blocks").replace("PandaStack-v9", "MyStack-v2")
    (tmp_path / "my_blocks.py").write_text(own)
    imported = "from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment"
    made = f"{imported}; make_environment(EnvironmentSpec({{!r}})); print('made')"
    for typed, advised in (
        ("my_blocks:Stack", "my_blocks:MyStack-v2"),
        ("my_blocks:MyStack-v3", "my_blocks:MyStack-v2"),
        ("my_blocks:MyStack", "my_blocks:MyStack-v2"),
        ("my_blocks:CartPole", "CartPole-v1"),
    ):
        said = in_a_fresh_process(made.format(typed), tmp_path).strip().splitlines()[-1]
        assert re.search(rf"(give --env|did you mean) {advised}\b", said), said
        assert in_a_fresh_process(made.format(advised), tmp_path) == "made\n"
