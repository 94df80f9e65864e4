"""What a resumed run may change of its configuration, and in which words."""

from __future__ import annotations

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.settings.config import TrainConfig, all_fields, from_json

# What may differ from a checkpoint's configuration when it is resumed: what changes the steps to come, what does not.
OVERRIDABLE = (
    "learning_rate", "learning_rate_schedule", "value_learning_rate", "clip_range", "clip_range_schedule", "schedule",
    "entropy_coef", "kl_target", "target_kl", "num_epochs", "max_grad_norm", "env_restarts",
)  # fmt: skip
CHANGING, HARMLESS = ("num_timesteps", "num_envs"), ("save_interval", "log_interval", "timeout", "grace")


def changes_of(config: TrainConfig, stored: Checkpoint, override: tuple[str, ...]) -> dict[str, str]:
    """Return what differs from a checkpoint's configuration, by field in words; refuse what would be another run.

    Args:
      override: names of what may differ because the user says so.

    Raises:
      UsageError: a field differs that may not, or is overridden and changes nothing.
    """
    now = {item.name: value for _, item, value in all_fields(config)}
    allowed = [name for name in OVERRIDABLE if name in now]
    if unsafe := [name for name in override if name not in allowed]:
        raise UsageError(f"--override {', '.join(unsafe)}: what may be changed is {', '.join(allowed)} of {config.alg}")
    before = {item.name: value for _, item, value in all_fields(from_json(stored.manifest.get("config", {})))}
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
