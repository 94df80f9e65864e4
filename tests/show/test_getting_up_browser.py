"""A robot on the ground in a real browser: it stands up, and when it is pushed over it begins to again."""

from __future__ import annotations

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.steer_page import SteerPage
from tests.show.conftest import opened_in_browser, until

HARDER = "RoboHumanoidFlagrunHarder-v1"


def test_who_lies_is_seen_to_stand_up_and_who_is_pushed_over_to_try() -> None:
    spec = EnvironmentSpec(HARDER, keywords={"start": "face_down"})
    live = Live(Session(load_agent(f"zoo:{HARDER}"), spec, make_steered))
    live.paused = True
    with opened_in_browser(live, SteerPage) as opened:
        page, session = opened.page, live.session

        def says(words: str) -> bool:
            return words in page.inner_text("table")

        until(page, lambda: says("getting up"))
        live.pace, live.paused = 0.25, False  # so that a busy browser does not miss it
        until(page, lambda: says("stood up in"))
        live.pace = 1.0
        until(page, lambda: says("running"))
        begun = session.episodes
        while not session.footing.lies:
            page.keyboard.press("v")
            page.wait_for_timeout(200)
        live.pace = 0.1
        until(page, lambda: says("getting up"))
        assert session.episodes == begun
        assert session.numbers.falls >= 1
