"""Keys that steer as long as they are held down: the arrows, and W A S D where they are on a keyboard."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import viser

WAYS = {  # by a key's code: right and up, -1 to 1
    "ArrowRight": (1, 0), "ArrowLeft": (-1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1),
    "KeyD": (1, 0), "KeyA": (-1, 0), "KeyW": (0, 1), "KeyS": (0, -1),
}  # fmt: skip
# A page of viser's tells its server that a key was pressed, and not that it was let go. So this script keeps which are
# held, and where they point to together it says as a key that nobody presses: one of the digits, as they lie on a
# keypad, with all modifiers. Nothing else on the page gets these keys, by which the camera would move.
SCRIPT = """
const ways = {ways}, held = new Set();
let said = 5;
const say = () => {{
    const sum = axis => Math.sign([...held].reduce((total, code) => total + ways[code][axis], 0));
    const digit = 5 + sum(0) + 3 * sum(1);
    if (digit === said) return;
    said = digit;
    const all = {{ctrlKey: true, altKey: true, shiftKey: true}};
    document.documentElement.dispatchEvent(
        new KeyboardEvent("keydown", {{key: `${{digit}}`, code: `Digit${{digit}}`, bubbles: true, ...all}}));
}};
addEventListener("keydown", event => {{
    const typing = event.target instanceof HTMLInputElement;
    if (!(event.code in ways) || event.ctrlKey || event.altKey || event.metaKey || typing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    held.add(event.code);
    say();
}}, true);
addEventListener("keyup", event => {{
    if (!held.delete(event.code)) return;
    event.stopImmediatePropagation();
    say();
}}, true);
addEventListener("blur", () => {{ held.clear(); say(); }});
"""


def add_held_keys(server: viser.ViserServer, steer: Callable[[int, int], object]) -> None:
    """Let the keys steer, for everybody who has the page open.

    Args:
      steer: gets to where the keys point that are held, right and up, each -1, 0 or 1, in the order in which they are
        pressed and let go; it must return at once.
    """
    from viser._messages import RunJavascriptMessage

    for right, up in itertools.product((-1, 0, 1), (-1, 0, 1)):

        async def told(_: Any, right: int = right, up: int = up) -> None:  # by one thread, so that all keep their order
            steer(right, up)

        digit: Any = str(5 + right + 3 * up)
        server.gui.add_command(f"steer: {digit}", hotkey=digit, modifier="cmd/ctrl+alt+shift").on_trigger(told)

    @server.on_client_disconnect
    def _(_: Any) -> None:
        steer(0, 0)

    server._websock_server.queue_message(RunJavascriptMessage(SCRIPT.format(ways=json.dumps(WAYS))))
