"""`--config`: what a file says counts as if it were typed, what is typed counts more, what is wrong has its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.run import cli, config_file
from baselines_ppo.run.config_file import read, with_file
from baselines_ppo.settings.config import TEXTBOOK, all_fields, to_json

FLAT = 'env = "CartPole-v1"\nnum_timesteps = 2.5e6\nhidden-sizes = [16, 8]\nactivation = "none"\ntrack = "none"\n'
EXPECTED = {"env": "CartPole-v1", "num_timesteps": 2_500_000, "hidden_sizes": (16, 8), "activation": None, "track": ()}


def toml(folder: Path, text: str) -> str:
    (folder / "small.toml").write_text(text)
    return str(folder / "small.toml")


@pytest.mark.parametrize("text", [FLAT, FLAT.replace("hidden", "[policy]\nhidden").replace('track = "none"\n', "")])
def test_names_may_be_in_their_sections_or_not(text: str, tmp_path: Path) -> None:
    found = read(toml(tmp_path, text))
    assert found == {name: EXPECTED[name] for name in found}
    assert len(found) >= 4


@pytest.mark.parametrize("alg", TEXTBOOK)
def test_the_record_of_a_run_is_read_as_it_was_written(alg: str, tmp_path: Path) -> None:
    config = configure("CartPole-v1", alg, num_envs=4, seed=3, env_kwargs='{"sutton_barto_reward": true}')
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**to_json(config), "ranks": 2, "platform": {"python": "3"}, "command": ["x"]}))
    assert configure(**read(str(path))) == config
    assert config_file.algorithm_in(str(path)) == alg


def test_what_is_typed_counts_more(tmp_path: Path) -> None:
    path = toml(tmp_path, 'env = "CartPole-v1"\nalg = "trpo"\nseed = 1\npreset = "none"\ncg_steps = 7\n')
    typed: dict[str, Any] = {"config": path, "seed": 2, "preset": None}
    assert with_file(typed) == {"env": "CartPole-v1", "alg": "trpo", "seed": 2, "preset": "none", "cg_steps": 7}
    other = with_file({**typed, "alg": "ppo2"})
    assert "cg_steps" not in other  # which ppo2 has not
    parsed = vars(cli.parser("train", ["--config", path]).parse_args(["--config", path, "--cg-steps", "3"]))
    assert with_file(parsed)["cg_steps"] == 3


WRONG = [
    ("seed = 1\nlerning_rate = 1\n", r"small.toml, line 2: unknown setting lerning_rate \(did you mean learning_rate"),
    (
        "\n\nbatch_size = 64\n",
        r"line 3: unknown setting batch_size; ours is num_minibatches = num_envs x num_steps / ba",
    ),
    ("[rolout]\nnum_envs = 1\n", r"line 1: unknown section rolout \(did you mean rollout\?\)"),
    ("gamma = 0.9\n[rollout]\ngamma = 0.99\n", "line 3: gamma is set twice"),
    ("num_envs = 4\nnum-envs = 16\n", "line 2: num-envs is set twice"),
    ('num_envs = "many"\n', "line 1: num_envs is many, expected int"),
    ('env = ["CartPole-v1"]\n', r"line 1: --env is \['CartPole-v1'\], expected str"),
    ("env = 3\n", "line 1: --env is 3, expected str"),
    ("\ngamma = 2\n", "line 2: --gamma is 2, expected at most 1"),
    ("env_kwargs = {a = 1979-05-27}\n", "line 1: env_kwargs holds what JSON does not"),
    ('alg = "ppo3"\n', "line 1: unknown algorithm ppo3; known: "),
    ("seed = = 1\n", "small.toml is no TOML: .*line 1"),
    ('[rollout]\nnum_envs = 2\n[policy]\nseed = 1\nnum_envs = "x"\n', "line 5: num_envs is x, expected int"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        read(toml(tmp_path, text))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["seed = 1\n", 'alg = "trpo"\n'])
def test_an_unknown_algorithm_that_was_typed_is_no_fault_of_the_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^unknown algorithm foo; known: ppo1, ppo2"):
        cli.main(["--config", toml(tmp_path, text), "--alg", "foo"])


def test_a_file_may_begin_with_a_mark_and_have_a_table_of_arguments(tmp_path: Path) -> None:
    """Editors write UTF-8's byte order mark; TOML has tables for what is JSON in a flag."""
    text = '\ufeffenv = "CartPole-v1"\n[env_kwargs]\nsutton_barto_reward = true\n'
    assert read(toml(tmp_path, text)) == {"env": "CartPole-v1", "env_kwargs": '{"sutton_barto_reward": true}'}


def test_a_value_out_of_range_is_refused_as_if_it_were_typed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--gamma is 2, expected at most 1"):
        cli.main(["--config", toml(tmp_path, 'env = "CartPole-v1"\ngamma = 2\n')])


def test_the_record_of_a_strangers_run_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its user has written himself, in TOML, is as if it were typed."""
    (tmp_path / "strange.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**to_json(configure("strange:CartPole-v1")), "alg": "ppo2"}))
    with pytest.raises(LoadError, match="strange:CartPole-v1 is not one of Gymnasium's; if you trust it, add --env"):
        cli.main(["--config", str(tmp_path / "config.json"), "--logdir", str(tmp_path / "run")])


@pytest.mark.parametrize("name", ["a/b", "..", "x y", " ", "x" * 200])
def test_a_name_is_a_part_of_a_path(name: str) -> None:
    with pytest.raises(UsageError, match=r"name is|is empty"):
        cli.main(["--env", "CartPole-v1", "--name", name])


def test_every_setting_can_be_in_a_file(tmp_path: Path) -> None:
    for alg, config in TEXTBOOK.items():
        values = {item.name: value for _, item, value in all_fields(config) if value is not None}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        assert read(toml(tmp_path, "\n".join(lines))) == {**values, "alg": alg}
