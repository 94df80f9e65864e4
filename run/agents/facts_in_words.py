"""What environments say of episodes beside returns and lengths, in words."""

from __future__ import annotations

from collections.abc import Mapping

from baselines_ppo.common.envs.facts import MEANS
from baselines_ppo.zoo.card import Score

# Name in `info` -> the words for one episode, and for the mean over several.
WORDS = {
    "flags_reached": ("{:.0f} flags reached", "{:.1f} flags reached"),
    "is_success": (("no success", "success"), "{:.0%} success"),
    "stood_up": (("did not stand up in time", "stood up in time"), "{:.0%} stood up in time"),
    "seconds_to_stand": ("after {:.1f} s", "after {:.1f} s"),
}


def of_episode(facts: Mapping[str, float]) -> list[str]:
    """Return what is known of one episode."""
    known = [(of_one, facts[name]) for name, (of_one, _) in WORDS.items() if name in facts]
    return [of_one.format(value) if isinstance(of_one, str) else of_one[bool(value)] for of_one, value in known]


def of_score(score: Score) -> list[str]:
    """Return what is known of several episodes."""
    means = [(of_mean, getattr(score, MEANS[name])) for name, (_, of_mean) in WORDS.items()]
    return [of_mean.format(value) for of_mean, value in means if value is not None]
