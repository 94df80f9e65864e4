"""The page of `steer`, which nobody has open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session
from baselines_ppo.run.show.local_server import local_server
from baselines_ppo.run.show.simulated import simulated
from baselines_ppo.run.show.stage import Stage
from baselines_ppo.run.show.steer_page import SteerPage
from tests.show.test_steering import CHEETAH, FLAGRUN, HOPPER, PENDULUM, run, session_of

BROKEN = "one that cannot be read"


class Unseen(NamedTuple):
    page: SteerPage
    live: Live[Session]
    loaded: list[str]  # names


@pytest.fixture
def unseen() -> Iterator[Unseen]:
    """A page with three agents to choose from; the last cannot be loaded."""
    pytest.importorskip("viser")
    loaded: list[str] = []

    def load(name: str) -> Session:
        loaded.append(name)
        if name == BROKEN:
            raise OSError("its disk is gone")
        return session_of(name)

    live = Live(session_of())
    with local_server("127.0.0.1", 0, "unseen") as server:
        yield Unseen(SteerPage(server, live, [FLAGRUN, CHEETAH, HOPPER, BROKEN], load), live, loaded)


def choose(unseen: Unseen, name: str) -> None:
    """Do what viser does when a browser says what was chosen."""
    (choice,) = choices(unseen)
    choice._impl.value = name
    for told in choice._impl.update_cb:
        told(None)


def choices(unseen: Unseen) -> list[Any]:
    handles = unseen.page._server.gui._gui_input_handle_from_uuid.values()
    return [handle for handle in handles if type(handle).__name__ == "GuiDropdownHandle"]


def obey(unseen: Unseen) -> None:
    """Do all that was asked for."""
    unseen.live._obey(10.0)
    unseen.page.show()


def test_who_chooses_twice_gets_the_last_one_once(unseen: Unseen) -> None:
    choose(unseen, CHEETAH)
    choose(unseen, HOPPER)
    obey(unseen)
    assert unseen.loaded == [HOPPER]
    assert [choice.value for choice in choices(unseen)] == [HOPPER]


def test_what_is_not_among_the_choices_is_not_loaded(unseen: Unseen) -> None:
    before = unseen.live.session
    choose(unseen, "/etc/passwd")
    obey(unseen)
    assert unseen.loaded == []
    assert unseen.live.session is before
    choose(unseen, CHEETAH)
    obey(unseen)
    assert unseen.loaded == [CHEETAH]


def test_an_agent_that_cannot_be_read_leaves_the_one_before(unseen: Unseen) -> None:
    before = unseen.live.session
    choose(unseen, BROKEN)
    obey(unseen)
    assert unseen.loaded == [BROKEN]
    assert unseen.live.session is before
    assert [choice.value for choice in choices(unseen)] == [FLAGRUN]


def test_a_new_episode_is_seen_even_by_who_does_not_follow(unseen: Unseen) -> None:
    page, session = unseen.page, unseen.live.session
    page._on["follow"] = False
    run(session, 3.0)
    page.show()
    assert page._stage.centre == pytest.approx((0.0, 0.0), abs=0.5)  # where it was
    page._on["follow"] = True
    page.show()
    assert page._stage.centre == pytest.approx(session.position, abs=0.1)
    away = page._stage.centre
    page._on["follow"] = False
    session.reset()
    page.show()
    assert page._stage.centre == pytest.approx(session.position, abs=0.1)
    assert np.linalg.norm(page._stage.centre - away) > 1.0


def test_an_arrow_points_to_a_flag_that_is_far_away(unseen: Unseen) -> None:
    page, session = unseen.page, unseen.live.session
    for place in ((20.0, 0.0), (-6.0, 8.0), (0.0, -30.0)):
        session.set_target(*place)
        page.show()
        arrow = page._stage._arrow
        assert arrow.visible
        w, _, _, z = arrow.wxyz
        tip = arrow.vertices[np.abs(arrow.vertices[:, 0]).argmax()]
        turned = np.array([[w * w - z * z, -2 * w * z], [2 * w * z, w * w - z * z]]) @ tip[:2]
        way = np.subtract(place, session.position)
        assert turned / np.linalg.norm(turned) == pytest.approx(way / np.linalg.norm(way), abs=0.02)
    session.set_target(session.position[0] + 2.0, session.position[1])
    page.show()
    assert not page._stage._arrow.visible
    choose(unseen, CHEETAH)  # who has no flag
    obey(unseen)
    assert page._stage._arrow is None


@pytest.mark.parametrize(("own", "theirs"), [(CHEETAH, "HalfCheetah-v4"), ("RoboInvertedPendulum-v1", PENDULUM)])
def test_gymnasiums_robots_look_like_ours_on_a_page(own: str, theirs: str) -> None:
    pytest.importorskip("viser")
    around, directions = [], []
    for name in (own, theirs):
        scene = simulated(partial(make_environment, EnvironmentSpec(name)), name)
        with local_server("127.0.0.1", 0, "look") as server:
            Stage(server, scene.model, scene.view)
            messages = server._websock_server._broadcast_buffer.message_from_id.values()
            kept = [message for message in messages if not getattr(message, "name", "").startswith("/world/")]
            kept = [message for message in kept if getattr(message, "include_in_scene_serialization", True)]
            around.append(sorted(repr(m) for m in kept if not re.search(r"^(Set|RunJ)", type(m).__name__)))
            seen = server.initial_camera
            way = seen.look_at - seen.position
            directions.append(way / np.linalg.norm(way))
    assert around[0] == around[1]
    assert any("/floor" in text for text in around[0])
    assert np.degrees(np.arccos(directions[0] @ directions[1])) < 15.0
