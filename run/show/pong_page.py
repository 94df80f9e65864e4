"""The page on which a person plays Pong against an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.agents.duel import AGENT, LEVELS, PERSON, POINTS, Duel
from baselines_ppo.run.show.held_keys import add_held_keys
from baselines_ppo.run.show.page import PANEL, Page, table

DISTANCE = 4.3  # m, of the camera: the whole table is in the picture, beside the panel
SCORE = (
    '<div style="text-align: center"><div style="font-size: 2.4em"><b style="color: #ed6129">{}</b> : '
    '<b style="color: #1f9fd0">{}</b></div>{}</div>'
)
HELP = (
    "You are <b>orange</b>, at the left. Hold down the <b>arrows</b> or <b>W A S D</b> to move. Who lets the ball pass "
    f"gives the other a point; {POINTS} points win."
)


class PongPage(Page[Duel]):
    """What everybody sees who opens it."""

    def _add_controls(self) -> None:
        live, gui = self._live, self._server.gui
        gui.main_panel.dock_right()  # beside the table, and not over it
        self._level: Any = self._add_button("level", "L", self._next_level)
        super()._add_controls()
        gui.add_html(PANEL.format(HELP))
        add_held_keys(self._server, lambda right, up: live.ask(lambda: live.session.move(right, up)))

    def _view(self, session: Duel) -> Mapping[str, Any]:
        return {**session.simulated.view, "distance": DISTANCE}

    def _set_up(self, session: Duel) -> None:
        self._dress(session)

    def _next_level(self) -> None:
        """Let the agent play at the next level, after the last one at the first again."""
        session, levels = self._live.session, list(LEVELS)
        session.level = levels[(levels.index(session.level) + 1) % len(levels)]
        self._dress(session)

    def _dress(self, session: Duel) -> None:
        self._level.label = f"level: {session.level} (L)"

    def _told(self, session: Duel) -> str:
        score = SCORE.format(session.points[PERSON], session.points[AGENT], session.doing)
        rows = {"longest rally": counted(session.longest, "return"), "times real time": self._real_time}
        return PANEL.format(score) + table(rows)
