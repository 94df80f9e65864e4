"""What is tried: every setting can be trained, can be typed, and the one to begin with is among them."""

from __future__ import annotations

import shlex
from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial

import baselines_ppo
from baselines_ppo import Choice, LogUniform, TrainConfig, Uniform, configure
from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.tuning.candidates import Spaces, candidate, settings_of, spaces_of
from baselines_ppo.experiments.tuning.report import command, preset
from baselines_ppo.experiments.tuning.search import codes_of
from baselines_ppo.run import cli
from baselines_ppo.run.tuning import dimension_of
from baselines_ppo.settings import algorithms, config, search_spaces
from baselines_ppo.settings.config import TEXTBOOK, with_fields
from baselines_ppo.settings.preset import Preset
from baselines_ppo.settings.presets import PRESETS
from baselines_ppo.settings.search_spaces import SEARCH_SPACES, Dimension, search_space

DRAWS = 40
ENVS = ("CartPole-v1", "Pendulum-v1")


def drawn(space: tuple[Dimension, ...], draws: int) -> list[dict[str, Any]]:
    """Return some settings of a space, drawn as a search does at first."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [study.ask() for _ in range(draws)]
    return [{dimension.field: dimension.draw(trial) for dimension in space} for trial in trials]


def given(trial_of: TrainConfig, space: tuple[Dimension, ...]) -> dict[str, Any]:
    """Return what a trial draws that is told to have a configuration's own setting."""
    trial = FixedTrial(codes_of(trial_of, space))
    return {dimension.field: dimension.draw(trial) for dimension in space}


@pytest.fixture(scope="module", params=ENVS)
def spaces(request: pytest.FixtureRequest) -> tuple[str, Spaces]:
    return request.param, spaces_of(configure(request.param))


@pytest.mark.parametrize("alg", SEARCH_SPACES)
def test_every_setting_can_be_trained_typed_and_kept_as_a_preset(alg: str, spaces: tuple[str, Spaces]) -> None:
    env, found = spaces
    base = configure(env, alg)
    space = search_space(base, continuous=found.continuous)
    assert ("init_log_std" in [dimension.field for dimension in space]) == (env == "Pendulum-v1")
    names = {**vars(baselines_ppo), **vars(algorithms), **vars(config), "Preset": Preset}
    for setting in drawn(space, DRAWS):
        chosen, refused = candidate(base, setting, found)
        assert not refused
        words = shlex.split(command(chosen))[3:]
        typed = vars(cli.parser("train", words).parse_args(words))
        fields = {name: value for name, value in typed.items() if name in settings_of(chosen)}
        assert configure(**{"alg": "ppo2", **fields}) == chosen
        made: dict[str, Any] = {}
        exec(preset(chosen, "why"), names, made)
        assert with_fields(made["TUNED"].config, env=env) == chosen and made["TUNED"].source == "why"
        assert max(map(len, preset(chosen, "why").splitlines())) <= 120


def test_every_algorithm_and_every_preset_lies_in_its_space() -> None:
    assert set(SEARCH_SPACES) == set(TEXTBOOK)
    for alg, by_env in PRESETS.items():
        for base in (TEXTBOOK[alg], *(entry.config for entry in by_env.values())):
            setting = given(base, search_space(base))
            assert setting == {name: settings_of(base)[name] for name in setting}


def test_numbers_are_short_within_their_range_and_drawn_by_factors_where_that_is_meant() -> None:
    by_factors, evenly = LogUniform("learning_rate", 1e-5, 1e-1), Uniform("gae_lambda", 0.123456, 1.0)
    found = drawn((by_factors, evenly), 400)
    for setting in found:
        assert 1e-5 <= setting["learning_rate"] <= 1e-1 and 0.123456 <= setting["gae_lambda"] <= 1.0
        digits = f"{setting['learning_rate']:e}".partition("e")[0].replace(".", "").rstrip("0")
        assert len(digits) <= 3
    assert 0.4 < sum(setting["learning_rate"] < 1e-3 for setting in found) / 400 < 0.6  # the middle of four decades
    assert 0.4 < sum(setting["gae_lambda"] < 0.56 for setting in found) / 400 < 0.6


def test_minibatches_fit_the_steps_or_with_a_memory_the_environments(spaces: tuple[str, Spaces]) -> None:
    env, found = spaces
    odd = {"num_envs": 6, "num_steps": 100, "num_minibatches": 64}
    assert candidate(configure(env, preset="none"), odd, found).config.num_minibatches == 50
    recurrent = configure(env, preset="none", network="lstm")
    assert candidate(recurrent, {**odd, "num_minibatches": 4}, found).config.num_minibatches == 3


def test_what_cannot_be_trained_is_refused_with_the_reason(spaces: tuple[str, Spaces]) -> None:
    env, found = spaces
    refused = candidate(configure(env, "ppo_kl"), {"network": "lstm"}, found).refused
    assert "ppo_kl takes networks without memory here, not lstm" in refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=1e-4..1e-2", LogUniform("learning_rate", 1e-4, 1e-2)),
        ("learning-rate=0.001..0.002", Uniform("learning_rate", 0.001, 0.002)),
        ("init_log_std=-1..0.5", Uniform("init_log_std", -1.0, 0.5)),
        ("gamma=.9..1", Uniform("gamma", 0.9, 1.0)),
        ("gamma=0.99,0.9", Choice("gamma", 0.9, 0.99)),
        ("num_steps=100..600", Choice("num_steps", 128, 256, 512)),
        ("lstm_size=3..6", Choice("lstm_size", 3, 4, 5, 6)),
        ("hidden_sizes=64-64,none", Choice("hidden_sizes", (64, 64), None)),
        ("hidden_sizes=none,empty", Choice("hidden_sizes", None, ())),
        ("normalize_returns=true,false", Choice("normalize_returns", True, False)),
        ("kl_stop=none,0.02", Choice("kl_stop", None, 0.02)),
    ],
)
def test_a_space_can_be_typed(text: str, expected: Dimension) -> None:
    found = dimension_of(text, configure("Pendulum-v1"))
    assert (type(found), found.words(), found.field) == (type(expected), expected.words(), expected.field)
    assert vars(found) == vars(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat=1e-4..1e-2", r"unknown field learning_rat of ppo2 \(did you mean learning_rate"),
        ("seed=1,2", "seed cannot be tried: it says what is trained"),
        ("learning_rate", "expected FIELD=LOW..HIGH or FIELD=A,B,C"),
        ("learning_rate=1e-2..1e-4", "expected a lower and a higher number"),
        ("learning_rate=fast..slow", "fast is no float"),
        ("learning_rate=1e-4...1e-2", "expected two dots"),
        ("activation=tanh..relu", "activation has no range; give its values"),
        ("num_epochs=50..1000", "these are too many values"),
        ("num_epochs=1.5,2", "1.5 is no int"),
        ("gamma=0.9..2", "--gamma is 2.0, expected at most 1"),
        ("activation=tanh,tan", r"--activation is 'tan' \(did you mean tanh\?\); choose from tanh, relu"),
    ],
)
def test_a_wrong_space_is_refused_in_one_line(text: str, message: str) -> None:
    base = configure("Pendulum-v1")
    with pytest.raises(UsageError, match=message) as raised:
        search_space(base, [dimension_of(text, base)])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("dimension", "message"),
    [
        (LogUniform("entropy_coef", 0.0, 0.01), "entropy_coef is tried from 0 to 0.01, expected a rise, above 0"),
        (Uniform("gamma", 1.0, 0.9), "gamma is tried from 1 to 0.9, expected a rise"),
        (Choice("gamma"), "gamma has no values to try"),
        (Uniform("num_epochs", 1, 5), "num_epochs has no range of real numbers"),
    ],
)
def test_a_wrong_space_of_python_is_refused_too(dimension: Dimension, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search_space(configure("Pendulum-v1"), [dimension])


def test_a_field_that_is_given_is_not_tried() -> None:
    base = configure("Pendulum-v1")
    assert "gamma" not in [dimension.field for dimension in search_space(base, fixed=["gamma"])]
    with pytest.raises(UsageError, match="gamma is both fixed and to be tried"):
        search_space(base, [search_spaces.Uniform("gamma", 0.9, 0.99)], ["gamma"])
    tried = [dimension.field for dimension in search_spaces.SEARCH_SPACES["ppo2"]]
    with pytest.raises(UsageError, match="there is nothing to try"):
        search_space(base, fixed=tried)
