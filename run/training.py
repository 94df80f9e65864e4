"""`train`, the default command: which run is meant, and what to type when it has ended."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines_ppo.common.ending import say
from baselines_ppo.common.envs.keywords import keywords_of, names_a_file
from baselines_ppo.common.envs.stored import is_known_id, is_safe_wrapper, stored_environment
from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.pretrained import located
from baselines_ppo.common.files.remembered import is_remembered
from baselines_ppo.common.files.run_folder import CHECKPOINTS, changed_at, has_checkpoints, read_config, runs_of
from baselines_ppo.common.files.whole import place, quoted, shown
from baselines_ppo.common.job.launcher import environment_of_one, launched_size
from baselines_ppo.common.mpi import world
from baselines_ppo.common.policy.networks import NETWORKS
from baselines_ppo.run.config_file import with_file
from baselines_ppo.run.program import command, program
from baselines_ppo.run.show.display import require_display
from baselines_ppo.settings.config import TrainConfig, from_json, with_fields
from baselines_ppo.settings.fields import typed_algorithm
from baselines_ppo.settings.presets import configure
from baselines_ppo.train import train

if TYPE_CHECKING:
    from baselines_ppo.training_run import Result


def train_command(options: dict[str, Any]) -> int:
    """Train as the flags say; returns the exit code, the same on all ranks."""
    typed, file = options, options["config"]
    options = world().on_root(lambda: keeping_std(resolve_auto(with_file(options))), "the newest run")
    paths = {name: options.pop(name) for name in ("logdir", "resume", "load_path")}
    preset, watch, override = options.pop("preset"), options.pop("play"), options.pop("override")
    override = tuple(name.replace("-", "_") for name in override)
    if watch:
        require_display()
    if paths["resume"] is None and "env" not in options:
        raise UsageError("which environment? give --env, such as --env Humanoid-v4")
    config = _configuration(paths["resume"], preset, options)
    if file is not None and file.endswith(".json"):  # a run's record, which may be a stranger's
        _check_modules(file, config, typed)

    result = train(config, **paths, override=override)
    if world().is_root:
        say(_ending(result, config, world().size))
    if watch and result.exit_code == 0 and world().is_root:
        named = [word for flag, value in _modules(config) for word in (f"--{flag}", value)]
        # In a process of its own: some OpenGL libraries crash where TensorFlow is loaded.
        subprocess.run(
            [sys.executable, "-m", "baselines_ppo.run", "play", str(result.folder), *named], env=environment_of_one()
        )
    return result.exit_code


def _configuration(resume: str | None, preset: str | None, options: dict[str, Any]) -> TrainConfig:
    """Return the preset with the given flags, or the resumed run's configuration with them."""
    if resume is None:
        return configure(**{"alg": "ppo2", **options}, preset=preset)
    config = world().on_root(lambda: _stored(resume), "a checkpoint")
    _check_modules(resume, config, options)
    if options.get("alg", config.alg) != config.alg:
        raise UsageError(f"cannot resume {resume} with another algorithm: it is a run of {config.alg}")
    if preset is not None:  # the same command as before; if it is another, the resumed run will name the differences
        kept = {name: getattr(config, name) for name in ("env", "alg", "seed", "num_timesteps")}
        kept["init_log_std"] = config.policy.init_log_std  # counts at the start alone
        return configure(**{**kept, **options}, preset=preset)
    return with_fields(config, **options)


def _check_modules(source: str, config: TrainConfig, options: dict[str, Any]) -> None:
    """Check that what a file says of modules and other files is named by the user, too.

    Raises:
      LoadError: it is not.
    """
    named = (options.get(name) for name in ("env", "wrapper", "env_kwargs"))
    stored_environment(config.env, config.wrapper, config.env_kwargs, *named)
    name = config.policy.network
    known = name in ("auto", *NETWORKS) or is_remembered(name.partition(":")[0])
    if "network" not in options and not known:
        raise LoadError(
            f"{source}: network {short(name)} is not known here; import what registers it, or add "
            f"--network {shlex.quote(short(name))}"
        )


def _stored(path: str) -> TrainConfig:
    read_config(located(path)[0])  # which says the same, or is damaged
    found, _ = checkpoint.find(path)
    if not isinstance(found.manifest.get("config"), dict):
        raise LoadError(f"{found.path} is an agent, not a checkpoint; begin a new run from it with --load-path")
    return from_json(found.manifest["config"])


def stored_algorithm(resume: str, logdir: str | None) -> str | None:
    """Return which algorithm a run folder or checkpoint is of, read by rank 0; None where nothing says it.

    Whether the rest of it is whole is seen later.
    """

    def read() -> str | None:
        try:
            path = place(logdir or ".") if resume == "auto" else located(resume)[0]
            return str(_asked(path).get("alg"))
        except LoadError:
            return None

    # One process reads by itself: `launch`, which runs this too, must not start MPI.
    return read() if launched_size() == 1 else world().on_root(read, "the algorithm")


def keeping_std(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options; a loaded agent keeps its std where no other was typed, as a preset's is for new policies."""
    if options["load_path"] is None or "init_log_std" in options:
        return options
    return {**options, "init_log_std": 0.0}


def resolve_auto(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the run folder that `--resume auto` means, without what is of no use then.

    Where there is a run, --load-path has begun it; where there is none yet, --override is not needed.
    """
    if options["resume"] != "auto":
        return options
    found = _search_runs(options["logdir"], options)
    if found is None:
        print("nothing to resume yet; beginning a new run", flush=True)
        return {**options, "resume": None, "override": ()}
    return {**options, "resume": found, "load_path": None}


def _asked(path: Path) -> dict[str, Any]:
    """Return what was asked for in a run folder or a checkpoint: the fields of its configuration, as far as it says.

    Raises:
      LoadError: it cannot be read.
    """
    if found := read_config(path):
        return found
    newest = sorted(path.glob(f"{CHECKPOINTS}/{checkpoint.NAMES}"), reverse=True)[:1]
    for folder in (path, *newest):
        if (folder / checkpoint.MANIFEST).exists():
            config = checkpoint.read_manifest(folder).get("config")
            return config if isinstance(config, dict) else {}
    return {}


def _search_runs(logdir: str | None, options: dict[str, Any]) -> str | None:
    """Return the one in --logdir, else the current folder, else the newest of this environment, algorithm and seed.

    Raises:
      LoadError: a run's configuration cannot be read, so that nobody knows whether it is meant.
    """
    if logdir is not None:
        return logdir if has_checkpoints(place(logdir)) else None
    if has_checkpoints(Path()):
        return "."
    if "env" not in options:
        raise UsageError("--resume auto: this is no run folder; give --env or --logdir too")
    wanted = {"alg": options.get("alg", "ppo2"), "seed": options.get("seed", 0), "name": options.get("name", "")}
    runs = sorted({path.parent.parent for path in runs_of(options["env"]).glob(f"*/{CHECKPOINTS}/{checkpoint.NAMES}")})
    mine = [run for run in runs if wanted == {name: {"name": "", **_asked(run)}.get(name) for name in wanted}]
    return str(max(mine, key=_saved_at)) if mine else None


def _saved_at(run: Path) -> float:
    """Return when a run's newest checkpoint was written, in seconds since 1970."""
    return max(map(changed_at, run.glob(f"{CHECKPOINTS}/{checkpoint.NAMES}")), default=0.0)


def _ending(result: Result, config: TrainConfig, ranks: int) -> str:
    """Return the last lines: how it went, and what to type next."""
    typed = command()
    named = "".join(f" --{flag} {shlex.quote(value)}" for flag, value in _modules(config))
    folder = quoted(result.folder)
    if result.exit_code:
        launcher = f"{program('mpirun')} -np {ranks} " if ranks > 1 else ""
        own = f" --alg {alg}" if (alg := typed_algorithm(config.alg)) != config.alg else ""
        return (
            f"stopped on request at {result.total_steps:,} of {config.num_timesteps:,} steps, checkpoint written\n"
            f"go on:    {launcher}{typed} --resume {folder}{named}{own}"
        )
    of_best = f"evaluate {quoted(Path(f'{result.folder}:best'))}{named}  # the best of its evaluations"
    best = f"best:     {typed} {of_best}\n" if config.eval_interval is not None else ""
    more = f" (whole iterations; {config.num_timesteps:,} were asked for)"
    return (
        f"done: {result.total_steps:,} steps{more if result.total_steps > config.num_timesteps else ''}, "
        f"{_score(result)}\n"
        f"run:      {shown(result.folder)}\n"
        f"evaluate: {typed} evaluate {folder}{named}\n{best}"
        f"play:     {typed} play {folder}{named}"
    )


def _score(result: Result) -> str:
    """Return in words what the last episodes came to."""
    if result.mean_return is None:
        return "no episode ended, so there is no return yet"
    of_all = "the only episode" if result.episodes == 1 else f"the last {result.episodes} episodes"
    digits = 1 if abs(result.mean_return) >= 10 else 2
    return f"mean return of {of_all} {result.mean_return:,.{digits}f}"


def _modules(config: TrainConfig) -> Iterator[tuple[str, str]]:
    """Yield what must be named again for each command, because no file may name a module or another file."""
    if not is_known_id(config.env):
        yield "env", config.env
    if names_a_file(keywords_of(config.env_kwargs)):
        yield "env-kwargs", config.env_kwargs
    if not all(map(is_safe_wrapper, config.wrapper)):
        yield "wrapper", ",".join(config.wrapper)
    if ":" in config.policy.network and not is_remembered(config.policy.network.partition(":")[0]):
        yield "network", config.policy.network
