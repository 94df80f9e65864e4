"""The packages: who imports whom, how long files are, what a wheel holds."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "common": {"common"},
    "baselines_ppo": {"common", "baselines_ppo"},
    "zoo": {"common", "zoo"},
    "experiments": {"common", "baselines_ppo", "zoo", "experiments"},
    "run": {"common", "baselines_ppo", "zoo", "experiments", "run"},
}
EXPERIMENTS = ROOT / "baselines_ppo" / "experiments"
FRONT = ROOT / "baselines_ppo" / "__init__.py"  # gives public names from any folder, when they are asked for
# The layers of `common`, the lowest first: modules import from their own layer and from those below.
LAYERS = (
    {"failures", "seeding", "moments"},
    {"policy"},
    {"files"},
    {"job", "screen", "trackers"},
    {"mpi", "ending"},
    {"envs"},
    {
        "gae",
        "losses",
        "rollout",
        "batch",
        "shards",
        "minibatches",
        "values",
        "programs",
        "adam",
        "gradient",
        "minibatch_loop",
        "adaptive_kl",
        "natural_gradient",
    },
)
LONGEST_FILE, LONGEST_FUNCTION, MOST_ARGUMENTS, MOST_FILES = 300, 60, 8, 18
TOP_LEVEL = {
    "baselines_ppo", "benchmarks", "common", "run", "zoo", "tests", "docs", "containers", "setup.cfg", "pyproject.toml",
    "mkdocs.yml", "MANIFEST.in", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", ".gitignore",
    ".ci", ".github", ".pre-commit-config.yaml",
}  # fmt: skip


def sources() -> Iterator[tuple[str, Path]]:
    """Yield folder and file of all our modules, each once."""
    for folder in MAY_IMPORT:
        for path in sorted((EXPERIMENTS if folder == "experiments" else ROOT / folder).rglob("*.py")):
            if folder != "baselines_ppo" or EXPERIMENTS not in path.parents:
                yield folder, path


MODULES = [pytest.param(folder, path, id=path.relative_to(ROOT).as_posix()) for folder, path in sources()]


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_of(name: str) -> str:
    part = name.removeprefix("baselines_ppo").lstrip(".").split(".")[0]
    return part if part in MAY_IMPORT else "baselines_ppo"


@pytest.mark.parametrize(("folder", "path"), MODULES)
def test_imports_run_one_way_and_by_full_name(folder: str, path: Path) -> None:
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in ("common", "run", "zoo", "tests"), f"{name}: import it by its full name"
        if top == "baselines_ppo" and path != FRONT:
            assert folder_of(name) in MAY_IMPORT[folder], f"{folder} may not import {name}"
        if top == "mpi4py":
            assert path == ROOT / "common" / "mpi.py"


def ours(path: Path) -> set[str]:
    """Return the names of all our modules that a file imports, lazily too."""
    return {name if name in NAMES else name.rpartition(".")[0] for name in imported(path)} & NAMES


def name_of(path: Path) -> str:
    """Return a module's full name."""
    parts = [*path.relative_to(ROOT).with_suffix("").parts]
    package = parts if parts[0] == "baselines_ppo" else ["baselines_ppo", *parts]
    return ".".join(package[:-1] if package[-1] == "__init__" else package)


NAMES = {name_of(path) for _, path in sources()}


def test_no_module_imports_from_a_layer_above_its_own() -> None:
    layer = {part: level for level, parts in enumerate(LAYERS) for part in parts}
    for folder, path in sources():
        if folder != "common" or path == ROOT / "common" / "__init__.py":
            continue
        own = layer[name_of(path).split(".")[2]]
        above = {name for name in ours(path) if name.count(".") > 1 and layer[name.split(".")[2]] > own}
        assert not above, f"{path}: {above}"


def test_no_circle_of_imports_anywhere() -> None:
    """Lazy imports included: what is taken away again and again is what imports nothing that is left."""
    left = {name_of(path): ours(path) - {name_of(path)} for _, path in sources()}
    while ready := [name for name, wanted in left.items() if not wanted & set(left)]:
        for name in ready:
            del left[name]
    assert not left


def test_folders_are_small() -> None:
    of_tests = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    for folder in {path.parent for _, path in sources()} | of_tests:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_FILES, folder


@pytest.mark.parametrize(("folder", "path"), MODULES)
def test_files_functions_and_argument_lists_are_short_and_documented(folder: str, path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what it is for"
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name
            assert len(node.args.args) + len(node.args.kwonlyargs) <= MOST_ARGUMENTS, node.name
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_files_of_tests_are_short_and_say_what_they_are_for() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= LONGEST_FILE, path
        assert ast.get_docstring(ast.parse(text)) or path.name == "__init__.py", path


def test_no_file_is_named_for_nothing() -> None:
    assert not {path.stem for _, path in sources()} & {"utils", "helpers", "base", "types", "misc"}


def test_the_top_level_is_what_the_readme_says() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {name.split("/")[0] for name in tracked.splitlines()} == TOP_LEVEL


def test_help_presets_and_environments_load_no_tensorflow() -> None:
    code = (
        "import sys\n"
        "from baselines_ppo.run import cli\n"
        "assert cli.main(['--help']) == 0\n"
        "assert not {'numpy', 'gymnasium', 'mpi4py'} & set(sys.modules)\n"
        "import baselines_ppo.settings.presets, baselines_ppo.common.envs.vec_env, baselines_ppo.common.mpi\n"
        "import baselines_ppo.zoo\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert not {'common', 'run', 'zoo'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_tensorflow_is_started_without_keras_which_can_be_used_all_the_same(tmp_path: Path) -> None:
    """In a process of ours, what its import leaves in memory is not searched for garbage, and its code is let go of."""
    pytest.importorskip("tensorboard")
    code = (
        "import gc, pathlib, sys; from baselines_ppo.common.job.tensorflow_start import start_tensorflow\n"
        "from baselines_ppo.common.job.memory import loaded_code\n"
        "from baselines_ppo.common.trackers.tensorboard import TensorBoard\n"
        "start_tensorflow(alone=True)\n"
        "assert sum(part.resident for part in loaded_code()) < 100e6\n"
        "TensorBoard().begin(pathlib.Path(sys.argv[1]), {'seed': 0})\n"
        "assert not [name for name in sys.modules if name.startswith('keras.')]\n"
        "assert gc.get_freeze_count() > 100_000 > len(gc.get_objects())\n"
        "assert gc.isenabled()\n"
        "import tensorflow as tf\n"
        "from tensorflow.keras import layers\n"
        "assert layers.Dense(3)(tf.ones([2, 5])).shape == tf.keras.layers.Dense(3)(tf.ones([2, 5])).shape == (2, 3)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)


def test_the_wheel_holds_one_package_with_everything_in_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"baselines_ppo"}
    for folder, path in sources():
        inside = path.relative_to(ROOT / "baselines_ppo" if folder in ("baselines_ppo", "experiments") else ROOT)
        assert f"baselines_ppo/{inside.as_posix()}" in names
    for path in (ROOT / "zoo" / "agents").glob("*/*"):
        assert f"baselines_ppo/zoo/agents/{path.parent.name}/{path.name}" in names
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    code = (
        "import baselines_ppo, baselines_ppo.run.cli, baselines_ppo.common.files.pretrained as pretrained\n"
        "print(*(baselines_ppo.load(f'zoo:{name}').path for name in pretrained.names()))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert shown.stdout.startswith(str(installed)), shown.stderr
