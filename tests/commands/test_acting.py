"""An agent's environment is the same at every door: tried out, treated as in training, with the spaces of the agent."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import tests.environments  # noqa: F401  # registers them
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import DataError, LoadError
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.policy.observations import BoxObservation, GroupObservation, observation_of
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.vectors import Seen
from baselines_ppo.run.agents.acting import backend_for
from baselines_ppo.run.agents.scoring import measure
from baselines_ppo.run.agents.steering import Session
from baselines_ppo.run.cli import main
from tests.odd_environments import Once, Sharing
from tests.untrained import untrained

GUSTY, SIMULATED = (
    EnvironmentSpec(env_id, ("tests.odd_environments:Gusty",)) for env_id in ("CartPole-v1", "InvertedPendulum-v4")
)
RETURN = re.compile(r"episode \d: return ([-.\d]+), length (\d+)")


def typed(command: str, agent: Path, *more: str) -> list[str]:
    return [command, str(agent), "--env", GUSTY.env_id, "--wrapper", *GUSTY.wrappers, "--seed", "4", *more]


def test_an_agent_refuses_numbers_that_a_training_refuses_and_takes_no_rows_at_all() -> None:
    agent = load_agent("zoo:CartPole-v1")
    assert agent.act(np.zeros((0, 4))).shape == (0,)
    for odd, said in ((np.nan, "the observation has NaN"), (np.inf, "the observation has Inf")):
        with pytest.raises(DataError, match=said):
            agent.act([0.0, odd, 0.0, 0.0])
    with pytest.raises(DataError, match="the observation in row 1 has NaN"):
        agent.act([[0.0] * 4, [0.0, 0.0, np.nan, 0.0]])


def test_what_draws_from_global_streams_and_remembers_plays_alike_at_every_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = untrained(tmp_path, GUSTY.env_id, GUSTY.wrappers)
    agent = load_agent(path)
    expected = [
        (f"{episode.episode_return:.2f}", str(episode.length))
        for episode in measure(agent, GUSTY, 3, seed=4)["deterministic"]
    ]
    doors = (["play", "--headless"], ["record", "--out", str(tmp_path / "x.gif")], ["play", "--headless"])
    for door in doors:
        random.random()  # somebody else draws, too
        capsys.readouterr()
        assert main(typed(door[0], path, "--episodes", "3", *door[1:])) == 0
        told = capsys.readouterr()
        assert RETURN.findall(told.out) == expected, door
        assert "draws from random" in told.err
        assert "remembers earlier episodes" in told.err


def test_what_draws_from_global_streams_and_remembers_is_watched_alike(tmp_path: Path) -> None:
    agent = load_agent(untrained(tmp_path, SIMULATED.env_id, SIMULATED.wrappers))

    def watched(steps: int) -> list[float]:
        session = Session(agent, SIMULATED, make_environment, seed=7)
        returns, poses = [], []
        for _ in range(steps):
            session.step()
            returns.append(session.numbers.episode_return)
            poses.append(session.motion.at(1.0).qpos.copy())
        assert session.episodes > 1
        assert len({pose.tobytes() for pose in poses[-120:]}) > 9  # of the newest environment
        session.close()
        return returns

    one = watched(250)
    random.random()
    assert watched(250) == one


def test_nothing_is_said_of_a_resume_where_nothing_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_id = "tests.environments:OddEntropic-v0"
    assert main(["play", str(untrained(tmp_path, env_id)), "--env", env_id, "--headless"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert f"{env_id}: its episodes do not repeat with the same seed" in told
    assert not [line for line in told if "resume" in line]


# What shares something, or can be made once at a time.


@pytest.mark.parametrize("kind", [Sharing, Once])
def test_what_cannot_live_beside_its_like_is_evaluated_one_after_the_other(
    kind: type[gymnasium.Env[np.ndarray, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_id = f"tests.environments:Odd{kind.__name__}-v0"
    path = untrained(tmp_path, env_id)
    assert main(["evaluate", str(path), "--env", env_id, "--episodes", "5"]) == 0
    told = capsys.readouterr()
    assert "its episodes are played one after the other" in told.err
    means = [float(line.split()[1]) for line in told.out.splitlines()[2:]]
    assert means == [120.0 if kind is Sharing else 0.0] * 2  # each step pays its number


# The spaces of the agent.


def image(high: float, dtype: str = "float32", box: tuple[int, ...] = (40, 40, 3)) -> spaces.Box:
    return spaces.Box(0, high, box, np.dtype(dtype).type)


@pytest.mark.parametrize(
    ("space", "seen"),
    [
        (image(255.0), ImageObservation((40, 40, 3), 0, "float32", 0.0, 255.0)),
        (image(1.0), ImageObservation((40, 40, 3), 0, "float32", 0.0, 1.0)),
        (image(9.0), ImageObservation((40, 40, 3), 0, "float32", 0.0, 9.0)),
        (image(255.0, "uint8"), ImageObservation((40, 40, 3), 0, "uint8", 0.0, 255.0)),
        (image(1.0, box=(48, 40, 3)), ImageObservation((48, 40, 3), 0, "float32", 0.0, 1.0)),
        (spaces.Box(-np.inf, np.inf, (40, 40, 3)), BoxObservation((40, 40, 3), "float32")),
    ],
)
def test_what_an_agent_saw_never_stands_for_what_a_space_declares(space: spaces.Box, seen: Seen) -> None:
    trained = observation_of(image(1.0), "X")
    assert isinstance(trained, ImageObservation)
    assert observation_of(space, "X", trained) == seen
    within = observation_of(spaces.Dict({"eye": space}), "X", GroupObservation(("eye",), (trained,)))
    assert within == GroupObservation(("eye",), (seen,))


class Bright(gymnasium.ObservationWrapper[np.ndarray, int, np.ndarray]):
    """Shows pictures whose white is what it is told."""

    def __init__(self, env: gymnasium.Env[np.ndarray, int], white: float) -> None:
        super().__init__(env)
        self.observation_space = image(white)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return np.zeros((40, 40, 3), np.float32)


@pytest.mark.parametrize("door", [
    lambda agent, spec: backend_for(agent, spec),
    lambda agent, spec: measure(agent, spec, 1, 0),
    lambda agent, spec: Session(agent, spec, make_environment),
])  # fmt: skip
def test_an_agent_that_was_trained_on_fractions_is_refused_for_bytes(
    door: Callable[[object, EnvironmentSpec], object], tmp_path: Path
) -> None:
    one, other = ((f"tests.commands.test_acting:Bright(white={white})",) for white in (1, 255))
    agent = load_agent(untrained(tmp_path, "InvertedPendulum-v4", one))
    backend_for(agent, EnvironmentSpec("InvertedPendulum-v4", one)).close()
    with pytest.raises(LoadError, match=r"observation bounds 0\.\.1, here 0\.\.255"):
        door(agent, EnvironmentSpec("InvertedPendulum-v4", other))
