"""What README and docs tell their readers to type, in a form that can be run in an empty folder, and is short."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from baselines_ppo.run.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
RUN = ["python", "-m", "baselines_ppo.run"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
PROGRAMS = ("python", "mpirun", "make", "pip", "source", "tensorboard")
OTHERS = frozenset(COMMANDS) - {"train"}

# A training is shortened by these flags after its own, where the last one counts; networks and environments stay.
SHORT = ["--num-timesteps", "1", "--num-envs", "2", "--num-steps", "32", "--num-epochs", "1"]
SHORTER = {
    "ppo1": ["--num-minibatches", "2"],
    "ppo2": ["--num-minibatches", "2"],
    "trpo": ["--num-minibatches", "2"],
    "ppo_kl": ["--num-episodes", "none", "--hidden-sizes", "8", "--value-epochs", "1"],
}
MOST_RANKS = 2
SECONDS = 150
# What a reader is to put something else for, or does not have.
PLACES = {
    "ID": "CartPole-v1",
    "RUN": "run",
    "AGENT": "zoo:CartPole-v1",
    "NAME": "trpo",
    "MODULE:NAME": "tests.training.test_own_algorithm:a2c",
    "FILE": "film.gif",
    "FOLDER": "exported",
    "FILE.npz": "episodes.npz",
    "cloned": "zoo:HalfCheetah-v4",  # after --load-path
}
OWN_RUN = re.compile(r"runs/(?P<env>[^/]+)/\S+")  # some run of the reader's: the pretrained agent of its environment


class Command(NamedTuple):
    """One line of README or docs."""

    text: str  # as it is there
    words: list[str]  # as it is run here
    kinds: frozenset[str]  # what it shows to work: a command, an algorithm, environments of some package

    @property
    def name(self) -> str:
        """Which of our commands it is; its first word if it is none."""
        after = self.words[self.words.index(RUN[-1]) + 1 :] if RUN[-1] in self.words else self.words
        return after[0] if RUN[-1] not in self.words or after[0] in OTHERS else "train"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has activated .venv, and has no display."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)}


def done(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Type a line in a folder."""
    return subprocess.run(
        words, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip


def python_blocks() -> list[str]:
    """Return the blocks of Python, each once, a training in them shortened to one iteration on two ranks."""
    blocks = list(dict.fromkeys(text for language, text in BLOCK.findall(text_of_all()) if language == "python"))
    short = [re.sub(r"num_timesteps=[\d_]+", "num_timesteps=1", block) for block in blocks]
    return [re.sub(r"\branks=\d+", f"ranks={MOST_RANKS}", block) for block in short]


def files() -> dict[str, str]:
    """Return the blocks of Python that readers are to save, by the name in their first line."""
    found = [re.match(r"# (\w+\.py)\n", block) for block in python_blocks()]
    return {match[1]: match.string for match in found if match}


def recipe(file: str) -> list[Command]:
    """Return the lines about what is in such a file, which go on from one another."""
    return [Command(text, *_runnable(text)) for text in _lines() if _is_of(file, text)]


def scripts() -> list[str]:
    """Return the scripts of a cluster, which are read but not run."""
    return [text for language, text in BLOCK.findall(text_of_all()) if language == "bash"]


def commands() -> list[Command]:
    """Return all commands, of blocks, tables and sentences, each once."""
    typed = list(dict.fromkeys((*_lines(), *_inline())))
    return [Command(text, *_runnable(text)) for text in typed if not any(_is_of(file, text) for file in files())]


def flags() -> set[str]:
    """Return every flag that is named."""
    code = [*_lines(), *SPAN.findall(BLOCK.sub("", text_of_all()))]
    return {word.split("=")[0] for text in code for word in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)}


def _is_of(file: str, text: str) -> bool:
    """Return whether a line names something in a file."""
    return re.search(rf"\b{file.removesuffix('.py')}\b", text) is not None


@functools.cache
def text_of_all() -> str:
    """Return all pages, one behind the other."""
    return "\n".join(path.read_text() for path in PAGES)


def _lines() -> Iterator[str]:
    """Yield the lines of blocks that begin with a program."""
    for language, text in BLOCK.findall(text_of_all()):
        for line in text.splitlines() if language == "" and text.startswith(PROGRAMS) else ():
            yield " ".join(shlex.quote(word) for word in shlex.split(line, comments=True))


def _inline() -> Iterator[str]:
    """Yield what begins with our command or with its dots, and flags that name an environment or algorithm."""
    for span in SPAN.findall(BLOCK.sub("", text_of_all())):
        text = " ".join(span.split())
        if text.startswith((" ".join(RUN), "mpirun ", "... --")):
            yield text
        elif text.startswith(("--env ", "--alg ")) and "--help" not in text:
            yield f"... {text}"


def _runnable(text: str) -> tuple[list[str], frozenset[str]]:
    """Return the words that are run, and what they show to work."""
    typed = shlex.split(text)
    new = {at + 1 for at, word in enumerate(typed) if word == "--out"}  # what is to be written there keeps its name
    words = [
        word if at in new and word == "cloned" else PLACES.get(word, OWN_RUN.sub(r"zoo:\g<env>", word))
        for at, word in enumerate(typed)
    ]
    words = [*RUN, *words[1:]] if words[0] == "..." else words
    if RUN[-1] not in words:
        return words, frozenset()
    if "-f" in words:  # a file of hosts: here there is one
        del words[words.index("-f") : words.index("-f") + 2]
    if "-np" in words:
        at = words.index("-np") + 1
        words[at] = str(min(MOST_RANKS, int(words[at])) if words[at].isdecimal() else MOST_RANKS)
    at = words.index(RUN[-1]) + 1
    before, own = words[:at], [word for word in words[at:] if word != "..."]
    if "--help" in own:
        return words, frozenset({"--help"})
    if own[:1] == ["launch"]:
        inner = own.index("--") + 1
        return [*before, "launch", "-n", "2", "--", *_short(own[inner:])], frozenset({"launch"})
    if own and own[0] in OTHERS:
        return [*before, *_brief(own)], frozenset({own[0], Path(_value(own, "--out", "")).suffix or own[0]})
    short = _short(own)
    alg = _value(short, "--alg", "ppo2")
    shown = {
        alg if alg in SHORTER else "ppo2",
        _package(_value(short, "--env", "")),
        *({"--resume", "--load-path"} & {*own} - {"--resume" if "auto" in own else ""}),
    }
    return [*before, *short], frozenset({*shown, *({"mpirun"} & {*before})})


def _short(words: list[str]) -> list[str]:
    """Return a training that is short."""
    if "--resume" in words and _value(words, "--resume", "") != "auto":
        return [*words, "--num-timesteps", "128"]
    named = words if "--env" in words else [*words, "--env", "CartPole-v1"]
    return [*named, *SHORT, *SHORTER.get(_value(words, "--alg", "ppo2"), [])]


def _brief(words: list[str]) -> list[str]:
    """Return another command that does not take long."""
    more = {
        "evaluate": ["--episodes", "1"],
        "record": ["--seconds", "0.2"],
        "race": ["--seconds", "0.2", "--out", "race.gif"],
        "steer": ["--port", "0"],
        "pong": ["--port", "0"],
        "play": ["--port", "0"],
        "report": ["--episodes", "1", "--seconds", "0.2"],
        "bench": ["--env", "CartPole-v1", "--ranks", "1", "--num-envs", "8"],
    }
    if words[0] == "tune":  # one trial, of an environment whose episodes are short
        return [*words, "--trials", "1", "--seeds", "1", "--env", "CartPole-v1", *SHORT, *SHORTER["ppo2"]]
    if words[0] == "bench" and {"--peer-python", "--scaling", "--simulate"} & {*words}:
        return ["bench", "--help"]
    if words[0] == "sweep":  # all of it is checked, and nothing begun
        return [*(str(ROOT / word) if word.startswith("benchmarks/") else word for word in words), "--list"]
    if words[0] in ("plot", "compare", "report"):  # of whatever runs: the one that there is
        own = ["run" if word.startswith(("runs", "zoo:")) else word for word in words if word != "..."]
        return own + more.get(words[0], [])
    if words[0] == "record" and _value(words, "--out", "").endswith(".npz"):
        return [*words, "--episodes", "2", "--max-steps", "50"]
    if words[0] == "clone":  # of the demonstrations that there are
        return [*words, "--env", "CartPole-v1", "--data", "episodes.npz", "--num-epochs", "1"]
    moving = {"run": "zoo:RoboAnt-v1"}  # for what MuJoCo does not simulate there must be a display
    agents = {"race": moving, "play": moving}.get(words[0], {})
    return [agents.get(word, word) for word in words if word != "..."] + more.get(words[0], [])


def _value(words: list[str], flag: str, default: str) -> str:
    return words[words.index(flag) + 1] if flag in words else default


def _package(env: str) -> str:
    """Return where environments of an id come from."""
    places = {"ALE/": "ale_py", "Robo": "robots", "LunarLander": "box2d", "CartPole": "", "": ""}
    return next((name for start, name in places.items() if start and env.startswith(start)), env.rpartition(":")[0])
