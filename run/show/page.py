"""The page in the browser: the scene, the numbers, and what can be done by click, button and key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines_ppo.common.failures import short
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session
from baselines_ppo.run.show.stage import Stage

if TYPE_CHECKING:
    import viser

SLOW = 0.25  # of real time
NUMBERS_EVERY = 0.25  # s
# By key: m, away from the camera and to its left. Not W A S D or the arrows, by which the camera moves.
MOVES = {"I": (1.0, 0.0), "K": (-1.0, 0.0), "J": (0.0, 1.0), "L": (0.0, -1.0)}
# A key that is held down comes again and again, which is of use for those alone that move the flag.
ONCE = 'addEventListener("keydown", e => e.repeat && e.key.toUpperCase() == "{}" && e.stopImmediatePropagation(), true)'
PANEL = '<div style="margin: 0 0.7em 0.5em; font-size: 0.85em">{}</div>'

CHASE = {"azimuth": 30.0, "elevation": -18.0, "distance": 5.0}  # degrees, m: the camera's, behind a robot to steer
VIEW = "<b>Drag</b> to turn, <b>scroll</b> to zoom; keys are on the buttons."
HELP = (
    "<b>Click the ground</b> to put the flag there, or move it by 1 m with <b>I J K L</b>; where it is far away, an "
    "arrow points to it. Within 1 m it is reached: with <b>wander</b> on, another one appears; else it stays, and so "
    "does the robot."
)

Load = Callable[[str], Session]


class Page:
    """What everybody sees who opens it; callbacks hand everything over to the thread that runs the session."""

    def __init__(
        self, server: viser.ViserServer, live: Live, agents: Sequence[str] = (), load: Load | None = None
    ) -> None:
        """Fill the page.

        Args:
          agents: names to choose from, that of the session first.
          load: returns a session with another of them.
        """
        self._server, self._live = server, live
        self._numbers_due = 0.0  # s
        self._shown: Session | None = None  # whose stage it is
        self._stage: Any = None
        self._episode = 0  # of the session, that was shown
        self._choice: Any = None  # between agents
        self._on: dict[str, bool] = {}  # switches
        self._for_some: list[tuple[Any, str]] = []  # controls, and the property by which a session has a use for them
        self._numbers = server.gui.add_html("")
        if load is not None:
            self._add_agents(agents, agents[0], load)
        self._add_controls()
        self._add_flag()
        self.show()

    def show(self) -> None:
        """Show how things are; only the thread that runs the session may call it."""
        session, now = self._live.session, time.monotonic()
        if self._shown is not session:
            self._set_up(session)
        follow = self._on["follow"] or self._episode != session.episodes  # else it may begin out of sight
        self._episode = session.episodes
        self._stage.show(session.motion.at(self._live.fraction), follow)
        self._stage.point_to(session.target)
        if now >= self._numbers_due or self._live.paused:
            self._numbers.content, self._numbers_due = table_of(self._live), now + NUMBERS_EVERY

    def watched(self) -> bool:
        """Return whether anybody is there."""
        return bool(self._server.get_clients())

    def _set_up(self, session: Session) -> None:
        """Build the stage of another session, and leave the controls that are of use there."""
        self._shown = session
        view = {**session.simulated.view, **(CHASE if session.has_flag else {})}
        self._stage = Stage(self._server, session.simulated.model, view)
        session.set_wander(self._on["wander"])
        for control, name in self._for_some:
            control.visible = getattr(session, name)

    def _add_agents(self, names: Sequence[str], current: str, load: Load) -> None:
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
                old.close()
            except Exception as error:  # whatever is wrong with one agent, the page goes on with another
                for client in self._server.get_clients().values():
                    client.add_notification("This agent cannot be shown", short(error))
            finally:
                choice.remove()  # as long as it has the focus the page takes no keys
                self._add_agents(names, now, load)

        choice.on_update(lambda _: self._live.ask(switch))

    def _add_controls(self) -> None:
        live = self._live
        self._add_switch("pause", "P", False, lambda on: setattr(live, "paused", on))
        self._add_switch("slow motion", "M", False, lambda on: setattr(live, "pace", SLOW if on else 1.0))
        self._add_switch("follow", "F", True, lambda on: None)
        wander = self._add_switch("wander", "N", True, lambda on: live.session.set_wander(on))
        cube = self._add_button("throw a cube", "C", lambda: live.session.throw_cube())
        push = self._add_button("push", "V", lambda: live.session.push())
        self._add_button("reset", "R", lambda: live.session.reset())
        self._for_some += [(wander, "has_flag"), (cube, "can_throw"), (push, "can_push")]

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

    def _add_flag(self) -> None:
        """Add the ways to put the flag somewhere."""
        gui, live = self._server.gui, self._live
        gui.add_html(PANEL.format(VIEW))
        self._for_some.append((gui.add_html(PANEL.format(HELP)), "has_flag"))

        @self._server.scene.on_click()
        def _(event: Any) -> None:
            place = self._stage.ground(event.ray_origin, event.ray_direction)
            if place is not None:
                live.ask(lambda: live.session.set_target(*place))

        for key, (away, left) in MOVES.items():

            def move(event: Any, away: float = away, left: float = left) -> None:
                x, y = _heading(event.client.camera)
                live.ask(lambda: live.session.move_target(away * x - left * y, away * y + left * x))

            gui.add_command(f"move the flag: {key}", hotkey=key).on_trigger(move)  # type: ignore[arg-type]


def table_of(live: Live) -> str:
    """Return how it goes, as HTML."""
    numbers = live.session.numbers
    rows = {
        "speed": numbers.speed is not None and f"{numbers.speed:.1f} m/s",
        "to the flag": numbers.distance is not None and f"{numbers.distance:.1f} m",
        "flags reached": numbers.distance is not None and f"{numbers.flags_reached}",
        "return of this episode": f"{numbers.episode_return:.0f}",
        "its length so far": f"{numbers.episode_seconds:.0f} s",
        "falls": f"{numbers.falls}",
        "times real time": "paused" if live.paused else f"{live.measured_pace:.2f}",
    }
    cells = "".join(
        f"<tr><td>{name}</td><td align=right><b>{text}</b></td></tr>" for name, text in rows.items() if text
    )
    return PANEL.format(f'<table style="width: 100%">{cells}</table>')


def _heading(camera: Any) -> tuple[float, float]:
    """Return the direction over the floor in which a camera looks."""
    x, y = (camera.look_at - camera.position)[:2]
    length = float(np.hypot(x, y))
    return (x / length, y / length) if length > 1e-6 else (1.0, 0.0)
