"""From a checkpoint to what the zoo keeps of it: an agent's files, its card, its picture."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.keywords import canonical_keywords, same_meaning
from baselines_ppo.common.envs.make import EnvironmentSpec, explained, make_environment, registered
from baselines_ppo.common.envs.stored import stored_environment
from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.files.checkpoint import ARRAYS, LARGEST_ARRAYS, MANIFEST, Checkpoint, read_regular
from baselines_ppo.settings.changes import HARMLESS
from baselines_ppo.settings.config import TrainConfig, all_fields, from_json
from baselines_ppo.settings.fields import typed_algorithm, written
from baselines_ppo.settings.presets import ATARI, PRESETS, configure, preset_of
from baselines_ppo.zoo.card import Card, Scores, Stage

STATISTICS = ("observations/", "value_targets/", "rewards/")
ACTED_ON = ("env", "wrapper", "policy", "clip_observations")  # of a manifest
TRAINING = ("config", "total_steps", "seconds", "lineage", "platform")  # likewise, kept for the card
CHANGED = ("changed", "attributes")  # likewise, where a callback has changed something on the way
STAGES = "stages"  # likewise, where the training began with an agent
WIDTH, HEIGHT, QUALITY = 480, 360, 85  # of pictures
NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")  # numbers that argparse does not take for a flag
SHOWN_STEPS = 100  # into an episode, at most, that the picture shows


class Named(NamedTuple):
    """What the command line names, and a file may not: an agent's own environment and wrappers of a module."""

    env: str | None = None
    wrapper: tuple[str, ...] | None = None
    env_kwargs: str | None = None

    def own(self, agent: Agent) -> EnvironmentSpec:
        """Return the environment of an agent; see `spec`."""
        return self.spec(agent.env_id, agent.wrappers, agent.env_kwargs)

    def spec(self, env_id: str, wrappers: tuple[str, ...], env_kwargs: str) -> EnvironmentSpec:
        """Return an agent's environment, as a file has it, with the module that the command line names.

        Raises:
          ModuleNotNamed: they are of a module that it does not name.
          UsageError: it names others.
        """
        if self.env is not None and _bare(self.env) != _bare(env_id):
            raise UsageError(f"--env is {self.env}, but the agent was trained on {short(env_id)}, and has a card of it")
        if self.wrapper is not None and not same_meaning("wrapper", self.wrapper, wrappers):
            given, trained = (short(",".join(each)) or "none" for each in (self.wrapper, wrappers))
            raise UsageError(f"--wrapper is {given}, but the agent was trained with {trained}")
        keywords = None if self.env_kwargs is None else str(canonical_keywords(self.env_kwargs))
        if keywords is not None and not same_meaning("env_kwargs", keywords, env_kwargs):
            raise UsageError(
                f"--env-kwargs is {self.env_kwargs}, but the agent was trained with {env_kwargs or 'none'}"
            )
        return stored_environment(env_id, wrappers, env_kwargs, *self)


NOTHING = Named()


class Training(NamedTuple):
    """How an agent was trained."""

    config: TrainConfig
    command: str
    ranks: tuple[int, ...]  # of each stretch between two starts
    total_steps: int
    exact: bool  # whether no setting was changed on the way
    seconds: float
    versions: dict[str, str | None]
    stages: tuple[Stage, ...]  # the trainings before


def agent_files(found: Checkpoint, named: Named = NOTHING) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return manifest and arrays of the agent in a checkpoint, without what only its training needs.

    Raises:
      LoadError: it is not a checkpoint of a training, or see `Named.spec`.
    """
    manifest, arrays = found.manifest, found.arrays
    if missing := [name for name in (*ACTED_ON, *TRAINING) if name not in manifest]:
        raise LoadError(f"{found.path} is not a checkpoint of a training: no {', '.join(missing)}")
    kept = {name: x for name, x in arrays.items() if name == "parameters" or name.startswith(STATISTICS)}
    wrappers = tuple(map(str, manifest["wrapper"]))
    spec = named.spec(str(manifest["env"]), wrappers, str(manifest.get("env_kwargs", "")))
    training = {name: manifest[name] for name in (*TRAINING, *CHANGED, STAGES) if name in manifest}
    training["config"] = {**training["config"], "env": spec.env_id}  # from Python it may have had no module
    acted_on = {name: manifest[name] for name in ("env_kwargs", *ACTED_ON) if name in manifest}
    acted_on["env"] = spec.env_id
    return {"kind": "agent", **acted_on, "training": training}, kept


def training_of(agent: Checkpoint, named: Named = NOTHING) -> Training:
    """Return how an agent was trained, as its own manifest says.

    Raises:
      LoadError: it does not say so, or not of the environment that it is for; or see `Named.spec`.
    """
    try:
        facts, manifest = agent.manifest["training"], agent.manifest
        config = from_json(facts["config"])
        if (config.env, config.wrapper) != (manifest["env"], tuple(manifest["wrapper"])):
            raise ValueError(f"it is for {manifest['env']}, but was trained on {config.env}")
        if config.env_kwargs != manifest.get("env_kwargs", ""):
            raise ValueError(f"it was trained with other arguments of its environment: {config.env_kwargs}")
        ranks = tuple(int(stretch["ranks"]) for stretch in facts["lineage"])
        stages = _stages(facts.get(STAGES, []))
        command = command_of(config, max(ranks), stages[-1].agent if stages else None)
        exact = all(stretch["exact"] is True for stretch in facts["lineage"]) and not {*CHANGED} & {*facts}
        steps, seconds = int(facts["total_steps"]), float(facts["seconds"])
        training = Training(config, command, ranks, steps, exact, seconds, facts["platform"], stages)
    except Exception as error:  # a file from a stranger may be wrong in any way
        raise LoadError(f"{agent.path} does not say how it was trained: {short(error)}") from None
    named.spec(config.env, config.wrapper, config.env_kwargs)
    return training


def card_of(agent: Checkpoint, episodes: int, seed: int, scores: Scores, named: Named = NOTHING) -> Card:
    """Return the card of an agent in its folder, from its own files and these scores.

    Raises:
      LoadError: its manifest does not say how it was trained; or see `Named.spec`.
      UsageError: its environment is not installed.
    """
    training = training_of(agent, named)
    config = training.config
    with explained(config.env):
        threshold = gymnasium.spec(registered(config.env)).reward_threshold
    return Card(
        environment=config.env,
        algorithm=config.alg,
        preset=_preset_name(config),
        command=training.command,
        seed=config.seed,
        exact=training.exact,
        ranks=training.ranks,
        total_steps=training.total_steps,
        seconds=training.seconds,
        versions=training.versions,
        threshold=threshold,
        manifest_sha256=digest(agent.path / MANIFEST),
        arrays_sha256=digest(agent.path / ARRAYS),
        episodes=episodes,
        evaluation_seed=seed,
        deterministic=scores.deterministic,
        stochastic=scores.stochastic,
        by_start=scores.by_start,
        stages=training.stages,
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of an agent's file.

    Raises:
      OSError, ValueError: it is no regular file.
    """
    return hashlib.sha256(read_regular(path, LARGEST_ARRAYS)).hexdigest()


def _stages(told: list[dict[str, Any]]) -> tuple[Stage, ...]:
    """Return the trainings before one, from its manifest; each began with the agent of the one before."""
    stages: list[Stage] = []
    for each in told:
        command = steps = None
        if "config" in each:
            begun = stages[-1].agent if stages else None
            command, steps = command_of(from_json(each["config"]), int(each["ranks"]), begun), int(each["total_steps"])
        stages.append(Stage(str(each["agent"]), command, steps))
    return tuple(stages)


def command_of(config: TrainConfig, ranks: int, agent: str | None = None) -> str:
    """Return the command that trains as a configuration says: its environment's preset, and what differs from it.

    Args:
      agent: that the training begins with.
    """
    base = {item.name: value for _, item, value in all_fields(configure(config.env, config.alg))}
    if agent is not None:
        base["init_log_std"] = 0.0  # a preset's is for new policies
    always = {"env": config.env, "alg": typed_algorithm(config.alg), "seed": config.seed}
    changed = {
        item.name: value
        for _, item, value in all_fields(config)
        if value != base[item.name] and item.name not in (*always, *HARMLESS)
    }
    launcher = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
    flags = [word for name, value in (always | changed).items() for word in _flag(name, value)]
    begun = [] if agent is None else ["--load-path", agent]
    return shlex.join([*launcher, "python", "-m", "baselines_ppo.run", *flags, *begun])


def picture_of(agent: Agent, spec: EnvironmentSpec) -> bytes:
    """Return a picture of an agent at its task, as JPEG.

    Raises:
      Exception: whatever stands in the way of drawing here.
    """
    from PIL import Image

    from baselines_ppo.common.envs.episodes import Episodes
    from baselines_ppo.run.agents.acting import seen_backend_for
    from baselines_ppo.run.show.pictures import Pictures  # MuJoCo, which nothing else here needs

    backend = seen_backend_for(agent, spec, lambda: make_environment(spec, render_mode="rgb_array"))
    try:
        pictures = Pictures(lambda: backend.environments[0], spec.env_id, WIDTH, HEIGHT)
        Episodes(agent, backend, 1, spec.env_id, 0, SHOWN_STEPS).play([0], deterministic=True)
        picture = pictures.picture(pictures.drawn())
    finally:
        close_unheard(backend.close)
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=QUALITY)
    return data.getvalue()


def _bare(env_id: str) -> str:
    return env_id.rpartition(":")[2]


def _preset_name(config: TrainConfig) -> str | None:
    """Return the name of the preset that the environment has, None if it has none."""
    name = _bare(config.env)
    return name if name in PRESETS.get(config.alg, {}) or preset_of(name, config.alg) is ATARI.config else None


def _flag(name: str, value: Any) -> list[str]:
    """Return a flag with its value; none for what is empty."""
    flag, text = f"--{name.replace('_', '-')}", written(value)
    if value == "":
        return []
    return [f"{flag}={text}"] if text.startswith("-") and not NEGATIVE.fullmatch(text) else [flag, text]
