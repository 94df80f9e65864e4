"""A robot on the ground in a real browser: it stands up, and when it is pushed over it begins to again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.steer_page import SteerPage
from tests.show.conftest import changes, opened_in_browser, until

HARDER = "RoboHumanoidFlagrunHarder-v1"


def test_who_lies_is_seen_to_stand_up_and_who_is_pushed_over_to_try() -> None:
    """It is paused, and goes on when it is asked to, so that a busy browser misses nothing."""
    spec = EnvironmentSpec(HARDER, keywords={"start": "face_down"})
    live = Live(Session(load_agent(f"zoo:{HARDER}"), spec, make_steered))
    live.paused = True
    with opened_in_browser(live, SteerPage) as opened:
        page, session = opened.page, live.session

        def says(words: str) -> bool:
            return words in page.inner_text("table")

        def go_on(until_it: Callable[[], object], steps: int = 600) -> None:
            """Let it act for so many steps at most."""

            def act() -> None:
                left = steps
                while left and not until_it():
                    session.step()
                    left -= 1

            live.ask(act)

        until(page, lambda: says("getting up"))
        go_on(lambda: session.numbers.rises)
        until(page, lambda: says("stood up in"))
        begun = session.episodes
        for _ in range(60):
            changes(opened, lambda: session._side, partial(page.keyboard.press, "v"))
            go_on(lambda: session.footing.lies, 10)
            if session.footing.lies:
                break
        until(page, lambda: says("fell"))
        go_on(lambda: session.numbers.doing == "getting up")
        until(page, lambda: says("getting up"))
        assert (session.episodes, session.numbers.falls) == (begun, 1)
