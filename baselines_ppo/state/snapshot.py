"""The whole state of a run as named arrays and JSON, and back: what exact resume is made of.

Everything per environment is keyed by its global index, so a checkpoint continues on any number of ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from baselines_ppo.common.envs.action_log import EpisodeRecord
from baselines_ppo.common.envs.facts import facts_at
from baselines_ppo.common.failures import LoadError
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.plan import sharings_of
from baselines_ppo.settings.config import TrainConfig, to_json
from baselines_ppo.state.attributes import attributes_to_json, stored_attributes
from baselines_ppo.state.platform_facts import platform_facts
from baselines_ppo.state.run_state import Finished, RunState

PER_ENVIRONMENT = {
    f"environments/{name}"
    for name in (
        "episode",
        "observation",
        "actions",
        "action_count",
        "episode_return",
        "episode_length",
        "discounted_return",
        "state",
        "restarts",
    )
}
COUNTS = {f"environments/{name}" for name in ("episode", "action_count", "episode_length", "restarts")}
CAPTURED = "environments/captured/"  # before the names of the states of environments that can say them
FACTS = "window/"  # before the names of what environments said of the last episodes
LEARNED = "learning/"  # before the names of what the algorithm keeps of each environment, and their lengths


def snapshot(run: RunState) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Return the manifest and arrays of a run at the end of an iteration, on rank 0; None elsewhere."""
    collector, counters = run.collector, run.counters
    gathered = run.comm.gather(
        (
            collector.envs.capture(),
            collector.discounted_returns,
            collector.states,
            run.algorithm.environment_state(),
        )
    )
    if gathered is None:
        return None
    records = [record for captured, *_ in gathered for record in captured]
    discounted, states = (np.concatenate([part[k] for part in gathered]) for k in (1, 2))
    learned = [kept for *_, part in (gathered if run.learns_from_its_own else gathered[:1]) for kept in part]
    arrays = {
        **run.replicated(),
        **_window(counters.window),
        "environments/episode": np.array([record.episode for record in records]),
        "environments/observation": np.stack([record.observation for record in records]),
        "environments/actions": np.concatenate([record.actions for record in records]),
        "environments/action_count": np.array([len(record.actions) for record in records]),
        "environments/episode_return": np.array([record.episode_return for record in records]),
        "environments/episode_length": np.array([record.length for record in records]),
        "environments/discounted_return": discounted,
        "environments/state": states,
        "environments/restarts": np.array([record.restarts for record in records]),
        **_captured(records),
        **_ragged(learned),
    }
    manifest = {
        "kind": "checkpoint",
        **acted_on(run.config, collector.policy),
        "config": to_json(run.config),
        **({"changed": run.changed} if run.changed else {}),
        **({"stages": run.stages} if run.stages else {}),
        **attributes_to_json(collector.envs.attributes, [record.attributes for record in records]),
        "iteration": counters.iteration,
        "total_steps": counters.total_steps,
        "updates": run.algorithm.updates,
        "episodes": counters.episodes,
        "seconds": counters.seconds,
        "mean_return": counters.mean_return,
        "eval_return": counters.eval_return,
        "best_eval_return": counters.best_eval_return,
        "platform": platform_facts(),
        "environment": run.treatment._asdict(),
        "lineage": run.lineage,
    }
    return manifest, arrays


def agent_facts(run: RunState) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return manifest and arrays of the agent as it is; of all that a checkpoint holds, what it acts by."""
    kept = ("observations", "value_targets")
    statistics = {f"{name}/{key}": x for name in kept for key, x in run.normalizers()[name].state().items()}
    policy = run.collector.policy
    return {"kind": "agent", **acted_on(run.config, policy)}, {"parameters": policy.parameters, **statistics}


def acted_on(config: TrainConfig, policy: Policy) -> dict[str, Any]:
    """Return what a manifest says of an agent: in which environment it acts, and by which policy."""
    return {
        "env": config.env,
        "env_kwargs": config.env_kwargs,
        "wrapper": list(config.wrapper),
        "policy": policy.network.to_json(),
        "clip_observations": policy.observations.clip,
    }


def restore(run: RunState, checkpoint: Checkpoint, changes: dict[str, str]) -> str:
    """Bring a new run to where a checkpoint was, on all ranks; returns how exactly, in words.

    Args:
      changes: what the run's configuration changes for the steps to come, by field in words.

    Raises:
      LoadError: the checkpoint lacks something or does not fit the run.
    """
    manifest, arrays = checkpoint.manifest, checkpoint.arrays
    _check_environments(checkpoint)
    for name, own in run.replicated().items():
        if name not in arrays or arrays[name].shape != own.shape or arrays[name].dtype != own.dtype:
            found = f"{arrays[name].shape} {arrays[name].dtype}" if name in arrays else "missing"
            raise LoadError(f"{checkpoint.path}: {name} is {found}, this run has {own.shape} {own.dtype}")
    for name in (f"{LEARNED}{key}" for kept in run.algorithm.environment_state()[:1] for key in kept):
        if name not in arrays or f"{name}_count" not in arrays:
            raise LoadError(f"{checkpoint.path}: {name} missing")
    run.algorithm.restore({name: arrays[name] for name in run.algorithm.state()}, frozenset(changes))
    for name, normalizer in run.normalizers().items():
        normalizer.restore({key: arrays[f"{name}/{key}"] for key in normalizer.state()})
    counters = run.counters
    try:
        counters.iteration, counters.total_steps = int(manifest["iteration"]), int(manifest["total_steps"])
        counters.episodes, counters.seconds = int(manifest["episodes"]), float(manifest["seconds"])
        counters.window.extend(_finished(arrays))
        run.stages = list(manifest.get("stages", []))
        best, evaluated = manifest.get("best_eval_return"), manifest.get("eval_return")
        counters.best_eval_return = None if best is None else float(best)
        counters.eval_return = None if evaluated is None else float(evaluated)
        before, lineage, facts = int(manifest["lineage"][-1]["ranks"]), manifest["lineage"], manifest["platform"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LoadError(f"{checkpoint.path}: not a whole checkpoint: {type(error).__name__} {error}") from None

    failed = _restore_environments(run, checkpoint)
    run.algorithm.restore_environments(_learned(arrays, run.algorithm.environments))
    notes = [f"changed {change}" for change in changes.values()]
    alike = True
    if before != run.comm.size:
        network = run.collector.policy.network
        sharings = [*sharings_of(run.config, network, before), *sharings_of(run.config, network, run.comm.size)]
        alike = all(sharing.same_bits for sharing in sharings)
        closely = "equal" if alike else "equal up to the rounding of sums"
        notes.append(f"elastic, {before} -> {run.comm.size} ranks, {closely}")
    now = platform_facts()
    known = [name for name in now if name in facts]  # others were not asked for then
    if changed := [f"{name} {facts[name]} -> {now[name]}" for name in known if facts[name] != now[name]]:
        notes.append(f"not bit-exact, {', '.join(changed)}")
    if failed:
        notes.append(f"not exact, new episodes in environments {', '.join(map(str, failed))}{_too_long(arrays)}")
    exact = not notes or (len(notes) == 1 and before != run.comm.size and alike)
    run.lineage = lineage
    run.begin_segment(exact)
    return "; ".join(notes) or "exact"


def _check_environments(checkpoint: Checkpoint) -> None:
    """Check that what is stored of the environments fits together, and that all numbers are finite.

    Raises:
      LoadError: says what does not.
    """
    path, arrays = checkpoint.path, checkpoint.arrays
    if missing := sorted(PER_ENVIRONMENT - set(arrays)):
        raise LoadError(f"{path}: {', '.join(missing)} missing")
    for name, x in arrays.items():
        # States that environments give have their own use of what is not a number; in facts it says: not known.
        if x.dtype.kind == "f" and not name.startswith((CAPTURED, FACTS)) and not np.isfinite(x).all():
            raise LoadError(f"{path}: {name} is not finite")
    count = arrays["environments/episode"].size
    for name in (*PER_ENVIRONMENT, *(name for name in arrays if name.startswith(CAPTURED))):
        x = arrays[name]
        if name == "environments/actions":
            if x.ndim < 1 or len(x) != arrays["environments/action_count"].sum():
                raise LoadError(f"{path}: {name} has another length than the action counts say")
        elif x.ndim < 1 or len(x) != count:
            raise LoadError(f"{path}: {name} has shape {x.shape}, expected {count} environments")
        if name in COUNTS and (x.ndim != 1 or x.dtype.kind != "i" or (x < 0).any()):
            raise LoadError(f"{path}: {name} does not count")


def _restore_environments(run: RunState, checkpoint: Checkpoint) -> list[int]:
    """Replay this rank's environments; returns the global indices, over all ranks, that begin anew."""
    collector, envs, arrays = run.collector, run.collector.envs, checkpoint.arrays
    starts = np.concatenate([[0], np.cumsum(arrays["environments/action_count"])])
    stored = len(starts) - 1
    known = [index for index in envs.indices if index < stored]
    now, attributes = stored_attributes(checkpoint, stored)
    # Environments that the checkpoint does not know number their episodes so that no seed of the past returns.
    envs.reset(np.full(len(envs), run.counters.total_steps))
    for name, value in now.items():  # after the reset: episodes under way may have begun before anything was set
        envs.set_attribute(name, value)
    records = envs.capture()
    captured = [name for name in arrays if name.startswith(CAPTURED)]
    for row, index in enumerate(known):
        records[row] = EpisodeRecord(
            episode=int(arrays["environments/episode"][index]),
            actions=arrays["environments/actions"][starts[index] : starts[index + 1]],
            observation=arrays["environments/observation"][index],
            episode_return=float(arrays["environments/episode_return"][index]),
            restarts=int(arrays["environments/restarts"][index]),
            length=int(arrays["environments/episode_length"][index]),
            state={name.removeprefix(CAPTURED): arrays[name][index] for name in captured} or None,
            attributes=attributes[index],
        )
    failed = envs.restore(records, run.comm.alive.note)
    for row, index in enumerate(known):
        if index not in failed:
            collector.discounted_returns[row] = arrays["environments/discounted_return"][index]
            collector.states[row] = arrays["environments/state"][index]
    of_all = run.comm.gather_all(failed, "the environments")
    return sorted(index for indices in of_all for index in indices)


def _too_long(arrays: dict[str, np.ndarray]) -> str:
    """Return which episodes were too long for their actions to be kept, in words."""
    states = any(name.startswith(CAPTURED) for name in arrays)
    kept = arrays["environments/action_count"] >= arrays["environments/episode_length"]
    indices = [] if states else np.flatnonzero(~kept).tolist()
    return f" (too long to be replayed: {', '.join(map(str, indices))})" if indices else ""


def _window(episodes: Sequence[Finished]) -> dict[str, np.ndarray]:
    """Return returns and lengths, [k, 2], and each thing that is known of some, [k], NaN of the others."""
    rows = [(episode.episode_return, episode.length) for episode in episodes]
    names = sorted({name for episode in episodes for name in episode.facts})
    facts = {f"{FACTS}{name}": np.array([episode.facts.get(name, np.nan) for episode in episodes]) for name in names}
    return {"window": np.array(rows, dtype=np.float64).reshape(-1, 2), **facts}


def _finished(arrays: dict[str, np.ndarray]) -> list[Finished]:
    """Return the episodes that `_window` took apart."""
    facts = {name.removeprefix(FACTS): x for name, x in arrays.items() if name.startswith(FACTS)}
    return [
        Finished(float(total), int(length), facts_at(facts, k)) for k, (total, length) in enumerate(arrays["window"])
    ]


def _captured(records: list[EpisodeRecord]) -> dict[str, np.ndarray]:
    """Return the environments' states, if they can say them, as arrays [N, ...]."""
    states = [record.state for record in records if record.state is not None]
    return {f"{CAPTURED}{name}": np.stack([state[name] for state in states]) for name in (states[0] if states else ())}


def _ragged(learned: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what the algorithm keeps of each environment as one array and its lengths; `_learned` is the inverse."""
    names = learned[0] if learned else ()
    joined = {f"{LEARNED}{name}": np.concatenate([kept[name] for kept in learned]) for name in names}
    counts = {f"{LEARNED}{name}_count": np.array([len(kept[name]) for kept in learned]) for name in names}
    return {**joined, **counts}


def _learned(arrays: dict[str, np.ndarray], indices: range) -> list[dict[str, np.ndarray]]:
    """Return what the algorithm kept of each of these environments; nothing of those it did not know."""
    names = [name for name in arrays if name.startswith(LEARNED) and f"{name}_count" in arrays]
    ends = {name: np.cumsum(arrays[f"{name}_count"]) for name in names}

    def kept(name: str, index: int) -> np.ndarray:
        if index >= len(ends[name]):
            return arrays[name][:0]
        return arrays[name][ends[name][index] - arrays[f"{name}_count"][index] : ends[name][index]]

    return [{name.removeprefix(LEARNED): kept(name, index) for name in names} for index in indices]
