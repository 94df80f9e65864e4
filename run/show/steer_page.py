"""The page of a robot that is told where to run: a flag, cubes, pushes, and a camera that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines_ppo.run.agents.steering import Session
from baselines_ppo.run.show.page import PANEL, Page, table

# By key: m, away from the camera and to its left. Not W A S D or the arrows, by which the camera moves.
MOVES = {"I": (1.0, 0.0), "K": (-1.0, 0.0), "J": (0.0, 1.0), "L": (0.0, -1.0)}

CHASE = {"azimuth": 30.0, "elevation": -18.0, "distance": 5.0}  # degrees, m: the camera's, behind a robot to steer
VIEW = "<b>Drag</b> to turn, <b>scroll</b> to zoom; keys are on the buttons."
HELP = (
    "<b>Click the ground</b> to put the flag there, or move it by 1 m with <b>I J K L</b>; where it is far away, an "
    "arrow points to it. Within 1 m it is reached: with <b>wander</b> on, another one appears; else it stays, and so "
    "does the robot."
)


class SteerPage(Page[Session]):
    """What everybody sees who opens it."""

    _episode = 0  # of the session, that was shown

    def _add_controls(self) -> None:
        live = self._live
        self._add_switch("follow", "F", True, lambda on: None)
        wander = self._add_switch("wander", "N", True, lambda on: live.session.set_wander(on))
        cube = self._add_button("throw a cube", "C", lambda: live.session.throw_cube())
        push = self._add_button("push", "V", lambda: live.session.push())
        super()._add_controls()
        # Controls, and the property by which a session has a use for them.
        self._for_some: list[tuple[Any, str]] = [(wander, "has_flag"), (cube, "can_throw"), (push, "can_push")]
        self._add_flag()

    def _view(self, session: Session) -> Mapping[str, Any]:
        return {**session.simulated.view, **(CHASE if session.has_flag else {})}

    def _set_up(self, session: Session) -> None:
        """Leave the controls that are of use there."""
        session.set_wander(self._on["wander"])
        for control, name in self._for_some:
            control.visible = getattr(session, name)

    def _show_scene(self, session: Session) -> None:
        follow = self._on["follow"] or self._episode != session.episodes  # else it may begin out of sight
        self._episode = session.episodes
        self._stage.show(session.motion.at(self._live.fraction), follow)
        self._stage.point_to(session.target)

    def _told(self, session: Session) -> str:
        return table({**rows_of(session), "times real time": self._real_time})

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


def rows_of(session: Session) -> dict[str, str | None]:
    """Return how it goes, by name; None where there is no such thing."""
    numbers = session.numbers
    return {
        "now": numbers.doing,
        "speed": None if numbers.speed is None else f"{numbers.speed:.1f} m/s",
        "to the flag": None if numbers.distance is None else f"{numbers.distance:.1f} m",
        "flags reached": f"{numbers.flags_reached}" if session.has_flag else None,
        "falls": None if numbers.doing is None else f"{numbers.falls}",
        "got up": None if numbers.rises is None else f"{numbers.rises}",
        "return of this episode": f"{numbers.episode_return:.0f}",
        "its length so far": f"{numbers.episode_seconds:.0f} s",
    }


def _heading(camera: Any) -> tuple[float, float]:
    """Return the direction over the floor in which a camera looks."""
    x, y = (camera.look_at - camera.position)[:2]
    length = float(np.hypot(x, y))
    return (x / length, y / length) if length > 1e-6 else (1.0, 0.0)
