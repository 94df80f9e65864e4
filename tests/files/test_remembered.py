"""A module that its user has named once is known to every command, and no other module of that name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

from baselines_ppo.common.envs.stored import is_known_id, is_safe_wrapper
from baselines_ppo.common.files.remembered import is_remembered, module_of, notes_file, remember
from baselines_ppo.run.program import SCRIPT
from tests.conftest import ROOT

MODULE = "import gymnasium\ngymnasium.register('Own-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a module of the user's own, in a folder in which Python looks."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own_module.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder / "own_module.py"


def test_nothing_is_known_before_it_is_named(module: Path) -> None:
    assert not is_known_id("own_module:Own-v0")
    assert not is_remembered("own_module")
    assert remember("CartPole-v1") == ""
    assert not notes_file().exists()


def test_what_is_named_once_is_known_and_nothing_is_imported(module: Path) -> None:
    said = remember("own_module:Own-v0")
    assert said == f"own_module will be known to every command: noted in {notes_file()}"
    assert remember("own_module:Own-v0") == ""
    assert is_known_id("own_module:Own-v0")
    assert is_safe_wrapper("own_module:Wrapper(k=1)")
    assert not is_safe_wrapper("own_module:Wrapper(path='/etc/passwd')")
    assert not is_known_id("own_module.inner:Own-v0")
    assert "own_module" not in sys.modules


def test_a_module_of_the_same_name_in_another_place_is_not_meant(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("own_module:Own-v0")
    (tmp_path / "own_module.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert not is_known_id("own_module:Own-v0")


def test_it_is_found_from_every_folder_while_its_file_is_there(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember("own_module:Own-v0")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(module.parent)])
    assert is_known_id("own_module:Own-v0")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(module.parent)])
    module.unlink()
    assert not is_known_id("own_module:Own-v0")


def test_an_id_without_a_module_is_known_by_the_one_that_registered_it(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        gymnasium.registry, "Bare-v0", gymnasium.envs.registration.EnvSpec("Bare-v0", "own_module:Cart")
    )
    assert module_of("Bare-v0") is None
    assert remember("Bare-v0").startswith("own_module, Bare-v0 will be known")
    assert module_of("Bare-v0") == "own_module"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"modules": 3, "ids": {}}', '{"modules": {"own_module": 1}, "ids": {}}']
)
def test_notes_that_are_none_are_taken_for_none(text: str, module: Path) -> None:
    notes_file().parent.mkdir(parents=True)
    notes_file().write_text(text)
    assert not is_remembered("own_module")
    assert remember("own_module:Own-v0")
    assert is_remembered("own_module")


def test_the_script_finds_modules_in_the_working_folder_and_says_its_own_name(module: Path, tmp_path: Path) -> None:
    """As pip installs it: its folder, and not the working folder, is where Python looks first."""
    script = tmp_path / "bin" / SCRIPT
    script.parent.mkdir()
    script.write_text("import sys\nfrom baselines_ppo.run.__main__ import command\nsys.exit(command())\n")
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def said(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, str(script), *words]
        return subprocess.run(line, cwd=module.parent, env=environment, capture_output=True, text=True, timeout=120)

    assert said("--help").stdout.startswith(f"usage: {SCRIPT} --env ID [flags]")
    assert said("evaluat").stderr.startswith("error: unknown command evaluat (did you mean evaluate")
    finished = said(
        "--env", "own_module:Own-v0", "--num-timesteps", "64", "--num-steps", "64", "--logdir", "run", "--quiet"
    )
    assert finished.returncode == 0, finished.stderr
    assert f"{SCRIPT} evaluate run\n" in finished.stdout
    assert f"entry_points]\nconsole_scripts =\n    {SCRIPT} = baselines_ppo.run.__main__:command" in (
        (ROOT / "setup.cfg").read_text()
    )
