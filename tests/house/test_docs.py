"""What README and docs tell their readers to type works as it stands, what they name exists, and the site is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import baselines_ppo
from baselines_ppo import configure
from baselines_ppo.banner import banner
from baselines_ppo.common import failures
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.job import launcher
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.plan import plan_of
from baselines_ppo.run import cli
from baselines_ppo.run.commands import zoo
from baselines_ppo.settings.config import TEXTBOOK, resolve
from baselines_ppo.wiring import actor_critic_of
from tests.conftest import ROOT
from tests.house import docs
from tests.house.docs import done
from tests.house.test_package import LAYERS

FOREIGN = {"--hostfile", "--shm-size", "--time", "--partition", "--mpi", "--cleanenv"}  # of launchers


def blocks() -> list[Any]:
    """Return all blocks of Python; trainings but the first are slow, and exports of TensorFlow, see test_export.py."""
    result, trains = [], False
    for block in docs.python_blocks():
        training = "train(" in block or "sweep(" in block or "tune(" in block
        marks = [pytest.mark.slow] if (training and trains) or "format=" in block else []
        trains |= training
        result.append(pytest.param(block, marks=marks, id=block.strip().splitlines()[-1]))
    return result


@pytest.mark.parametrize("block", blocks())
def test_a_block_of_python_works(block: str, tmp_path: Path) -> None:
    finished = done(["python", "-c", block], tmp_path)
    assert finished.returncode == 0, finished.stderr


def followed(file: str, folder: Path) -> tuple[list[str], str]:
    """Type the lines about a file one after the other, where it is and nothing else; returns names, what was said."""
    (folder / file).write_text(docs.files()[file])
    said = ""
    for command in docs.recipe(file):
        finished = done([word for word in command.words if word not in ("--port", "0")], folder)
        assert finished.returncode == 0, finished.stderr
        said += finished.stdout
    return [command.name for command in docs.recipe(file)], said


def test_the_recipe_for_an_own_environment_works(tmp_path: Path) -> None:
    names, said = followed("my_env.py", tmp_path)
    assert names == ["train", "evaluate", "play", "record", "train"]
    assert "resumed ckpt-00000001 at 64 steps" in said
    (run,) = tmp_path.glob("runs/*")
    assert checkpoint.find(run)[0].manifest["total_steps"] == 128
    assert list(tmp_path.glob("*.gif"))


@pytest.mark.slow
def test_the_recipe_for_an_own_network_works(tmp_path: Path) -> None:
    names, said = followed("my_networks.py", tmp_path)
    assert names == ["train", "evaluate"]
    assert "policy and value function: my_networks:residual, " in said


def test_the_recipe_for_a_game_with_forbidden_moves_works(tmp_path: Path) -> None:
    names, said = followed("connect_four.py", tmp_path)
    assert names == ["train", "evaluate"]
    assert "observation: 6 x 7 x 2 = 84 whole numbers, normalised; masks: which of 7 actions are allowed" in said


def test_scripts_for_clusters_can_be_read(tmp_path: Path) -> None:
    for k, script in enumerate(docs.scripts()):
        (tmp_path / f"{k}.sh").write_text(script)
        assert done(["bash", "-n", f"{k}.sh"], tmp_path).returncode == 0
        for line in re.findall(r"-m baselines_ppo\.run([^\n&]*)", script.replace("\\\n", " ")):
            command, words = (
                (line.split()[0], line.split()[1:]) if "--" not in line.split()[0] else ("train", line.split())
            )
            assert vars(cli.parser(command, words).parse_args(words))["env"]


def test_what_is_installed_and_made_exists() -> None:
    setup, rules, text = (ROOT / "setup.cfg").read_text(), (ROOT / "Makefile").read_text(), docs.text_of_all()
    extras = set(re.findall(r"^(\w+) =$", setup.partition("[options.extras_require]")[2], re.MULTILINE))
    named = {extra for names in re.findall(r"pip install -e '\.\[([\w,]+)\]'", text) for extra in names.split(",")}
    assert named and named <= extras
    rows = (ROOT / "docs" / "getting-started.md").read_text().partition("| Extra |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) == extras
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert {"train", "test", "docs"} <= {*targets}
    assert all(f"\n{target}: " in rules for target in targets)


def test_files_and_what_is_in_them_are_where_they_are_said_to_be() -> None:
    text = docs.text_of_all()
    paths = set(re.findall(r"`((?:baselines_ppo|benchmarks|containers|common|run|zoo|tests|docs)/[\w./-]*\w/?)`", text))
    assert len(paths) > 40
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]
    places = re.findall(r"((?:`[\w.]+`(?:,? and |, )?)+) in\s+`([\w/]+\.py)`", text)
    assert len(places) > 30
    for names, path in places:
        source = (ROOT / path).read_text()
        for name in re.findall(r"`(?:\w+\.)*(\w+)`", names):
            made = rf"^\s*(?:(?:def|class) {name}\b|{name}(?::[^=\n]*)? = )"
            assert re.search(made, source, re.MULTILINE), (name, path)


def test_faults_are_held_by_tests_that_there_are() -> None:
    """A test without a file is in the file that was named last."""
    rows = (ROOT / "docs" / "faults.md").read_text().splitlines()
    for row in rows:
        source = ""
        for file, name in re.findall(r"`(?:([\w/]+\.py)(?:::)?)?(test_\w+)?`", row):
            if file:
                source = (ROOT / "tests" / file.removeprefix("tests/")).read_text()
            assert not name or f"def {name}(" in source, name
    assert len(rows) > 60


def test_the_layers_are_drawn_as_they_are() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text().partition("| Layer |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\d) \| (.*?) \|", table, re.MULTILINE)
    drawn = {int(number): set(re.findall(r"`(\w+)`", names)) for number, names in rows}
    assert [drawn[number] for number in range(1, len(LAYERS) + 1)] == list(LAYERS)


def test_exit_codes_and_actions_of_the_zoo_are_those_that_there_are() -> None:
    text = (ROOT / "docs" / "commands.md").read_text().partition("## Exit codes")[2]
    kinds = [failures.Failure, failures.UsageError, failures.DataError, failures.LoadError, failures.WriteError]
    ends = {failures.FINISHED, failures.STUCK, failures.STOPPED_BY_SIGNAL, failures.STOPPED_BY_CTRL_C}
    assert set(map(int, re.findall(r"^\| (\d+) \|", text, re.MULTILINE))) == {kind.exit_code for kind in kinds} | ends
    assert f"| {', '.join(map(str, sorted(launcher.CRASHES)))} |" in text
    assert set(re.findall(r"`zoo (\w+)", docs.text_of_all())) == {*zoo.ACTIONS}


@pytest.mark.parametrize("page", (*docs.PAGES, ROOT / "CONTRIBUTING.md"), ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere_in_the_repository(page: Path) -> None:
    text = docs.BLOCK.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        link = "".join(target)
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found.is_file(), link
            assert not anchor or anchor in anchors(found), link


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", docs.BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_banner_that_is_shown_is_the_one_that_is_printed() -> None:
    config = resolve(configure("Humanoid-v4"), 2)
    with closing(gymnasium.make(config.env)) as env:
        spaces = observation_of(env.observation_space, config.env), action_of(env.action_space, config.env)
    folder = Path("runs/Humanoid-v4/ppo2-20261121-080313-0")
    printed = banner(plan_of(config, actor_critic_of(config, *spaces), 2), folder)
    for page in ("README.md", "docs/getting-started.md"):
        assert f"```text\n{printed}\n```" in (ROOT / page).read_text()


def test_the_site_is_built_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(words, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = {path.stem: path.read_text() for path in (tmp_path / "site").glob("*.html")}
    assert {*pages} == {*(path.stem for path in docs.PAGES[1:]), "changelog", "404"}
    for name, page in pages.items():
        loaded = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"([^\"]*)\"", page)
        assert loaded, name
        assert not [url for url in loaded if re.match(r"(https?:)?//", url)], name
    cards = (tmp_path / "site" / "zoo" / "agents.html").read_text()
    assert cards.count("<article") == pages["zoo"].count('/picture.jpg"') > 20
    assert 'href="zoo/agents.html"' in pages["zoo"]
    public = [f"baselines_ppo.{'train.' if name == 'train' else ''}{name}" for name in baselines_ppo.__all__]
    assert not [name for name in public if f'id="{name}"' not in pages["python-api"]]


def test_every_flag_that_is_named_exists() -> None:
    parsers = [cli.parser("train", ["--alg", alg]) for alg in TEXTBOOK]
    parsers += [cli.parser(name, ["--help"]) for name in cli.COMMANDS]
    parsers += [cli.parser("zoo", [action]) for action in zoo.ACTIONS]
    known = {name for parser in parsers for action in parser._actions for name in action.option_strings}
    assert docs.flags() - FOREIGN <= known
    assert len(docs.flags()) > 40


def test_every_command_and_algorithm_is_shown() -> None:
    """What a reader finds there is what there is, and what is read here is not less than what is there."""
    commands = docs.commands()
    assert {command.name for command in commands} >= {*cli.COMMANDS}
    kinds = {kind for command in commands for kind in command.kinds}
    assert kinds >= {*TEXTBOOK, "mpirun", "ale_py", "robots", "box2d", "--resume", "--load-path", "launch"}
    assert len(docs.python_blocks()) >= 9
