"""The page of all settings: it is what the code says, and what it says can be typed."""

from __future__ import annotations

import re

import pytest

from baselines_ppo import configure
from baselines_ppo.run import cli
from baselines_ppo.settings.config import TEXTBOOK, all_fields
from baselines_ppo.settings.presets import PRESETS
from docs import settings_page

TEXT = settings_page.PAGE.read_text("utf-8")
SECTION = re.compile(r"^### (.*)\n\n(.*)\n\n((?:\|.*\n)*)", re.MULTILINE)
SHARING = re.compile(r"^\| ([\w, -]+) \| (?:`(--.*?)`|nothing) \| ", re.MULTILINE)
ROW = re.compile(r"^\| `(--[\w-]+)` \| (?:`(.*?)`)? \| .* \|$", re.MULTILINE)


def test_the_page_is_made_of_the_settings_of_today() -> None:
    """If this fails: python -m docs.settings_page."""
    assert settings_page.page() == TEXT


@pytest.mark.parametrize("alg", TEXTBOOK)
def test_every_setting_of_every_algorithm_is_in_its_table(alg: str) -> None:
    shared, own = (
        TEXT.partition("## Settings of ")[0],
        TEXT.partition(f"## Settings of {alg}\n")[2].partition("\n## ")[0],
    )
    listed = [flag for part in (shared, own) for flag, _ in re.findall(r"^\| `(--[\w-]+)` \|(.*)", part, re.MULTILINE)]
    assert listed == [f"--{item.name.replace('_', '-')}" for _, item, _ in all_fields(TEXTBOOK[alg])]


def sections() -> list[tuple[str, str, str, dict[str, str]]]:
    """Return algorithm, environment, source and flags of each preset on the page."""
    found = []
    for heading, source, table in SECTION.findall(TEXT):
        names, _, alg = heading.partition(" with ")
        flags = dict(ROW.findall(table))
        found += [(alg or "ppo2", name, source, flags) for name in names.split(", ")]
        below = TEXT.partition(f"### {heading}\n")[2].partition("\n### ")[0]
        for others, typed in SHARING.findall(below):
            changed = {**flags, **dict(re.findall(r"(--[\w-]+) (\S+)", typed))}
            found += [(alg or "ppo2", name, source, changed) for name in others.split(", ")]
    return found


def test_environments_that_share_a_recipe_are_shown_by_their_differences_from_it() -> None:
    assert ("ppo2", "Walker2d-v5") in {(alg, name) for alg, name, _, _ in sections()}
    assert "### Walker2d-v4" not in TEXT
    assert TEXT.count("| `--normalize-value-targets` | `true` | `false` |") == 1


def test_every_preset_is_on_the_page_with_its_source() -> None:
    shown = {(alg, name) for alg, name, source, _ in sections() if len(source) > 20}
    assert {(alg, name) for alg, presets in PRESETS.items() for name in presets} <= shown


def test_typing_the_flags_of_a_preset_gives_the_preset() -> None:
    """Whoever copies the table of an environment onto a command line trains as its preset does."""
    for alg, name, _, flags in sections():
        env = name.replace("...", "Pong")
        words = [word for flag, value in flags.items() for word in (flag, value or "none")]
        typed = vars(cli.parser("train", ["--alg", alg, *words]).parse_args(["--alg", alg, *words]))
        values = {field: value for field, value in typed.items() if f"--{field.replace('_', '-')}" in flags}
        assert configure(env, alg, preset="none", **values) == configure(env, alg), (alg, name)
