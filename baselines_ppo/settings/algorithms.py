"""The algorithms' own fields, and what each says of itself to the rest of the program."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.settings.fields import option


@dataclass(frozen=True)
class AlgorithmConfig:
    """What the rest of the program asks an algorithm; the fields of a subclass are its flags.

    Each property may be a field of a subclass.
    """

    separate_networks: ClassVar[bool] = False  # policy and value function are fitted apart

    @property
    def without_memory(self) -> str | None:
        """What to do instead where no network with a memory is taken; None: all are."""
        return None if self.num_episodes is None else "a memory needs iterations of equal length"

    @property
    def num_episodes(self) -> int | None:
        """Episodes of one iteration over all environments; None: steps are counted."""
        return None

    @property
    def num_minibatches(self) -> int | None:
        """K, where an epoch is dealt into a fixed number of minibatches."""
        return None

    @property
    def split_minibatches(self) -> bool | None:
        """Whether the ranks share out each minibatch, or each learns from all of it; None: shared where it is large."""
        return True

    @property
    def value_minibatch_size(self) -> int | None:
        """Transitions of the value function's minibatches over all ranks, where they are not M."""
        return None

    @property
    def normalize_value_targets(self) -> bool:
        """Whether the value function predicts standardised targets."""
        return False

    def describe(self, minibatch_size: int | None) -> str:
        """Return what is done with an iteration's experience, for the banner.

        Args:
          minibatch_size: M, transitions of one of K minibatches over all ranks.
        """
        return "one update"

    def layers_for(self, inputs: int, outputs: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return the layers of policy and value function, where these follow from the sizes of what goes in and out."""
        return None

    def falling(self) -> tuple[str, ...]:
        """Return the fields whose values fall linearly to 0 during a run."""
        return ()

    def value_at(self, name: str, progress: float) -> float:
        """Return a field's value when a share of the run's steps is done, from 0 to 1."""
        value: float = getattr(self, name)
        return value * (1.0 - progress) if name in self.falling() else value

    def without_effect(self) -> dict[str, str]:
        """Return the fields that change nothing as the others are set, each with what would make it count."""
        return {}


def in_minibatches(num_epochs: int, num_minibatches: int, minibatch_size: int | None) -> str:
    """Return in words how often parameters are updated in an iteration."""
    parts = f"{counted(num_epochs, 'epoch')} x {counted(num_minibatches, 'minibatch', 'minibatches')}"
    return f"{counted(num_epochs * num_minibatches, 'update')} of {minibatch_size or 0:,} ({parts})"


@dataclass(frozen=True)
class PPO1Config(AlgorithmConfig):
    """Clipped PPO as in OpenAI Baselines ppo1; values from its run_mujoco.py."""

    num_minibatches: int = option(32, "K, per epoch; T / K steps of every environment make a minibatch", low=1)
    split_minibatches: bool | None = option(
        None, "share out each minibatch among the ranks; none: where they are large"
    )
    num_epochs: int = option(10, "E, passes over each iteration's experience", low=1)
    learning_rate: float = option(3e-4, "Adam's step size", above=0)
    clip_range: float = option(0.2, "epsilon of arXiv:1707.06347, equation 7", above=0)
    schedule: str = option(
        "linear", "how learning rate and clip range change over the run", choices=("constant", "linear")
    )
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)

    def describe(self, minibatch_size: int | None) -> str:
        """Return the updates of an iteration in words."""
        return in_minibatches(self.num_epochs, self.num_minibatches, minibatch_size)

    def falling(self) -> tuple[str, ...]:
        """Return learning rate and clip range, which share one schedule."""
        return ("learning_rate", "clip_range") if self.schedule == "linear" else ()


@dataclass(frozen=True)
class PPO2Config(AlgorithmConfig):
    """Clipped PPO as in OpenAI Baselines ppo2; values from its defaults.py, mujoco()."""

    num_minibatches: int = option(32, "K, per epoch; T / K steps of every environment make a minibatch", low=1)
    split_minibatches: bool | None = option(
        None, "share out each minibatch among the ranks; none: where they are large"
    )
    num_epochs: int = option(10, "E, passes over each iteration's experience", low=1)
    learning_rate: float = option(3e-4, "Adam's step size, or where the adaptive one begins", above=0)
    learning_rate_schedule: str = option(
        "linear",
        "how the step size changes; adaptive: so that the KL stays near kl_target",
        choices=("constant", "linear", "adaptive"),
    )
    kl_target: float = option(0.025, "KL since the start of the iteration that `adaptive` and `kl_coef` hold", above=0)
    kl_stop: float | None = option(
        None, "end an iteration's epochs above this KL; none: never", above=0, was="target_kl"
    )
    clip_range: float = option(0.2, "epsilon of arXiv:1707.06347, equation 7", above=0)
    clip_range_schedule: str = option(
        "constant", "how the clip range changes over the run", choices=("constant", "linear")
    )
    kl_coef: float = option(0.0, "first weight of a KL penalty beside the clip, then held to kl_target", low=0)
    value_coef: float = option(0.5, "weight of the value loss", low=0)
    value_clip_range: float | None = option(0.2, "how far a value may move from its old one; none: no limit", above=0)
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    max_grad_norm: float | None = option(0.5, "longest gradient over all parameters; none: no limit", above=0)
    normalize_advantages: str = option(
        "minibatch", "over what advantages are standardised", choices=("minibatch", "iteration")
    )
    normalize_value_targets: bool = option(False, "the value function predicts standardised targets")
    recompute_advantages: bool = option(False, "estimate values and advantages anew before each epoch")
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)

    @property
    def without_memory(self) -> str | None:
        """Refuse where values are to be recomputed: what is remembered is known only for the parameters that acted."""
        return "give --recompute-advantages false" if self.recompute_advantages else None

    def describe(self, minibatch_size: int | None) -> str:
        """Return the updates of an iteration in words."""
        return in_minibatches(self.num_epochs, self.num_minibatches, minibatch_size)

    def falling(self) -> tuple[str, ...]:
        """Return learning rate and clip range, each by its own schedule."""
        schedules = {"learning_rate": self.learning_rate_schedule, "clip_range": self.clip_range_schedule}
        return tuple(name for name, schedule in schedules.items() if schedule == "linear")

    def without_effect(self) -> dict[str, str]:
        """Return kl_target, where nothing holds the KL to it."""
        if self.learning_rate_schedule == "adaptive" or self.kl_coef > 0:
            return {}
        return {"kl_target": "only --learning-rate-schedule adaptive and --kl-coef use it"}


@dataclass(frozen=True)
class PPOKLConfig(AlgorithmConfig):
    """PPO with an adaptive KL penalty; values from Coady's "AI Gym Workout", one setting for ten robots."""

    separate_networks: ClassVar[bool] = True
    without_memory: ClassVar[str | None] = "use ppo1, ppo2 or trpo"

    num_episodes: int | None = option(
        20, "episodes of an iteration over all environments; none: num_steps count", low=1
    )
    num_epochs: int = option(20, "E, most passes of the policy over each iteration's experience", low=1)
    learning_rate: float = option(9e-4, "Adam's step size for the policy, before the root below divides it", above=0)
    kl_target: float = option(0.003, "KL since the start of the iteration that the penalty holds", above=0)
    kl_coef: float = option(1.0, "beta, the first weight of the penalty", above=0)
    hinge_coef: float = option(50.0, "eta, weight of the squared KL above twice its target", low=0)
    value_epochs: int = option(10, "passes of the value function over this iteration and the one before", low=1)
    value_minibatch_size: int = option(256, "transitions of its minibatches over all ranks", low=2)
    value_learning_rate: float = option(1e-2, "Adam's step size for the value function, before the root", above=0)
    scale_learning_rates: bool = option(
        True, "divide step sizes by the root of the middle layer's units; log std's, times the number of actions"
    )
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)

    def describe(self, minibatch_size: int | None) -> str:
        """Return the updates of an iteration in words."""
        return (
            f"at most {counted(self.num_epochs, 'update')} of all of them, {counted(self.value_epochs, 'epoch')} of "
            f"{self.value_minibatch_size:,} for the value function"
        )

    def layers_for(self, inputs: int, outputs: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return three layers each: the first, the geometric mean, the last (Coady, "AI Gym Workout")."""
        return sizes_between(10 * inputs, 10 * outputs), sizes_between(10 * inputs, 5)


@dataclass(frozen=True)
class TRPOConfig(AlgorithmConfig):
    """Trust region policy optimisation; values from OpenAI Baselines trpo_mpi, the value function's from RL Zoo."""

    separate_networks: ClassVar[bool] = True

    kl_target: float = option(0.01, "delta, largest KL of a step", above=0)
    cg_steps: int = option(10, "steps of conjugate gradient", low=1)
    cg_damping: float = option(0.1, "added to the Fisher matrix's diagonal", low=0)
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    line_search_steps: int = option(10, "most step lengths that are tried", low=1)
    line_search_factor: float = option(0.8, "each step length is this times the one before", above=0, high=1)
    num_minibatches: int = option(16, "K, of the value function, per epoch", low=1)
    num_epochs: int = option(20, "E, passes of the value function over each iteration's experience", low=1)
    value_learning_rate: float = option(1e-3, "Adam's step size for the value function", above=0)
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)

    def describe(self, minibatch_size: int | None) -> str:
        """Return the updates of an iteration in words."""
        of_values = in_minibatches(self.num_epochs, self.num_minibatches, minibatch_size)
        return f"one natural step, {of_values} of the value function"


def sizes_between(first: int, last: int) -> tuple[int, int, int]:
    """Return three layers: the first, the geometric mean, the last."""
    return first, round(math.sqrt(first * last)), last
