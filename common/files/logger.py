"""What a user sees of a run: a table every few seconds, a CSV row per iteration, TensorBoard if installed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from baselines_ppo.common.files.run_folder import CONFIG, RunFolder

SUMMARY_INTERVAL = 1.0  # seconds; TensorBoard takes longer to write than CartPole to learn
FACTS = (
    "code",
    "command",
    "environment",
    "platform",
    "ranks",
)  # in config.json, that are no fields of the configuration
COMPILING = "compiling"  # in place of a speed, in the first iteration
TIME_SHARES = ("environments", "acting", "learning")


class Logger:
    """Writes rows of global, raw figures to the screen and the run folder; used by rank 0 alone."""

    def __init__(self, folder: RunFolder, num_timesteps: int, log_interval: float) -> None:
        self._folder, self._num_timesteps, self._log_interval = folder, num_timesteps, log_interval
        self._shown_at = monotonic()
        self._since: tuple[float, int] | None = None  # time and steps; None while TensorFlow compiles
        self._summarized_at = 0.0
        self._summary = summary_writer(folder)
        self._evaluated: dict[str, Any] = {}  # the last figures of an evaluation, which few rows have

    def write(self, row: dict[str, Any], last: bool) -> None:
        """Write one iteration's row, which has total_steps among others."""
        self._folder.write_progress({name: _plain(value) for name, value in row.items()})
        now, steps = monotonic(), row["total_steps"]
        evaluated = {name: value for name, value in row.items() if name.startswith("eval_") and value is not None}
        self._evaluated |= evaluated
        if last or evaluated or now - self._summarized_at >= SUMMARY_INTERVAL:
            self._summarized_at = now
            self._write_summary(row)
        if last or now - self._shown_at >= self._log_interval:
            print(table({**row, **self._evaluated, **self._speed(now, steps)}), flush=True)
            self._shown_at, self._since = now, (now, steps)
        self._since = self._since or (now, steps)

    def _speed(self, now: float, steps: int) -> dict[str, Any]:
        """Return steps per second since the last table, and the time that is left; not of what compiles too."""
        left = max(self._num_timesteps - steps, 0)
        if self._since is None:
            return {"steps_per_second": COMPILING, "time_left": COMPILING if left else duration(0)}
        rate = (steps - self._since[1]) / max(now - self._since[0], 1e-9)
        return {"steps_per_second": rate, "time_left": duration(left / rate)}

    def _write_summary(self, row: dict[str, Any]) -> None:
        if self._summary is None:
            return
        import tensorflow as tf

        # A full disk is reported by progress.csv, the log of record; it must not stop the training.
        with suppress(OSError, tf.errors.OpError), self._summary.as_default(step=row["total_steps"]):
            for name, value in row.items():
                if isinstance(value, int | float) and not math.isnan(value):
                    tf.summary.scalar(tag(name), np.float32(value))  # each Python number would be kept for ever
            self._summary.flush()

    def film(self, path: Path, step: int) -> None:
        """Show a film, a gif, among TensorBoard's images."""
        if self._summary is None:
            return
        import tensorflow as tf
        from PIL import Image
        from tensorboard.plugins.image.metadata import create_summary_metadata

        with suppress(OSError, tf.errors.OpError), Image.open(path) as picture, self._summary.as_default(step=step):
            width, height = (str(side).encode() for side in picture.size)
            metadata = create_summary_metadata(display_name=None, description="")
            tf.summary.write("film", tf.constant([width, height, path.read_bytes()]), metadata=metadata)
            self._summary.flush()

    def close(self) -> None:
        """Close the TensorBoard events."""
        if self._summary is not None:
            import tensorflow as tf

            with suppress(OSError, tf.errors.OpError):
                self._summary.close()


def tag(name: str) -> str:
    """Return what TensorBoard calls a column, in groups: what is collected, evaluated, learned, and time."""
    collected = name.startswith(("episode", "flags", "success", "simulation")) or name in ("environments_restarted",)
    if name.startswith("eval_"):
        return f"eval/{name}"
    spent = name in ("iteration", "total_steps", "updates", "seconds", "steps_per_second", "memory_mb")
    return f"{'rollout' if collected else 'time' if spent or name.endswith('_share') else 'train'}/{name}"


def summary_writer(folder: RunFolder) -> Any:
    """Return a TensorBoard writer, or None where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    import tensorflow as tf  # loaded by the algorithm anyway

    writer = tf.summary.create_file_writer(os.fsencode(folder.path))  # whatever this terminal's encoding is
    with suppress(OSError, ValueError, tf.errors.OpError), writer.as_default(step=0):
        config = (folder.path / CONFIG).read_text(encoding="utf-8")
        tf.summary.text("config", "\n".join(f"    {line}" for line in config.splitlines()))  # as Markdown's code
        with suppress(ImportError):
            from tensorboard.plugins.hparams import api

            api.hparams(fields_of(json.loads(config)))
    return writer


def fields_of(config: dict[str, Any]) -> dict[str, bool | float | str]:
    """Return the fields of a configuration by the names of their flags, as TensorBoard compares runs by."""
    groups = [
        value if isinstance(value, dict) else {name: value} for name, value in config.items() if name not in FACTS
    ]
    fields = {name: value for group in groups for name, value in group.items()}
    return {name: x if isinstance(x, bool | int | float | str) else json.dumps(x) for name, x in fields.items()}


def table(row: dict[str, Any]) -> str:
    """Return a two-column table of names and values."""
    cells = [(name, _shown(value)) for name, value in row.items()]
    left, right = max(len(name) for name, _ in cells), max(len(value) for _, value in cells)
    rule = f"+{'-' * (left + 2)}+{'-' * (right + 2)}+"
    return "\n".join([rule, *(f"| {name:<{left}} | {value:>{right}} |" for name, value in cells), rule])


def duration(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _plain(value: Any) -> Any:
    """Return the value for the CSV: an empty cell for what is not known."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else _large(value)


def _large(value: Any) -> str:
    return f"{value:,.0f}".replace(",", " ") if isinstance(value, float) else str(value)
