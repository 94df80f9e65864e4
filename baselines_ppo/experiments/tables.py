"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

Cells = Sequence[Sequence[str]]
TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\N{MINUS SIGN}": "$-$"}


def markdown_table(header: Sequence[str], rows: Cells) -> str:
    """Return a table of Markdown, whose first two columns are words and the others numbers."""
    rules = [":---" if place < 2 else "---:" for place in range(len(header))]
    head, *body = ([cell.replace("|", "\\|") for cell in line] for line in (header, *rows))
    lines = [head, rules, *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_table(header: Sequence[str], rows: Cells) -> str:
    """Return a table of comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def latex_table(header: Sequence[str], rows: Cells) -> str:
    """Return a tabular of LaTeX, which needs the package booktabs."""
    lines = [rf"{' & '.join(map(escaped, line))} \\" for line in (header, *rows)]
    columns = "ll" + "r" * (len(header) - 2)
    top = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule"]
    return "\n".join([*top, *lines[1:], r"\bottomrule", r"\end{tabular}", ""])


def escaped(text: str) -> str:
    """Return text as LaTeX takes it."""
    return re.sub(r"[&%$#_{}\\~^\u2212]", lambda found: TEX.get(found[0], f"\\{found[0]}"), text)
