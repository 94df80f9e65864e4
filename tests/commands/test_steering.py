"""Steering without a screen: what a session does on command, in simulated and in real time."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.agent import Agent, load_agent
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.serving import address
from baselines_ppo.run.agents.steering import MOMENT, PUSH, Session, follow_places, make_steered
from baselines_ppo.run.show.local_server import local_server, refusal
from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.page import Page
from baselines_ppo.run.show.shapes import mesh_of, shown
from baselines_ppo.run.show.simulated import simulated
from baselines_ppo.run.show.stage import Stage
from baselines_ppo.zoo import REGISTERED
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.by_name import WALKERS

FLAGRUN, CHEETAH, HOPPER = "RoboHumanoidFlagrun-v1", "RoboHalfCheetah-v1", "RoboHopper-v1"
PENDULUM = "InvertedPendulum-v4"
BROKEN = "one that cannot be read"


def session_of(name: str = FLAGRUN, seed: int = 0) -> Session:
    return Session(load_agent(f"zoo:{name}"), EnvironmentSpec(name), make_steered, seed)


def run(session: Session, seconds: float) -> None:
    for _ in range(round(seconds / session.simulated.step_seconds)):
        session.step()


def task_of(session: Session) -> Any:
    return session._task


@pytest.mark.parametrize("seed", range(2))
def test_it_runs_where_it_is_told_to(seed: int) -> None:
    score = follow_places(session_of(seed=seed), 20, np.random.default_rng(seed))
    assert score.reached >= 16
    assert score.falls <= 2


def test_a_flag_is_where_it_was_put_until_it_is_reached() -> None:
    session = session_of()
    session.set_target(3.0, 4.0)
    before = session.numbers
    assert session.target == (3.0, 4.0)
    assert before.distance == pytest.approx(5.0, abs=0.2)
    while session.numbers.flags_reached == before.flags_reached:
        assert session.target == (3.0, 4.0)
        session.step()
        assert session.numbers.episode_seconds < 15
    assert session.target != (3.0, 4.0)  # it wanders on
    assert np.hypot(session.position[0] - 3.0, session.position[1] - 4.0) < 1.0


def test_a_flag_that_nobody_reaches_stays_for_longer_than_it_would_in_training() -> None:
    session = session_of()
    session.set_target(60.0, 0.0)
    run(session, 5.0)
    assert session.target == (60.0, 0.0)


def test_who_is_not_to_wander_stays_at_the_flag_and_has_reached_it_once() -> None:
    session = session_of(seed=1)
    session.set_wander(False)
    session.set_target(3.0, 0.0)
    run(session, 8.0)
    assert session.target == (3.0, 0.0)
    assert session.numbers.flags_reached == 1
    session.set_wander(True)
    run(session, 5.0)
    assert session.target != (3.0, 0.0)


def test_a_flag_that_was_reached_does_not_count_again_when_it_is_to_wander_on() -> None:
    session = session_of(seed=1)
    session.set_wander(False)
    session.set_target(3.0, 0.0)
    while session.numbers.flags_reached == 0:
        session.step()
    for _ in range(3):
        session.set_wander(True)
        session.set_wander(False)
        session.step()
        assert session.target == (3.0, 0.0)
    session.set_wander(True)
    session.step()
    assert session.target != (3.0, 0.0)
    assert session.numbers.flags_reached == 1
    session.set_target(*session.position)  # another one does count
    session.step()
    assert session.numbers.flags_reached == 2


def test_the_flag_moves_by_steps() -> None:
    session = session_of()
    session.set_target(3.0, 4.0)
    session.move_target(-1.0, 0.5)
    assert session.target == (2.0, 4.5)


@pytest.mark.parametrize("name", WALKERS)
def test_a_push_changes_the_velocity_sideways_or_in_the_plane(name: str) -> None:
    env = make_steered(EnvironmentSpec(f"Robo{name}-v1"))
    session = session_in(env, f"Robo{name}-v1")
    run(session, 0.2)
    pose, planar = task_of(session).body.pose, task_of(session).body.robot.planar
    session.push()
    task_of(session).look()
    change = (task_of(session).body.pose.velocity - pose.velocity)[0]
    ahead = np.array([np.cos(pose.yaw[0]), np.sin(pose.yaw[0]), 0.0])
    assert session.can_push
    assert np.linalg.norm(change) == pytest.approx(PUSH)
    assert abs(change @ ahead) == pytest.approx(PUSH if planar else 0.0, abs=1e-9)


def fall(session: Session) -> None:
    """Push the robot over, and let it fall."""
    task_of(session).body.push(0, 0.0, 6.0)
    while session.numbers.falls == 0:
        session.step()


def test_the_fallen_begin_anew_after_a_moment_and_the_flag_stays() -> None:
    session = session_of()
    session.set_target(30.0, 0.0)
    run(session, 1.0)
    fall(session)
    fallen = session.numbers.episode_seconds
    run(session, MOMENT / 2)
    assert session.numbers.episode_seconds == pytest.approx(fallen + MOMENT / 2, abs=0.1)
    run(session, MOMENT)
    assert session.numbers.episode_seconds < MOMENT
    assert session.numbers.falls == 1
    assert session.target == (30.0, 0.0)


def test_an_episode_does_not_end_by_time() -> None:
    session = session_of(CHEETAH)
    for _ in range(1200):  # 1000 are an episode in training
        session.step()
    assert session.numbers.falls == 0
    assert session.numbers.episode_seconds == pytest.approx(1200 * CONTROL_STEP)
    assert session.numbers.distance is None
    assert session.numbers.speed is not None
    assert session.numbers.speed > 1.0


def test_what_comes_after_the_end_of_an_episode_does_not_count() -> None:
    session = session_of()
    run(session, 1.0)
    fall(session)
    before = session.numbers.episode_return
    run(session, MOMENT / 2)
    assert session.numbers.episode_return == before


def test_gymnasiums_own_do_not_go_on_after_the_end_but_can_be_seen_for_a_moment() -> None:
    env = make_environment(EnvironmentSpec("InvertedPendulum-v4"))
    session = session_in(env, "InvertedPendulum-v4")
    while session.numbers.falls == 0:
        session.step()
    before, poses = session.numbers, session.motion.at(1.0).qpos.copy()
    run(session, MOMENT / 2)
    assert session.numbers.episode_return == before.episode_return
    assert session.numbers.episode_seconds > before.episode_seconds
    np.testing.assert_array_equal(session.motion.at(1.0).qpos, poses)
    run(session, MOMENT / 2)
    assert session.numbers.episode_seconds < MOMENT / 2
    assert session.numbers.falls == 1


def test_without_a_flag_or_a_robot_commands_do_nothing() -> None:
    session = session_of("RoboPong-v1")
    assert not (session.has_flag or session.can_throw or session.can_push)
    session.set_target(1.0, 1.0)
    session.move_target(1.0, 1.0)
    session.set_wander(False)
    session.throw_cube()
    session.push()
    session.step()
    assert session.target is None


def test_a_cube_that_is_not_thrown_changes_nothing_and_one_that_is_comes_flying() -> None:
    with_cube, without = make_steered(EnvironmentSpec(FLAGRUN)), make_environment(EnvironmentSpec(FLAGRUN))
    seen, expected = with_cube.reset(seed=3)[0], without.reset(seed=3)[0]
    agent = load_agent(f"zoo:{FLAGRUN}")
    for _ in range(60):
        np.testing.assert_allclose(seen, expected, atol=1e-6)
        action = agent.act(expected)
        seen, expected = with_cube.step(action)[0], without.step(action)[0]
    session = session_of()
    run(session, 1.0)
    height = session.motion.at(1.0).body("cube").xpos[2]
    assert height == 20.0
    session.throw_cube()
    assert session.motion.at(0.0).body("cube").xpos[2] < 4.0  # even if no step is made, and nothing on the way
    session.step()
    cube = session.motion.at(1.0).body("cube").xpos
    assert np.linalg.norm(cube[:2] - session.position) < 5.0
    assert cube[2] < 4.0
    with pytest.raises(ValueError, match="no cube to throw"):
        without.unwrapped.throw_cube()  # type: ignore[attr-defined]


def test_only_our_robots_are_steered_and_only_by_agents_that_fit() -> None:
    with pytest.raises(UsageError, match="nothing to steer"):
        make_steered(EnvironmentSpec("HalfCheetah-v4"))
    with pytest.raises(LoadError, match="with other spaces than"):
        Session(load_agent(f"zoo:{CHEETAH}"), EnvironmentSpec(FLAGRUN), make_steered)
    with pytest.raises(UsageError, match="not simulated by MuJoCo"):
        session_in(make_environment(EnvironmentSpec("CartPole-v1")), "CartPole-v1")


@pytest.mark.parametrize(
    ("says", "seconds"),
    [
        ({"dt": 0.1}, 0.1),
        ({"inside": SimpleNamespace(dt=0.04)}, 0.04),
        ({"metadata": {"render_fps": 20}}, 0.05),
        ({}, 1 / 30),
    ],
)
def test_what_else_uses_mujoco_is_seen_at_the_pace_that_it_says(says: dict[str, Any], seconds: float) -> None:
    class Strange(gymnasium.Env[Any, Any]):
        model = mujoco.MjModel.from_xml_string(SHAPES)
        data = mujoco.MjData(model)

    env = Strange()
    for name, value in says.items():
        setattr(env, name, value)
    found = simulated(lambda: env, "Strange-v0")
    assert found.step_seconds == pytest.approx(seconds)
    env.data.qpos[:] = np.linspace(0.1, 0.2, env.model.nq)
    seen = mujoco.MjData(found.model)
    found.read(seen)
    mujoco.mj_forward(env.model, env.data)
    np.testing.assert_allclose(seen.xpos, env.data.xpos)
    env.model = mujoco.MjModel.from_xml_string(SHAPES)
    with pytest.raises(UsageError, match="Strange-v0 has changed its MuJoCo model"):
        found.read(seen)


def test_a_view_that_follows_nothing_says_so() -> None:
    env = make_environment(EnvironmentSpec("Pusher-v5"))  # whose trackbodyid is -1
    session = session_in(env, "Pusher-v5")
    session.step()
    assert session.numbers.speed is None
    assert session.position == (0.0, 0.0)


def test_gymnasiums_robots_can_be_watched() -> None:
    env = make_environment(EnvironmentSpec("HalfCheetah-v4"))
    session = session_in(env, "HalfCheetah-v4")
    assert session.simulated.step_seconds == pytest.approx(0.05)
    run(session, 49.0)
    assert session.numbers.episode_seconds == pytest.approx(49.0)
    run(session, 2.0)  # beyond the 1000 steps of its episodes
    assert session.numbers.episode_seconds == pytest.approx(1.0)
    assert session.numbers.distance is None


def session_in(env: Any, env_id: str) -> Session:
    """Return one of an agent that has learned nothing, in an environment that there is already."""
    return Session(untrained(env, env_id), EnvironmentSpec(env_id), lambda _: env)


def untrained(env: Any, env_id: str) -> Agent:
    settings = NetworkSettings("mlp", (8,), "tanh", 0)
    network = ActorCritic(
        observation_of(env.observation_space, env_id), action_of(env.action_space, env_id), settings, settings
    )
    parameters = network.initial_parameters(np.random.default_rng(0), 0.0)
    return Agent(Policy(network, parameters, 10.0), env_id, Path("untrained"), {})


@pytest.mark.parametrize("name", REGISTERED)
def test_all_our_tasks_can_be_seen_and_take_every_command(name: str) -> None:
    env = make_steered(EnvironmentSpec(f"Robo{name}-v1"))
    session = session_in(env, f"Robo{name}-v1")
    for command in (session.throw_cube, session.push, session.reset, lambda: session.set_target(1.0, 2.0)):
        command()
        run(session, 0.2)
        session.motion.at(0.5)
    assert session.has_flag == ("Flagrun" in name)
    session.close()


# Between steps.


def test_motion_goes_from_one_step_to_the_next() -> None:
    session = session_of(CHEETAH)
    run(session, 0.5)
    before = session.motion.at(1.0).qpos.copy()
    session.step()
    after = session.motion.at(1.0).qpos.copy()
    np.testing.assert_allclose(session.motion.at(0.0).qpos, before)
    np.testing.assert_allclose(session.motion.at(0.5).qpos, (before + after) / 2)
    assert not np.allclose(before, after)


def test_motion_does_not_disturb_what_is_simulated() -> None:
    watched, alone = session_of(), session_of()
    for _ in range(100):
        watched.step()
        watched.motion.at(0.3)
        alone.step()
    assert watched.numbers == alone.numbers


@pytest.mark.parametrize("name", ["Humanoid-v4", "Ant-v5", "InvertedPendulum-v4", "RoboReacher-v1"])
def test_motion_has_the_places_of_bodies(name: str) -> None:
    env = make_environment(EnvironmentSpec(name))
    env.reset(seed=0)
    scene = simulated(lambda: env, name)
    motion, data = Motion(scene), mujoco.MjData(scene.model)
    env.step(np.full(env.action_space.shape or (), 0.3))
    motion.step()
    scene.read(data)
    mujoco.mj_kinematics(scene.model, data)
    np.testing.assert_allclose(motion.at(1.0).xpos, data.xpos, atol=1e-9)


SHAPES = """
<mujoco>
  <asset><mesh name="wedge" vertex="0 0 0  1 0 0  0 2 0  0 0 3  1 0 3"/></asset>
  <worldbody>
    <body pos="1 2 3">
      <geom type="sphere" size="0.3"/>
      <geom type="capsule" size="0.1 0.4" pos="1 0 0" euler="30 0 0"/>
      <geom type="cylinder" size="0.2 0.4" pos="0 1 0" euler="0 40 0"/>
      <geom type="box" size="0.1 0.2 0.3" pos="0 0 1" euler="0 0 50"/>
      <geom type="ellipsoid" size="0.1 0.2 0.3" pos="0 -1 0" euler="10 20 30"/>
      <geom type="mesh" mesh="wedge" pos="-1 0 0" euler="0 20 30"/>
      <geom type="sphere" size="0.3" group="3"/>
      <geom type="sphere" size="0.3" rgba="1 0 0 0"/>
    </body>
  </worldbody>
</mujoco>
"""


def test_shapes_are_where_and_as_large_as_mujoco_has_them() -> None:
    pytest.importorskip("trimesh")
    model = mujoco.MjModel.from_xml_string(SHAPES)
    assert shown(model, 1) == [0, 1, 2, 3, 4, 5]
    for geom in shown(model, 1):
        mesh = mesh_of(model, geom)
        assert mesh is not None
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        own = (mesh.vertices - model.geom_pos[geom]) @ turn.reshape(3, 3)
        middle, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        np.testing.assert_allclose(own.min(axis=0), middle - half, atol=0.01)
        np.testing.assert_allclose(own.max(axis=0), middle + half, atol=0.01)


# In real time.


class Time:
    """Time that passes when somebody sleeps or shows a picture, and not else."""

    def __init__(self) -> None:
        self.now, self.pictures = 0.0, 0
        self.stop = threading.Event()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 3.0:
            self.stop.set()

    def show(self) -> None:
        self.now, self.pictures = self.now + 0.005, self.pictures + 1


@pytest.mark.parametrize("pace", [1.0, 0.25])
def test_it_keeps_to_real_time_and_to_slow_motion(pace: float) -> None:
    time = Time()
    live = Live(session_of(CHEETAH), time.clock, time.sleep)
    live.pace = pace
    live.run(time.show, lambda: True, time.stop)
    assert live.session.numbers.episode_seconds == pytest.approx(time.now * pace, abs=0.05)
    assert live.measured_pace == pytest.approx(pace, rel=0.1)
    assert time.pictures == pytest.approx(60 * time.now, abs=2)


@pytest.mark.parametrize("paused", [True, False])
def test_who_is_paused_or_not_watched_does_nothing_but_what_is_asked(paused: bool) -> None:
    live, stop, pictures = Live(session_of()), threading.Event(), []
    live.paused = paused
    threading.Timer(0.3, stop.set).start()
    live.run(lambda: pictures.append(1), lambda: paused, stop)
    assert pictures == []
    stop.clear()
    live.ask(partial(live.session.set_target, 7.0, 7.0))
    live.ask(stop.set)
    live.run(lambda: pictures.append(1), lambda: paused, stop)
    assert pictures == [1]
    assert live.session.numbers.episode_seconds == 0.0
    assert live.session.target == (7.0, 7.0)


def test_a_slow_machine_loses_time_but_does_not_owe_it() -> None:
    live = Live(session_of(CHEETAH))
    live._advance(60.0)
    assert live.session.numbers.episode_seconds <= 0.1


# Who may ask.


@pytest.mark.parametrize(
    ("host", "headers", "refused"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8080"}, False),
        ("127.0.0.1", {"Host": "localhost:9000"}, False),
        ("127.0.0.1", {"Host": "[::1]:8080"}, False),
        ("127.0.0.1", {"Host": "evil.example:8080"}, True),
        ("127.0.0.1", {"Host": "localhost.evil.example"}, True),
        ("127.0.0.1", {"Host": "192.168.1.2:8080"}, True),
        ("127.0.0.1", {"Host": "[::1"}, True),
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://localhost:8080"}, False),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://evil.example"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://localhost:3000"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "null"}, True),
        ("0.0.0.0", {"Host": "192.168.1.2:8080"}, False),
        ("0.0.0.0", {"Host": "evil.example:8080"}, True),
        ("0.0.0.0", {"Host": f"{socket.gethostname().upper()}:8080"}, False),
        ("robots.example", {"Host": "robots.example:8080"}, False),
        ("Robots.Example", {"Host": "robots.EXAMPLE:8080", "Origin": "http://robots.example:8080"}, False),
        ("LocalHost", {"Host": "evil.example:8080"}, True),
        ("LocalHost", {"Host": "192.168.1.2:8080"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://[::1"}, True),
    ],
)
def test_other_sites_are_refused(host: str, headers: dict[str, str], refused: bool) -> None:
    assert (refusal(headers, host) is not None) == refused


@pytest.mark.parametrize("path", ["/?websocket=ws://evil.example", "/?%77ebsocket=ws://evil.example", "/index.html?"])
def test_links_that_tell_the_page_what_to_do_are_refused(path: str) -> None:
    assert refusal({"Host": "localhost:8080"}, "127.0.0.1") is None
    assert refusal({"Host": "localhost:8080"}, "127.0.0.1", path) is not None


def test_a_taken_port_and_a_strange_host_are_said_at_once() -> None:
    pytest.importorskip("viser")
    taken = "Address already in use; give another --port"
    with local_server("127.0.0.1", 0, "one") as server, pytest.raises(UsageError, match=taken):
        local_server("127.0.0.1", server.get_port(), "two").__enter__()
    with pytest.raises(UsageError, match=r"cannot listen at port 8080 of nowhere\.invalid"):
        local_server("nowhere.invalid", 8080, "three").__enter__()
    with pytest.raises(UsageError, match="--port is 70000"):
        local_server("127.0.0.1", 70000, "four").__enter__()
    with pytest.raises(UsageError, match="cannot listen at port 8080 of AAA"):
        local_server("A" * 70, 8080, "five").__enter__()


def test_of_several_addresses_the_first_that_is_free_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("viser")
    resolve = socket.getaddrinfo

    def resolve_to_many(host: str, *rest: Any, **settings: Any) -> Any:
        """Resolve as where a name has also an address that is not this machine's, as ::1 often is not."""
        places = ("203.0.113.7", "127.0.0.1", "127.0.0.2") if host == "robots.example" else (host,)
        return [found for place in places for found in resolve(place, *rest, **settings)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_many)
    with local_server("robots.example", 0, "many") as server:
        at = server.get_port()
        with socket.create_connection(("127.0.0.1", at)) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: robots.example:{at}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", at)) != 0


def test_a_server_that_nobody_guards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    viser = pytest.importorskip("viser")
    import websockets.asyncio.server

    serve, start = websockets.asyncio.server.serve, viser.ViserServer

    def start_in_another_way(**settings: Any) -> Any:
        websockets.asyncio.server.serve = serve  # type: ignore[misc]
        return start(**settings)

    monkeypatch.setattr(viser, "ViserServer", start_in_another_way)
    with pytest.raises(UsageError, match="cannot be guarded"):
        local_server("127.0.0.1", 0, "open").__enter__()


def test_it_is_told_where_to_open_the_page() -> None:
    assert "http://127.0.0.1:8080 " in address("127.0.0.1", 8080)
    assert "http://[::1]:8080 " in address("::1", 8080)
    assert f"http://{socket.gethostname()}:8080 " in address("0.0.0.0", 8080)


# On the page, which nobody has open.


class Unseen(NamedTuple):
    page: Page
    live: Live
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
        yield Unseen(Page(server, live, [FLAGRUN, CHEETAH, HOPPER, BROKEN], load), live, loaded)


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
