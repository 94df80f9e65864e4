"""What OpenAI Baselines, Stable-Baselines3, RL Zoo and CleanRL call our flags and fields."""

from __future__ import annotations

from collections.abc import Collection, Container

from baselines_ppo.common.failures import nearest

# Given to `train`, all else to `configure`.
OF_TRAIN = ("logdir", "resume", "load-path", "override", "ranks", "callback")

# Of ours, the first that there is is meant.
ELSEWHERE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("algo", "algorithm"): ("alg",),
    ("env-id", "environment", "task", "gym-id"): ("env",),
    ("env-wrapper", "wrappers"): ("wrapper",),
    ("total-timesteps", "n-timesteps", "timesteps", "steps", "max-timesteps", "total-steps"): ("num-timesteps",),
    ("lr", "step-size", "optim-stepsize", "actor-lr"): ("learning-rate", "value-learning-rate"),
    ("vf-stepsize", "critic-lr", "value-lr"): ("value-learning-rate", "learning-rate"),
    ("lr-schedule", "anneal-lr"): ("learning-rate-schedule", "schedule"),
    ("n-envs", "num-env", "nenvs", "nenv", "num-processes", "num-workers", "n-workers"): ("num-envs",),
    ("n-steps", "nsteps", "rollout-length", "timesteps-per-batch", "timesteps-per-actorbatch"): ("num-steps",),
    ("nminibatches", "n-minibatches", "batch-size", "minibatch-size", "optim-batchsize"): (
        "num-minibatches",
        "value-minibatch-size",
    ),
    ("n-epochs", "noptepochs", "optim-epochs", "update-epochs", "vf-iters", "epochs"): ("num-epochs",),
    ("ent-coef", "entcoeff", "entropy", "entropy-coeff"): ("entropy-coef",),
    ("vf-coef", "value-loss-coef"): ("value-coef",),
    ("cliprange", "clip-coef", "clip-param", "clip", "eps-clip"): ("clip-range",),
    ("clip-range-vf", "cliprange-vf", "clip-vloss"): ("value-clip-range",),
    ("lam", "gae", "lambda"): ("gae-lambda",),
    ("discount", "discount-factor"): ("gamma",),
    ("max-kl", "desired-kl"): ("kl-target",),
    ("cg-iters", "cg-max-steps"): ("cg-steps",),
    ("grad-clip", "clip-grad-norm"): ("max-grad-norm",),
    ("net-arch", "layers", "num-hidden"): ("hidden-sizes",),
    ("policy", "net"): ("network",),
    ("activation-fn",): ("activation",),
    ("normalize", "norm-obs"): ("normalize-observations",),
    ("norm-reward", "normalize-reward", "norm-rew"): ("normalize-returns",),
    ("log-folder", "log-dir", "log-path", "save-path", "output", "output-dir", "run-dir", "tensorboard-log"): (
        "logdir",
        "out",
    ),
    ("save-freq", "checkpoint-freq"): ("save-interval",),
    ("eval-freq", "evaluation-interval", "eval-every"): ("eval-interval",),
    ("video-freq", "video-interval", "capture-video", "record-video"): ("film-interval", "out"),
    ("verbose", "progress-bar"): ("progress",),
    ("exp-name", "run-name", "experiment-name"): ("name",),
    ("wandb-project-name", "wandb-entity"): ("track",),
    ("callbacks",): ("callback",),
    ("trained-agent", "load", "checkpoint", "model"): ("load-path",),
    ("n-eval-episodes", "eval-episodes"): ("eval-episodes", "episodes"),
    ("n-episodes", "num-episodes"): ("episodes", "num-episodes"),
    ("video", "output-file"): ("out",),
    ("n", "np", "num-ranks", "processes"): ("ranks",),
}
SIZES = ("batch-size", "minibatch-size", "optim-batchsize")  # of a minibatch, of which we give the number
OURS = {name: flags for names, flags in ELSEWHERE.items() for name in names}


def ours_for(name: str, known: Container[str]) -> str | None:
    """Return what a flag or field of another trainer is called here, among those known here; None where there is none.

    Args:
      name: with dashes or underscores.
      known: with dashes.
    """
    return next((ours for ours in OURS.get(name.strip("-").replace("_", "-").lower(), ()) if ours in known), None)


def how(name: str, ours: str) -> str:
    """Return in words how a value of another trainer becomes ours, where it is another number."""
    if ours != "num-minibatches" or name.strip("-").replace("_", "-").lower() not in SIZES:
        return ""
    return f" = num_envs x num_steps / {name.strip('-').replace('-', '_')}"


def meant_field(name: str, fields: Collection[str]) -> str:
    """Return in words which field of a configuration is meant by a name that is none; '' if nobody knows.

    Args:
      fields: of the configuration, with underscores.
    """
    dashed = name.replace("_", "-")
    if (train := dashed if dashed in OF_TRAIN else ours_for(name, OF_TRAIN)) is not None:
        return f"; give {train.replace('-', '_')} to train: train(configure(...), {train.replace('-', '_')}=...)"
    return meant_here(name, fields)


def meant_here(name: str, known: Collection[str]) -> str:
    """Return in words which of the known fields, with underscores, is meant by a name that is none of them."""
    ours = ours_for(name, [field.replace("_", "-") for field in known])
    return nearest(name, known) if ours is None else f"; ours is {ours.replace('-', '_')}{how(name, ours)}"


def meant_argument(name: str, fields: Collection[str]) -> str:
    """Return in words what is meant by an argument of `train` that it does not take.

    Args:
      fields: of its configuration, with underscores.
    """
    ours = name if name in fields else ours_for(name, [field.replace("_", "-") for field in fields])
    if ours is not None:
        field = ours.replace("-", "_")
        return f"; give {field} to configure: train(configure(..., {field}=...))"
    own = ours_for(name, OF_TRAIN)
    known = [word.replace("-", "_") for word in (*OF_TRAIN, "environment")]
    return nearest(name, known) if own is None else f"; ours is {own.replace('-', '_')}"
