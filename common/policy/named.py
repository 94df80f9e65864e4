"""What users name as `module:attribute`, imported."""

from __future__ import annotations

import importlib
import traceback
from typing import Any

from baselines_ppo.common.failures import UsageError, printable, readable


def is_module(text: str) -> bool:
    """Return whether this could be the name of a module: words with dots between them."""
    return all(part.isidentifier() for part in text.split("."))


def named_object(what: str, name: str, form: str) -> Any:
    """Return what `module:attribute` names; imports the module.

    Args:
      what: is looked for, in a word that is also the flag's.
      form: that it has, such as module:Class.

    Raises:
      UsageError: it is no such name, or names nothing; or importing the module raises, whose traceback is below.
    """
    module, _, attribute = name.partition(":")
    if not (is_module(module) and attribute.isidentifier()):
        raise UsageError(f"--{what} is {printable(name)}, expected {form}")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{what} {name} not found: {printable(error)}") from None
    except Exception as error:
        raise UsageError(f"{what} {name} not found: importing {module} raised {with_traceback(error)}") from None


def with_traceback(error: BaseException) -> str:
    """Return what a user's code has raised, in a line, and the traceback below."""
    trace = readable("".join(traceback.format_exception(error)).rstrip())
    raised = f"{type(error).__name__}: {printable(error)}".rstrip(": ")
    return f"{raised}\n{trace}"
