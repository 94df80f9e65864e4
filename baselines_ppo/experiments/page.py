"""A web page that stands alone: text, tables, pictures and films in one file, light or dark as its reader has it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from baselines_ppo.experiments.figures import paper_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --quiet: #5d6772; --line: #d9dee4 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e4e8ec; --paper: #14171a; --quiet: #98a2ad; --line: #343a41 }}
  img[src^="data:image/svg"] {{ filter: invert(1) hue-rotate(180deg) }}  /* black on white becomes light on dark */
}}
body {{ margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.6rem; margin: 0 }} h2 {{ font-size: 1.15rem; margin: 2.5rem 0 .75rem }}
p, summary {{ color: var(--quiet) }} summary {{ cursor: pointer }}
figure {{ margin: 0; overflow-x: auto }} figcaption {{ text-align: center; color: var(--quiet); font-size: .85rem }}
img {{ display: block; max-width: 100%; height: auto; margin: 0 auto }}
table {{ border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; width: 100% }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }}
th {{ font-weight: 600 }} .wide {{ overflow-x: auto; margin: .75rem 0 }}
.number {{ text-align: right }}
iframe {{ display: block; width: 100%; max-width: 44rem; margin: 0 auto; aspect-ratio: 4 / 3;
  border: 1px solid var(--line) }}
code {{ font-size: .85em; overflow-wrap: anywhere }}
</style>
{head}<h1>{title}</h1>
{body}
</html>
"""
ENDINGS = tuple("0123456789]%")  # of figures in tables, which stand on the right


class Section(NamedTuple):
    """A part of the page with a heading; its body is HTML."""

    heading: str
    body: str


def page(title: str, summary: str, sections: Sequence[Section]) -> str:
    """Return a page of HTML; title and summary are text."""
    parts = [paragraph(summary)]
    parts += [f"<h2>{html.escape(section.heading)}</h2>\n{section.body}" for section in sections]
    return document(title, "\n".join(parts))


def document(title: str, body: str, head: str = "") -> str:
    """Return a page of HTML with a heading; the title is text, body and what else the head is to have are HTML."""
    return PAGE.format(title=html.escape(title), head=head and f"{head}\n", body=body)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of text; what looks like a number stands on the right."""
    numeric = [any(row[k] for row in rows) and all(_is_figure(row[k]) for row in rows) for k in range(len(header))]

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="number"' * is_number for is_number in numeric]
        return "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{line(header, "th")}</tr>\n{body}\n</table></div>'


def _is_figure(cell: str) -> bool:
    return not cell or (cell.endswith(ENDINGS) and cell[0] in "0123456789.\N{MINUS SIGN}-")


def paragraph(text: str) -> str:
    """Return a sentence."""
    return f"<p>{html.escape(text)}</p>"


def picture(figure: Figure, caption: str = "") -> str:
    """Return a figure as a picture that stays sharp when it is enlarged."""
    data = io.BytesIO()
    with paper_style():
        figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    source = base64.b64encode(data.getvalue()).decode()
    return f'<figure><img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{source}"></figure>'


def inner_page(document: str, caption: str) -> str:
    """Return a page inside of this one, such as a replay."""
    frame = f'<iframe title="{html.escape(caption)}" srcdoc="{html.escape(document)}" loading="lazy"></iframe>'
    return f"<figure>{frame}<figcaption>{html.escape(caption)}</figcaption></figure>"


def folded(summary: str, body: str) -> str:
    """Return what is shown when one asks for it."""
    return f"<details><summary>{html.escape(summary)}</summary>\n{body}\n</details>"


def codes(lines: Sequence[str]) -> str:
    """Return lines of code as a list."""
    return f"<ul>{''.join(f'<li><code>{html.escape(line)}</code></li>' for line in lines)}</ul>"
