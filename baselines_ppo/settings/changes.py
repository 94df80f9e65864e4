"""What a resumed run may change of its configuration, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from baselines_ppo.common.envs.keywords import same_meaning
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.settings.config import TrainConfig, all_fields, from_json, renamed, with_fields

# What may differ from a checkpoint's configuration when it is resumed: what changes the steps to come, what does not.
OVERRIDABLE = (
    "learning_rate", "learning_rate_schedule", "value_learning_rate", "clip_range", "clip_range_schedule", "schedule",
    "entropy_coef", "kl_target", "kl_stop", "num_epochs", "max_grad_norm", "env_restarts",
)  # fmt: skip
CHANGING = ("num_timesteps", "num_envs")
HARMLESS = (
    "save_interval", "eval_interval", "eval_episodes", "film_interval", "name", "progress", "log_interval", "track",
    "timeout", "grace",
)  # fmt: skip


def changes_of(config: TrainConfig, stored: Checkpoint, override: tuple[str, ...]) -> dict[str, str]:
    """Return what differs from a checkpoint's configuration, by field in words; refuse what would be another run.

    Args:
      override: names of what may differ because the user says so.

    Raises:
      UsageError: a field differs that may not, or is overridden and changes nothing.
    """
    now = {item.name: value for _, item, value in all_fields(config)}
    allowed = [name for name in OVERRIDABLE if name in now]
    override = tuple(renamed(config).get(name, name) for name in override)
    if unsafe := [name for name in override if name not in allowed]:
        raise UsageError(f"--override {', '.join(unsafe)}: what may be changed is {', '.join(allowed)} of {config.alg}")
    before = {item.name: value for _, item, value in all_fields(configuration_in(stored))}
    changes = {name: f"{name} {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]}
    differing = [name for name in changes if name not in CHANGING + HARMLESS + override]
    if differing:
        words = "; ".join(changes[name] for name in differing)
        safe = ",".join(name for name in differing if name in allowed)
        raise UsageError(
            f"cannot resume {stored.path} with another configuration: {words}; leave these flags out, "
            f"{f'add --override {safe}, ' if safe else ''}or begin a new run with --load-path"
        )
    for name, reason in config.algorithm.without_effect().items():
        if name in changes:
            raise UsageError(f"--override {name} would change nothing: {reason}")
    return {name: words for name, words in changes.items() if name not in HARMLESS}


def changed_on_the_way(config: TrainConfig, settings: Mapping[str, Any]) -> TrainConfig:
    """Return a configuration with settings that a training may change while it goes on.

    Raises:
      UsageError: one may not be changed, has no such value, or changes nothing.
    """
    today = {renamed(config).get(name, name): value for name, value in settings.items()}
    names = {item.name for section, item, _ in all_fields(config) if section == "algorithm"}
    allowed = [name for name in OVERRIDABLE if name in names]
    if unsafe := [name for name in today if name not in allowed]:
        raise UsageError(f"{', '.join(unsafe)} cannot be changed on the way; of {config.alg} {', '.join(allowed)} can")
    changed = with_fields(config, **today)
    for name, reason in changed.algorithm.without_effect().items():
        if name in today:
            raise UsageError(f"{name} would change nothing: {reason}")
    return changed


def as_changed(
    config: TrainConfig, stored: Checkpoint, override: tuple[str, ...]
) -> tuple[TrainConfig, dict[str, Any]]:
    """Return the configuration that a resumed run goes on with, where it changed its settings on the way.

    Whoever gives what the run began with gets what it had come to; what is overridden is as it is given.

    Returns:
      The configuration, and what the run began with, by field that was changed and still is.

    Raises:
      LoadError: the checkpoint says nonsense of it.
    """
    if (began := stored.manifest.get("changed")) is None:
        return config, {}
    before = {item.name: value for _, item, value in all_fields(configuration_in(stored))}
    given = {item.name: value for _, item, value in all_fields(config)}
    if not isinstance(began, dict) or not {*began} <= {*OVERRIDABLE} & {*before}:
        raise LoadError(f"{stored.path}: what it says of changed settings makes no sense")
    kept = {name: value for name, value in began.items() if name not in override and given.get(name) == value}
    same = {name: value for name, value in began.items() if name not in override and given.get(name) == before[name]}
    return with_fields(config, **{name: before[name] for name in kept}), {**kept, **same}


def configuration_in(stored: Checkpoint) -> TrainConfig:
    """Return the configuration that a checkpoint's run had.

    Raises:
      UsageError: see `from_json`.
    """
    return from_json(stored.manifest.get("config", {}))


def in_stored_words(config: TrainConfig, stored: Checkpoint) -> TrainConfig:
    """Return a configuration whose arguments of environment and wrappers are written as a checkpoint's, if equal.

    2 and 2.0 are equal, but not the same to whoever is given them: the run goes on with what it began with.
    """
    before = configuration_in(stored)
    kept = {
        name: getattr(before, name)
        for name in ("env_kwargs", "wrapper")
        if same_meaning(name, getattr(before, name), getattr(config, name))
    }
    return replace(config, **kept)


def moved_schedules(config: TrainConfig, before: TrainConfig, steps: int) -> str:
    """Return in words how another number of steps moves the linear schedules of a run that goes on; '' if it does not.

    Args:
      steps: that are made.
    """
    was, now = (linear_values(one, steps) for one in (before, config))
    names = [name for name in now if name in was]
    if config.num_timesteps == before.num_timesteps or not names or steps >= config.num_timesteps:
        return ""
    values = ", ".join(f"{name} {was[name]:.4g} -> {now[name]:.4g}" for name in names)
    return (
        f"schedules that fall linearly now end at {config.num_timesteps:,} steps instead of {before.num_timesteps:,}; "
        f"from here on: {values}"
    )


def linear_values(config: TrainConfig, steps: int) -> dict[str, float]:
    """Return what falls linearly to 0 during a run, by field, as it is after so many steps."""
    progress = min(steps / config.num_timesteps, 1.0)
    return {name: config.algorithm.value_at(name, progress) for name in config.algorithm.falling()}
