"""How far an iteration is, in a line, for whoever waits for it."""

from __future__ import annotations

from time import monotonic

from baselines_ppo.state.run_state import RunState


def progress(run: RunState, began: float, doing: str, seconds: float) -> str:
    """Return a line on the iteration under way, over all ranks if these are as far as this one.

    Args:
      began: when the iteration did, by `monotonic`.
      doing: what this rank does, for so many seconds.
    """
    if doing.startswith(("evaluating", "filming")):  # which come after the iteration was counted
        return f"iteration {run.counters.iteration}: {doing}"
    iteration = f"iteration {run.counters.iteration + 1}"
    if not doing.startswith("collecting"):
        compiling = "" if run.comm.alive.warm or doing != "learning" else " (TensorFlow compiles at first)"
        return f"{iteration}: {doing}{compiling}, {seconds:.0f} s"
    made = run.collector.made_steps * run.comm.size
    of_all = "" if run.config.num_episodes is not None else f" of {run.config.steps_per_iteration:,}"
    rate = made / max(monotonic() - began, 1e-9)
    return f"{iteration}: {made:,}{of_all} steps, {rate:,.{0 if rate >= 10 else 1}f} steps/s"
