"""The page docs/settings.md, made of the fields and presets: `python -m docs.settings_page` writes it anew."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any, NamedTuple

from baselines_ppo.settings.changes import CHANGING, HARMLESS, OVERRIDABLE
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type
from baselines_ppo.settings.fields import choices_of, element_type, is_optional, plain_type
from baselines_ppo.settings.presets import ATARI, PRESETS, Preset
from benchmarks.earlier import with_commas

PAGE = Path(__file__).resolve().parent / "settings.md"
SHARED = {None: "The run", "rollout": "Collecting and normalising", "policy": "Networks"}
KINDS = {int: "a whole number", float: "a number", bool: "`true` or `false`", str: "a text"}
ATARI_IDS = "ALE/...-v5, ...NoFrameskip-v4"
INTRODUCTION = """# Settings

This page is made from the code, by `python -m docs.settings_page`. `--help` shows the same settings in a terminal;
`--help --env ID` shows them with that environment's values.

A setting has one name everywhere. On the command line, type `--num-envs 64`. In Python, type
`configure("Humanoid-v4", num_envs=64)`. Where a table says that a value may be `none`, type that word. For
`--hidden-sizes` there is the word `empty`, too: `none` means the layers that the network has by itself, and `empty`
means no layers.

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

Some environments share one recipe. It is printed once, and the table below it has each environment's differences.
"""
SENTENCES = re.compile(r"(?<=\.) (?=\D)")
MOST_DIFFERENCES, LEAST_SAVED = 6, 6  # of a preset that is shown by its differences from another one


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    for section, title in SHARED.items():
        parts.append(f"## {title}\n\n{table(section, TEXTBOOK)}")
    for alg, config in TEXTBOOK.items():
        parts.append(f"## Settings of {alg}\n\n{summary(config)}\n\n{table('algorithm', {alg: config})}")
    parts += [PRESETS_BEGIN, index()]
    parts += [preset_section(entry, sharing) for entry, sharing in families()]
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
        value = shown(name, flat(config)[name]) if name != "alg" else "`ppo2`"
        by_value.setdefault(value, []).append(alg)
    if len(by_value) == 1:
        return next(iter(by_value))
    return "; ".join(f"{', '.join(algs)}: {value}" for value, algs in by_value.items())


def flat(config: TrainConfig) -> dict[str, Any]:
    """Return all values by their fields' names."""
    return {item.name: value for _, item, value in all_fields(config)}


def shown(name: str, value: Any) -> str:
    """Return a field's value as it is typed; nothing where it is an empty text."""
    if isinstance(value, tuple):
        value = ",".join(map(str, value)) or ("empty" if name == "hidden_sizes" else "none")
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
    if choices and plain is tuple:
        words = f"{', '.join(f'`{choice}`' for choice in choices)}, or several with commas between them; or `none`"
    elif choices:
        words = " or ".join(f"`{choice}`" for choice in choices)
    elif plain is tuple:
        words = (
            "whole numbers with commas between them" if element_type(kind) is int else "names with commas between them"
        )
    else:
        words = KINDS[plain]
    bounds = [f"{text} {limits[name]:g}" for name, text in BOUNDS.items() if limits[name] is not None]
    none = ["or `none`"] if is_optional(kind) or (plain is tuple and not choices) else []
    return ", ".join([words, *bounds, *none])


BOUNDS = {"low": "at least", "above": "above", "high": "at most"}


def at_resume(name: str) -> str:
    """Return whether a field may change when a run is resumed."""
    if name in CHANGING + HARMLESS:
        return "yes"
    return "override" if name in OVERRIDABLE else "no"


class Entry(NamedTuple):
    """A preset with its algorithm and the environments that have it."""

    alg: str
    names: tuple[str, ...]
    preset: Preset

    @property
    def title(self) -> str:
        """What the preset is called on the page."""
        return f"{', '.join(self.names)}{'' if self.alg == 'ppo2' else f' with {self.alg}'}"


def presets() -> Iterator[Entry]:
    """Yield each preset."""
    for alg, by_name in PRESETS.items():
        named = list(by_name.items())
        for preset, group in itertools.groupby(named, key=lambda entry: entry[1]):
            yield Entry(alg, tuple(name for name, _ in group), preset)
        if alg == ATARI.config.alg:
            yield Entry(alg, (ATARI_IDS,), ATARI)


def families() -> list[tuple[Entry, list[Entry]]]:
    """Return the presets that are shown in full, each with those that are shown by their differences from it."""
    found: list[tuple[Entry, list[Entry]]] = []
    for entry in presets():
        full = len(differences(entry.preset.config, TEXTBOOK[entry.alg]))
        for first, sharing in found:
            count = len(differences(entry.preset.config, first.preset.config)) if first.alg == entry.alg else full
            if count <= MOST_DIFFERENCES and count + LEAST_SAVED <= full:
                sharing.append(entry)
                break
        else:
            found.append((entry, []))
    return found


def differences(config: TrainConfig, other: TrainConfig) -> list[str]:
    """Return the names of the fields in which a configuration differs from another one."""
    now, before = flat(config), flat(other)
    return [name for name in now if now[name] != before[name]]


def index() -> str:
    """Return links to all presets."""
    links = [f"[{entry.title}](#{anchor(first.title)})" for first, sharing in families() for entry in (first, *sharing)]
    return ",\n".join(links) + ".\n"


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MkDocs make it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "_- ")
    return kept.strip().replace(" ", "-")


def preset_section(entry: Entry, sharing: list[Entry]) -> str:
    """Return a preset: where it is from, what differs from the textbook, and which environments share most of it."""
    config, textbook = entry.preset.config, TEXTBOOK[entry.alg]
    now, before = flat(config), flat(textbook)
    rows = [
        f"| `{flag(name)}` | {shown(name, now[name])} | {shown(name, before[name])} |"
        for name in differences(config, textbook)
    ]
    head = ["| Flag | Preset | Textbook |", "| --- | --- | --- |"]
    body = "\n".join([*head, *rows]) if rows else "All settings are those of the textbook."
    parts = [f"### {entry.title}", source(entry.preset), body]
    if sharing:
        lines = ["| Environment | What differs from the table above | Source or result |", "| --- | --- | --- |"]
        parts.append("\n".join([*lines, *(sharing_row(other, entry) for other in sharing)]))
    return "\n\n".join(parts) + "\n"


def sharing_row(entry: Entry, first: Entry) -> str:
    """Return the row of a preset that shares most of its settings with another one."""
    now = flat(entry.preset.config)
    names = differences(entry.preset.config, first.preset.config)
    words = [f"{flag(name)} {shown(name, now[name]).strip('`')}" for name in names]
    typed = f"`{' '.join(words)}`" if words else "nothing"
    known = [*SENTENCES.split(source(first.preset)), f"The recipe of {first.names[0]}."]
    own = [sentence for sentence in SENTENCES.split(source(entry.preset)) if sentence not in known]
    return f"| {entry.title} | {typed} | {' '.join(own)} |"


def source(preset: Preset) -> str:
    """Return where a preset is from, with links to the pages that it names, and commas between thousands."""
    links = re.sub(r"docs/(results|zoo)\.md", lambda match: f"[{match[1].title()}]({match[1]}.md)", preset.source)
    return with_commas(links)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
