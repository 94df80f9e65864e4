"""TensorBoard: its events are in the run folder, so that `tensorboard --logdir runs` shows all runs."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baselines_ppo.common.trackers.configuration import flat


class TensorBoard:
    """Writes scalars, the configuration as text, and its fields as hyperparameters (HParams)."""

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Write the configuration."""
        import tensorflow as tf  # loaded by the algorithm anyway

        self._writer = tf.summary.create_file_writer(os.fsencode(folder))  # whatever this terminal's encoding is
        with self._writer.as_default(step=0):
            lines = json.dumps(config, indent=1).splitlines()
            tf.summary.text("config", "\n".join(f"    {line}" for line in lines))  # as Markdown's code
            from tensorboard.plugins.hparams import summary_v2  # its `api` imports Keras: a second and 50 MB

            summary_v2.hparams(flat(config))

    def row(self, row: Mapping[str, float], step: int) -> None:
        """Write scalars."""
        import numpy as np
        import tensorflow as tf

        with self._writer.as_default(step=step):
            for name, value in row.items():
                tf.summary.scalar(name, np.float32(value))  # each Python number would be kept for ever
            self._writer.flush()

    def film(self, path: Path, step: int) -> None:
        """Keep a gif, which moves in the browser; other films stay in the run folder."""
        if path.suffix == ".gif":
            import tensorflow as tf
            from tensorboard.plugins.image import metadata

            picture = path.read_bytes()
            width, height = struct.unpack_from("<HH", picture, 6)  # behind GIF89a
            with self._writer.as_default(step=step):
                parts = tf.constant([str(width).encode(), str(height).encode(), picture])
                tf.summary.write("film", parts, metadata=metadata.create_summary_metadata("film", ""))
                self._writer.flush()

    def close(self) -> None:
        """Close the events."""
        self._writer.close()
