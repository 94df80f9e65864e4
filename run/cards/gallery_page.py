"""The web page of the gallery: how its cards look, and what filters and sorts them; whatever they say, it is text."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence

from baselines_ppo.experiments.page import document, paragraph

STYLE = """
:root { --accent: #0072b2; --card: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --accent: #56b4e9; --card: #1c2126 } }
.controls { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; margin: 1.5rem 0;
  font-size: .9rem }
.controls[hidden], .card[hidden] { display: none }
.controls div { display: flex; flex-wrap: wrap; gap: .4rem }
.controls div label { position: relative }
.controls input { position: absolute; opacity: 0; inset: 0; margin: 0 }
.controls span { display: block; padding: .3rem .75rem; border: 1px solid var(--line); border-radius: 1rem;
  cursor: pointer }
.controls input:checked + span { color: var(--paper); background: var(--accent); border-color: var(--accent) }
.controls input:focus-visible + span { outline: 2px solid var(--ink); outline-offset: 2px }
select, button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
  border-radius: .3rem; padding: .25rem .5rem; cursor: pointer }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19.5rem), 1fr)); gap: 1.25rem }
.card { display: flex; flex-direction: column; min-width: 0; overflow: hidden; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem }
.shot { display: grid; place-items: center; position: relative; aspect-ratio: 4 / 3; color: var(--quiet);
  background: var(--line); overflow: hidden }
.shot img { width: 100%; height: 100%; object-fit: cover; grid-area: 1 / 1 }
.shot b { position: absolute; left: .75rem; bottom: .75rem; padding: .3rem .75rem; border-radius: 1rem;
  color: #fff; background: #14171acc; font-weight: 600; font-size: .9rem }
a:hover b, a:focus-visible b { background: #0072b2 }
.inside { display: flex; flex-direction: column; gap: .6rem; padding: .8rem 1rem 1rem; flex: 1 }
.inside > * { margin: 0 }
.inside h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere }
.inside p, summary { font-size: .85rem; margin: 0; overflow-wrap: anywhere } .inside .kind { margin-top: -.6rem }
.inside th, .inside td { padding: .2rem .75rem .2rem 0 }
.inside th:last-child, .inside td:last-child { padding-right: 0 }
.inside th { color: var(--quiet); font-weight: 400 }
svg { display: block; width: 100%; height: auto; font-size: 12px; fill: var(--quiet) }
svg .axis { fill: none; stroke: var(--line) } svg .end { text-anchor: end }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round }
svg .threshold { fill: none; stroke: var(--quiet); stroke-dasharray: 4 4 }
.command { margin-top: auto; padding: .5rem .6rem; border: 1px solid var(--line); border-radius: .3rem;
  background: var(--paper) }
.command code { display: block; font-size: .78rem }
.command span { display: inline-block; max-width: 100% }  /* no line ends within a flag */
.command button { float: right; margin: 0 0 .25rem .5rem;
  font-size: .78rem }
"""
# Without scripts the page has all cards, in alphabetical order. Buttons and menus are there when they do something.
SCRIPT = """
"use strict"
{
  const all = selector => [...document.querySelectorAll(selector)]
  const controls = document.querySelector(".controls"), cards = all(".card")
  const figure = (card, key) => key in card.dataset ? Number(card.dataset[key]) : Infinity
  const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0
  const show = () => {
    const kind = controls.elements.kind.value, key = controls.elements.order.value
    const order = cards.map((card, place) => [key ? figure(card, key) : place, place, card])
    order.sort((a, b) => compare(a[0], b[0]) || a[1] - b[1])
    for (const [, , card] of order) {
      card.hidden = Boolean(kind) && !card.dataset.kinds.split(",").includes(kind)
      card.parentNode.append(card)
    }
  }
  const copy = async (code, button) => {
    try {
      await navigator.clipboard.writeText(code.textContent)
    } catch {  // a page from another machine may not
      getSelection().selectAllChildren(code)
      if (!document.execCommand("copy")) return
    }
    button.textContent = "Copied"
    setTimeout(() => button.textContent = "Copy", 1500)
  }
  for (const code of all("code[data-copy]")) {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = "Copy"
    button.addEventListener("click", () => copy(code, button))
    code.before(button)
  }
  controls.addEventListener("change", show)
  controls.addEventListener("submit", event => event.preventDefault())
  controls.hidden = false
  show()  // as a browser that comes back has the controls
}
"""
# No other script runs, and nothing is loaded, even if a word in a card were not escaped.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
WATCH = "<p>To watch one: <code>python -m baselines_ppo.run play NAME</code></p>"
ORDERS = {
    "": "by name",
    "steps": "fewest steps first",
    "seconds": "shortest training first",
    "shortfall": "farthest above the threshold first",
}  # by the figures that cards have


def gallery_page(title: str, note: str, kinds: Mapping[str, str], cards: Sequence[str]) -> str:
    """Return a page of cards.

    Args:
      note: text above the cards.
      kinds: names of the kinds among which one can choose, by what cards have in `data-kinds`.
      cards: HTML.
    """
    body = [paragraph(note), WATCH, _controls(kinds), '<main class="cards">', *cards, "</main>"]
    hashed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}script-src \'sha256-{hashed}\'">'
    return document(title, "\n".join([*body, f"<script>{SCRIPT}</script>"]), f"{policy}\n<style>{STYLE}</style>")


def _controls(kinds: Mapping[str, str]) -> str:
    """Return the filter and the order."""
    chips = "".join(
        f'<label><input type="radio" name="kind" value="{html.escape(key)}"{" checked" * (not key)}>'
        f"<span>{html.escape(name)}</span></label>"
        for key, name in {"": "All", **kinds}.items()
    )
    orders = "".join(f'<option value="{key}">{html.escape(words)}</option>' for key, words in ORDERS.items())
    sort = f'<label>Sort <select name="order">{orders}</select></label>'
    return f'<form class="controls" hidden><div role="group" aria-label="Kind">{chips}</div>{sort}</form>'
