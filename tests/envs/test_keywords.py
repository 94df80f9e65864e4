"""Arguments of environments and wrappers: what is given is what the environment does, in every command; never code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import configure, load, train
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.keywords import split_list
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import Failure, LoadError, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.cli import main
from baselines_ppo.run.parser import converter
from tests.runs import flags, forget


class Paying(gymnasium.Env[np.ndarray, Any]):
    """Pays what it was told to, once in each of so many steps."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, wage: float = 1.0, steps: int = 4, names: tuple[str, ...] = ()) -> None:
        self.wage, self.steps = wage, steps

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.taken = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        return np.zeros(2, np.float32), self.wage, self.taken == self.steps, False, {}


class Bonus(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays more."""

    def __init__(self, env: gymnasium.Env[Any, Any], each: float, factors: tuple[float, ...] = ()) -> None:
        super().__init__(env)
        self.each, self.factors = each, factors

    def step(self, action: Any) -> Any:
        observation, reward, *ends = self.env.step(action)
        return observation, float(np.prod([float(reward) + self.each, *self.factors])), *ends


gymnasium.register("Paying-v0", f"{__name__}:Paying")
ENV, BONUS = f"{__name__}:Paying-v0", f"{__name__}:Bonus"
MODULES = ("--env", ENV)


def trained(folder: Path, *words: str) -> Path:
    line = (*flags(ENV, "ppo2", 1, num_envs=2), "--hidden-sizes", "4", "--logdir", folder)
    assert main([*map(str, line), *words]) == 0
    return folder


def returns(run: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[float, float]:
    """Return mean return and length of three evaluated episodes."""
    capsys.readouterr()
    assert main(["evaluate", str(run), "--episodes", "3", *words]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("deterministic"))
    return float(line.split()[1]), float(line.split()[-1])


@pytest.mark.usefixtures("stub")
def test_an_environment_is_what_its_arguments_say_in_training_evaluating_and_playing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "run", "--env-kwargs", '{"wage": 2.5, "steps": 8}')
    assert "Paying-v0 steps=8 wage=2.5: 1 rank" in capsys.readouterr().out
    assert checkpoint.find(run)[0].manifest["mean_return"] == 20.0
    assert json.loads((run / "config.json").read_text())["env_kwargs"] == '{"steps": 8, "wage": 2.5}'
    assert load(str(run)).env_kwargs == '{"steps": 8, "wage": 2.5}'
    assert returns(run, capsys, *MODULES) == (20.0, 8.0)
    assert returns(run, capsys, *MODULES, "--env-kwargs", '{"wage": 3}') == (12.0, 4.0)
    assert returns(run, capsys, *MODULES, "--env-kwargs", "none") == (4.0, 4.0)
    assert main(["play", str(run), *MODULES, "--headless"]) == 0
    assert "return 20.00, length 8" in capsys.readouterr().out


@pytest.mark.usefixtures("stub")
def test_a_wrapper_gets_what_is_in_its_brackets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bonus = f"{BONUS}(each=0.5, factors=(2, 3.0))"
    run = trained(tmp_path / "run", "--wrapper", f"{bonus},gymnasium.wrappers:TimeLimit(max_episode_steps=3)")
    assert load(str(run)).wrappers == (
        f"{BONUS}(each=0.5,factors=(2, 3.0))",
        "gymnasium.wrappers:TimeLimit(max_episode_steps=3)",
    )
    assert checkpoint.find(run)[0].manifest["mean_return"] == 3 * 9.0
    forget()
    with pytest.raises(LoadError, match=r"if you trust it, add --"):
        main(["evaluate", str(run)])
    assert returns(run, capsys, *MODULES) == (27.0, 3.0)  # which names the wrapper's module, too
    assert returns(run, capsys, *MODULES, "--wrapper", bonus) == (36.0, 4.0)


@pytest.mark.usefixtures("stub")
def test_a_resume_compares_arguments_by_what_they_mean(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "--env-kwargs", '{"wage": 2.5, "steps": 8}', "--wrapper", f"{BONUS}(each=1)")
    again = ["--resume", str(run), *MODULES, "--wrapper", f"{BONUS}( each = 1 )", "--num-timesteps", "128"]
    assert main([*again, "--env-kwargs", '{"steps":8,"wage":2.5}']) == 0
    with pytest.raises(UsageError, match="another configuration: env_kwargs"):
        main([*again, "--env-kwargs", '{"steps": 8, "wage": 2}'])


@pytest.mark.usefixtures("stub")
def test_equal_numbers_are_equal_at_a_resume_and_the_run_keeps_its_own(tmp_path: Path) -> None:
    """A truth is no number, though Python takes it for one."""
    run = trained(tmp_path / "run", "--env-kwargs", '{"wage": 1, "steps": 8.0}', "--wrapper", f"{BONUS}(each=2)")
    again = ["--resume", str(run), *MODULES, "--num-timesteps", "128"]
    with pytest.raises(UsageError, match="another configuration: env_kwargs"):
        main([*again, "--env-kwargs", '{"wage": true, "steps": 8}', "--wrapper", f"{BONUS}(each=2)"])
    with pytest.raises(UsageError, match="another configuration: wrapper"):
        main([*again, "--env-kwargs", '{"wage": 1, "steps": 8}', "--wrapper", f"{BONUS}(each='2')"])
    assert main([*again, "--env-kwargs", '{"wage": 1.0, "steps": 8}', "--wrapper", f"{BONUS}(each=2.0)"]) == 0
    assert load(str(run)).env_kwargs == '{"steps": 8.0, "wage": 1}'
    assert load(str(run)).wrappers == (f"{BONUS}(each=2)",)


def test_a_mujoco_robot_steps_as_often_as_it_is_told() -> None:
    for skip in (2, 5):
        backend = make_backend(EnvironmentSpec("HalfCheetah-v5", keywords={"frame_skip": skip}), 1)
        assert backend.environments[0].unwrapped.dt == pytest.approx(0.01 * skip)  # type: ignore[attr-defined]
        backend.close()


def test_configurations_in_python_take_a_mapping() -> None:
    config = configure("X", env_kwargs={"b": [1, 2], "a": None})
    assert config == configure("X", env_kwargs='{"a":null,"b":[1,2]}')
    with pytest.raises(UsageError, match="in your own function"):
        train(configure("X", env_kwargs={"a": 1}), environment=Paying)


def test_the_commas_of_a_list_are_those_outside_of_brackets_and_quotes() -> None:
    read = converter(tuple[str, ...])
    assert read("a:B,c:D(x=(1, 2),y={'k': [3,4]},z='p,q)'),e:F") == (
        "a:B", "c:D(x=(1, 2),y={'k': [3,4]},z='p,q)')", "e:F",
    )  # fmt: skip
    assert split_list(" 64, 32") == ["64", "32"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--env-kwargs", "wage:2"), "expected JSON such as '{\"frame_skip\": 2}'"),
        (("--env-kwargs", "[1]"), "expected JSON such as"),
        (("--env-kwargs", '{"wage": NaN}'), "is no number, word, list or object of these"),
        (("--env-kwargs", '{"render_mode": "human"}'), "render_mode is not for users to give"),
        (("--env-kwargs", '{"a b": 1}'), "'a b' is not the name of an argument"),
        (("--env-kwargs", '{"frame_skip": 2}'), "Paying-v0 takes no frame_skip by --env-kwargs"),
        (("--wrapper", f"{BONUS}(each=__import__('os'))"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(each=lambda x: x)"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(0.5)"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(**{{'each': 1}})"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(each=1"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(each=1)(2)"), "expected module:Class"),
        (("--wrapper", f"{BONUS}(wage=1)"), "does not take this environment"),
    ],
)
def test_what_is_no_plain_value_is_one_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        trained(tmp_path / "run", *words)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


FORGED: list[tuple[dict[str, Any], bool]] = [
    ({"env_kwargs": '{"frame_skip": 2}'}, True),
    ({"env_kwargs": '{"map_name": "8x8", "desc": ["SF", "FG"]}'}, True),
    ({"env_kwargs": '{"xml_file": "robot"}'}, False),
    ({"env_kwargs": '{"a": {"b": ["/etc/passwd"]}}'}, False),
    ({"env_kwargs": '{"a": "../x"}'}, False),
    ({"env_kwargs": '{"a": "x.xml"}'}, False),
    ({"env_kwargs": "{"}, False),
    ({"env_kwargs": [1]}, False),
    ({"wrapper": ["gymnasium.wrappers:TimeLimit(max_episode_steps=7)"]}, True),
    ({"wrapper": ["gymnasium.wrappers:RecordVideo(video_folder='here')"]}, False),
    ({"wrapper": ["gymnasium.wrappers:TimeLimit(max_episode_steps=print(7))"]}, False),
    ({"wrapper": ["gymnasium.wrappers:TimeLimit(7)"]}, False),
    ({"wrapper": ["os:system(command='ls')"]}, False),
]


@pytest.mark.parametrize(("forged", "taken"), FORGED, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("command", ["evaluate", "play", "record"])
def test_a_file_names_no_other_file_and_no_code(
    forged: dict[str, Any], taken: bool, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be taken reaches the environment; what may not is refused before anything is made."""
    found = checkpoint.find("zoo:CartPole-v1")[0]
    checkpoint.save(tmp_path, "agent", {**found.manifest, **forged}, found.arrays)
    made = []

    def trying(spec: EnvironmentSpec) -> Any:
        made.append((list(spec.wrappers), spec.keywords))
        raise UsageError("far enough")

    monkeypatch.setattr("baselines_ppo.run.agents.acting.try_out_spec", trying)
    more = {"play": ["--headless"], "record": ["--out", str(tmp_path / "x.gif")], "evaluate": []}[command]
    with pytest.raises(Failure) as raised:
        main([command, str(tmp_path / "agent"), *more])
    wrapper, kwargs = forged.get("wrapper", []), forged.get("env_kwargs", "{}")
    assert made == ([(wrapper, json.loads(kwargs))] if taken else [])
    assert isinstance(raised.value, UsageError if taken else LoadError), raised.value


def test_agents_of_before_there_were_arguments_have_none() -> None:
    agent = load_agent("zoo:CartPole-v1")
    assert agent.env_kwargs == ""
    assert make_environment(EnvironmentSpec(agent.env_id, agent.wrappers)).spec is not None
