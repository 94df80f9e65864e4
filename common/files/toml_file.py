"""What a user has written in TOML, whose mistakes are found by their lines."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.whole import BOM, open_text, place, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(?:#.*)?$")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


class TomlFile:
    """What a TOML file says, and where."""

    def __init__(self, typed: str | Path) -> None:
        """Read it.

        Raises:
          UsageError: it is not there, or is no TOML; the line is named.
        """
        self._name = shown(place(typed))
        try:
            with open_text(place(typed), "r") as file:
                self._text = file.read().removeprefix(BOM).replace("\r\n", "\n")
            self.data: dict[str, Any] = tomllib.loads(self._text)
        except OSError as error:
            raise UsageError(f"{self._name} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{self._name} is no text in UTF-8") from None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{self._name} is no TOML: {short(error)}") from None

    def where(self, *key: str) -> str:
        """Return 'FILE, line N: ' for a key within its tables; without a line for one that is not there."""
        line = self._line(key) or (self._line(key[:-1]) if len(key) > 1 else None)
        return f"{self._name}, line {line}: " if line else f"{self._name}: "

    def _line(self, key: tuple[str, ...]) -> int | None:
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._text.split("\n"), 1):
            if match := TABLE.match(line):
                table = _parts(match[1])
                if table == key:
                    return number
            elif (match := KEY.match(line)) and (*table, *_parts(match[1]))[: len(key)] == key:
                return number
        return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in PART.findall(dotted))
