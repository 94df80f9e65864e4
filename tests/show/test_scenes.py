"""What is in a picture: robots, flags and floors where they should be."""

from __future__ import annotations

import numpy as np
import pytest

from tests.show.test_record import drawn

BROWN = """
import gymnasium, numpy as np
from baselines_ppo.run.show.pictures import Pictures
environment = gymnasium.make("HalfCheetah-v4", render_mode="rgb_array")
environment.reset(seed=0)
pictures = Pictures(lambda: environment, "HalfCheetah-v4", 160, 128)
inner = environment.unwrapped
for place in (0.0, 50.0):
    inner.set_state(np.array([place, *inner.data.qpos[1:]]), inner.data.qvel)
    red, green, blue = pictures.picture(pictures.drawn()).astype(int).transpose(2, 0, 1)
    print(int(((red > green + 15) & (green > blue + 15)).sum()))
"""


def test_gymnasiums_robots_do_not_run_out_of_the_picture() -> None:
    start, far = map(int, drawn(BROWN))
    assert start > 100
    assert far == pytest.approx(start, rel=0.2)


FLAG = """
import gymnasium, numpy as np
from baselines_ppo.zoo.rendering import Camera
environment = gymnasium.make("baselines_ppo.zoo:RoboHumanoidFlagrun-v1").unwrapped
environment.reset(seed=0)
camera = Camera(environment.vector.task, 160, 128)
def red():
    red, green, blue = camera.picture(0).astype(int).transpose(2, 0, 1)
    return int(((red > 90) & (green < 60) & (blue < 60)).sum())
environment.set_target(0, 3.0, 0.0)
print(red())
environment.set_target(0, -3.0, 0.0)
environment.step(np.zeros(17))
print(red())
for step in range(180):
    environment.step(np.zeros(17))
    if step % 5 == 0:
        seen = red()
        if step >= 150:
            print(seen)
"""


def test_the_flag_is_in_the_picture_after_a_while_wherever_it_appears() -> None:
    ahead, at_once, *later = map(int, drawn(FLAG))
    assert ahead > 20
    assert at_once == 0  # behind the camera, which does not jump
    assert min(later) > 20


LOWEST = """
import numpy as np, mujoco
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.run.show.simulated import simulated
from baselines_ppo.zoo.bodies.body import Solids
agent = load_agent("zoo:RoboHumanoid-v1")
environment = make_environment(EnvironmentSpec(agent.env_id))
model, read, *_ = simulated(lambda: environment, agent.env_id)
data = mujoco.MjData(model)
solids = Solids(model, np.flatnonzero(model.geom_group == 0))
observation, _ = environment.reset(seed=0)
for _ in range(200):
    read(data)
    print(solids.lowest(data))
    observation = environment.step(agent.act(observation))[0]
"""


def test_feet_are_on_the_floor_neither_in_it_nor_above() -> None:
    heights = np.array(list(map(float, drawn(LOWEST))))
    assert heights.min() > -0.03
    assert heights.max() < 0.15
    assert (np.abs(heights) < 0.015).mean() > 0.5
