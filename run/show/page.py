"""A page in the browser: a scene, how it goes, what can be done by button and key; those of a kind add their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.failures import short
from baselines_ppo.run.agents.live import Live, S
from baselines_ppo.run.show.stage import Stage

if TYPE_CHECKING:
    import viser

SLOW = 0.25  # of real time
NUMBERS_EVERY = 0.25  # s
# A key that is held down comes again and again, which is of use for those alone that move the flag.
ONCE = 'addEventListener("keydown", e => e.repeat && e.key.toUpperCase() == "{}" && e.stopImmediatePropagation(), true)'
PANEL = '<div style="margin: 0 0.7em 0.5em; font-size: 0.85em">{}</div>'


class Page(Generic[S]):
    """What everybody sees who opens it; callbacks hand everything over to the thread that runs the session."""

    def __init__(
        self,
        server: viser.ViserServer,
        live: Live[S],
        agents: Sequence[str] = (),
        load: Callable[[str], S] | None = None,
    ) -> None:
        """Fill the page.

        Args:
          agents: names to choose from, that of the session first.
          load: returns a session with another of them.
        """
        self._server, self._live = server, live
        self._numbers_due = 0.0  # s
        self._shown: S | None = None  # whose stage it is
        self._stage: Any = None
        self._choice: Any = None  # between agents
        self._on: dict[str, bool] = {}  # switches
        self._numbers = server.gui.add_html("")
        if load is not None:
            self._add_agents(agents, agents[0], load)
        self._add_switch("pause", "P", False, lambda on: setattr(live, "paused", on))
        self._add_switch("slow motion", "M", False, lambda on: setattr(live, "pace", SLOW if on else 1.0))
        self._add_controls()
        self.show()

    def show(self) -> None:
        """Show how things are; only the thread that runs the session may call it."""
        session, now = self._live.session, time.monotonic()
        if self._shown is not session:
            self._shown = session
            self._stage = Stage(self._server, session.simulated.model, self._view(session))
            self._set_up(session)
        self._show_scene(session)
        if now >= self._numbers_due or self._live.paused:
            self._numbers.content, self._numbers_due = self._told(session), now + NUMBERS_EVERY

    def watched(self) -> bool:
        """Return whether anybody is there."""
        return bool(self._server.get_clients())

    def _add_controls(self) -> None:
        """Add what can be done on a page of this kind."""
        self._add_button("reset", "R", lambda: self._live.session.reset())

    def _view(self, session: S) -> Mapping[str, Any]:
        """Return how the camera sees a session at first."""
        return session.simulated.view

    def _set_up(self, session: S) -> None:
        """Fit the page to another session, whose stage there is."""

    def _show_scene(self, session: S) -> None:
        """Show on the stage where everything is."""
        self._stage.show(session.motion.at(self._live.fraction))

    def _told(self, session: S) -> str:
        """Return how it goes, as HTML."""
        return table({"times real time": self._real_time})

    @property
    def _real_time(self) -> str:
        return "paused" if self._live.paused else f"{self._live.measured_pace:.2f}"

    def _add_agents(self, names: Sequence[str], current: str, load: Callable[[str], S]) -> None:
        """Add the choice between agents."""
        choice: Any = self._server.gui.add_dropdown("agent", tuple(names), initial_value=current, order=-1)
        self._choice = choice

        def switch() -> None:
            chosen, now = choice.value, current
            if choice is not self._choice or chosen not in names:  # a browser may send anything, and at any time
                return
            try:
                session, old = load(chosen), self._live.session
                self._live.session, now = session, chosen
                close_unheard(old.close)
            except Exception as error:  # whatever is wrong with one agent, the page goes on with another
                for client in self._server.get_clients().values():
                    client.add_notification("This agent cannot be shown", short(error))
            finally:
                choice.remove()  # as long as it has the focus the page takes no keys
                self._add_agents(names, now, load)

        choice.on_update(lambda _: self._live.ask(switch))

    def _add_switch(self, label: str, key: str, on: bool, do: Callable[[bool], object]) -> Any:
        """Add what is on or off. It is a button, because while a checkbox has the focus the page takes no keys."""
        self._on[label] = on

        def flip() -> None:
            self._on[label] = not self._on[label]
            dress()
            do(self._on[label])

        def dress() -> None:
            button.label = f"{label}: {'on' if self._on[label] else 'off'} ({key})"
            button.color = "teal" if self._on[label] else "gray"

        button = self._add_button(label, key, flip)
        dress()
        return button

    def _add_button(self, label: str, key: str, do: Callable[[], object]) -> Any:
        """Add what can be done by mouse and by key."""
        from viser._messages import RunJavascriptMessage

        gui = self._server.gui
        button = gui.add_button(f"{label} ({key})")
        button.on_click(lambda _: self._live.ask(do))
        gui.add_command(label, hotkey=key).on_trigger(lambda _: self._live.ask(do))  # type: ignore[arg-type]
        self._server._websock_server.queue_message(RunJavascriptMessage(ONCE.format(key)))
        return button


def table(rows: Mapping[str, str | None]) -> str:
    """Return names and what is said of each, as HTML; of whom nothing is said is left out."""
    cells = "".join(
        f"<tr><td>{name}</td><td align=right><b>{text}</b></td></tr>" for name, text in rows.items() if text is not None
    )
    return PANEL.format(f'<table style="width: 100%">{cells}</table>')
