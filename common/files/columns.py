"""The columns of the log: which of them belong together."""

from __future__ import annotations

TIME_SHARES = ("environments", "acting", "learning")
EPISODES_SAY = ("success_rate", "flags_reached", "stood_up_rate", "seconds_to_stand")  # in `info`
SPENT = ("iteration", "total_steps", "updates", "seconds", "steps_per_second", "sent_mb", "memory_mb")


def group_of(name: str) -> str:
    """Return to what a column belongs: what is collected (rollout), evaluated, learned (train) or spent (time)."""
    if name.startswith("eval_"):
        return "eval"
    if name.startswith("episode") or name in EPISODES_SAY:
        return "rollout"
    return "time" if name in SPENT or name.endswith("_share") else "train"


def tag(name: str) -> str:
    """Return what trackers call a column, such as rollout/episode_return."""
    return f"{group_of(name)}/{name}"
