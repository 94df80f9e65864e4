"""The page docs/settings.md, made of the fields and presets: `python -m docs.settings_page` writes it anew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any

from baselines_ppo.settings.changes import CHANGING, HARMLESS, OVERRIDABLE
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type
from baselines_ppo.settings.fields import choices_of, element_type, is_optional, plain_type
from baselines_ppo.settings.presets import ATARI, PRESETS, Preset

PAGE = Path(__file__).resolve().parent / "settings.md"
SHARED = {None: "The run", "rollout": "Collecting and normalising", "policy": "Networks"}
KINDS = {int: "a whole number", float: "a number", bool: "`true` or `false`", str: "a text"}
ATARI_IDS = "ALE/...-v5, ...NoFrameskip-v4"
INTRODUCTION = """# Settings

This page is made from the code, by `python -m docs.settings_page`. `--help` shows the same settings in a terminal;
`--help --env ID` shows them with that environment's values.

A setting has one name everywhere. On the command line, type `--num-envs 64`. In Python, type
`configure("Humanoid-v4", num_envs=64)`. `none` and `empty` are words that you can type.

Where do the values come from? Your own flags come first, then the [preset](#presets) of the environment, then the
textbook values of the algorithm. `--preset none` leaves the preset out.

The last column of a table says whether a setting may change when a run is resumed:

| Word | What it means |
| --- | --- |
| yes | the new value counts from the resume on |
| override | yes, if you add `--override NAME` |
| no | another value makes another run: begin a new one, with `--load-path` if you like |
"""
PRESETS_BEGIN = """## Presets

An environment with a preset gets the settings below. All others get the textbook values. `--preset ID` takes the preset
of another environment.
"""


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    for section, title in SHARED.items():
        parts.append(f"## {title}\n\n{table(section, TEXTBOOK)}")
    for alg, config in TEXTBOOK.items():
        parts.append(f"## Settings of {alg}\n\n{summary(config)}\n\n{table('algorithm', {alg: config})}")
    parts += [PRESETS_BEGIN, index()]
    parts += [preset_section(alg, names, preset) for alg, names, preset in presets()]
    return "\n".join(parts)


def summary(config: TrainConfig) -> str:
    """Return the first line of what an algorithm's settings say of themselves."""
    return (type(config.algorithm).__doc__ or "").strip().splitlines()[0]


def table(section: str | None, configs: dict[str, TrainConfig]) -> str:
    """Return a table of a section's fields, with their values in the textbooks of some algorithms."""
    lines = ["| Flag | Textbook value | What it is | What it may be | At a resume |", "| --- | --- | --- | --- | --- |"]
    first = next(iter(configs.values()))
    for found, item, _ in all_fields(first):
        if found == section:
            cells = [f"`{flag(item.name)}`", values(item.name, configs), meaning(item)]
            cells += [allowed(item, field_type(first, section, item)), at_resume(item.name)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def flag(name: str) -> str:
    """Return how a field is typed."""
    return "--" + name.replace("_", "-")


def values(name: str, configs: dict[str, TrainConfig]) -> str:
    """Return a field's value, or those of each algorithm where they differ."""
    by_value: dict[str, list[str]] = {}
    for alg, config in configs.items():
        value = shown(flat(config)[name]) if name != "alg" else "`ppo2`"
        by_value.setdefault(value, []).append(alg)
    if len(by_value) == 1:
        return next(iter(by_value))
    return "; ".join(f"{', '.join(algs)}: {value}" for value, algs in by_value.items())


def flat(config: TrainConfig) -> dict[str, Any]:
    """Return all values by their fields' names."""
    return {item.name: value for _, item, value in all_fields(config)}


def shown(value: Any) -> str:
    """Return a value as it is typed; nothing where it is an empty text."""
    if isinstance(value, tuple):
        value = ",".join(map(str, value)) or "empty"
    if isinstance(value, bool) or value is None:
        value = str(value).lower()
    if isinstance(value, float):
        value = f"{value:g}"
    return f"`{value}`" if value != "" else ""


def meaning(item: Field[Any]) -> str:
    """Return a field's help, with its former name if it had one."""
    former = f" (formerly `{item.metadata['was']}`)" if item.metadata.get("was") else ""
    return str(item.metadata["help"]).replace("|", "\\|") + former


def allowed(item: Field[Any], kind: Any) -> str:
    """Return in words what a field may be."""
    plain, limits = plain_type(kind), item.metadata
    choices = choices_of(item)
    if choices:
        words = " or ".join(f"`{choice}`" for choice in choices)
    elif plain is tuple:
        words = (
            "whole numbers with commas between them" if element_type(kind) is int else "names with commas between them"
        )
    else:
        words = KINDS[plain]
    bounds = [f"{text} {limits[name]:g}" for name, text in BOUNDS.items() if limits[name] is not None]
    none = ["or `none`"] if is_optional(kind) else []
    return ", ".join([words, *bounds, *none])


BOUNDS = {"low": "at least", "above": "above", "high": "at most"}


def at_resume(name: str) -> str:
    """Return whether a field may change when a run is resumed."""
    if name in CHANGING + HARMLESS:
        return "yes"
    return "override" if name in OVERRIDABLE else "no"


def presets() -> Iterator[tuple[str, tuple[str, ...], Preset]]:
    """Yield each preset with its algorithm and the environments that have it."""
    for alg, by_name in PRESETS.items():
        named = list(by_name.items())
        for preset, group in itertools.groupby(named, key=lambda entry: entry[1]):
            yield alg, tuple(name for name, _ in group), preset
        if alg == ATARI.config.alg:
            yield alg, (ATARI_IDS,), ATARI


def title(alg: str, names: tuple[str, ...]) -> str:
    """Return a preset's heading."""
    return f"{', '.join(names)}{'' if alg == 'ppo2' else f' with {alg}'}"


def index() -> str:
    """Return links to all presets."""
    links = [f"[{title(alg, names)}](#{anchor(title(alg, names))})" for alg, names, _ in presets()]
    return ",\n".join(links) + ".\n"


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MkDocs make it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "_- ")
    return kept.strip().replace(" ", "-")


def preset_section(alg: str, names: tuple[str, ...], preset: Preset) -> str:
    """Return a preset: where it is from, and what differs from the textbook."""
    before, now = flat(TEXTBOOK[alg]), flat(preset.config)
    rows = [
        f"| `{flag(name)}` | {shown(now[name])} | {shown(before[name])} |" for name in now if now[name] != before[name]
    ]
    head = ["| Flag | Preset | Textbook |", "| --- | --- | --- |"]
    body = "\n".join([*head, *rows]) if rows else "All settings are those of the textbook."
    source = preset.source.replace("docs/results.md", "[Results](results.md)")
    return f"### {title(alg, names)}\n\n{source}\n\n{body}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
