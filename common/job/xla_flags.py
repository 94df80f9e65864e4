"""Whether TensorFlow's compiler takes the flags that the environment has for it: it ends the process if not."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from baselines_ppo.common.failures import UsageError, short

NAMES = ("XLA_FLAGS", "TF_XLA_FLAGS")
# The flags are read by the first function that is compiled, and no sooner.
COMPILES = "import tensorflow as tf; tf.function(lambda: tf.constant(0.0) + 1.0, jit_compile=True)()"
FATAL = re.compile(r"^F\d{4} .*?\] (.*)$", re.MULTILINE)


def check_xla_flags() -> None:
    """Compile something in another process, which takes seconds; without such variables there is nothing to do.

    Raises:
      UsageError: that process ended; says which variables are set, and what the compiler said.
    """
    if not (given := [f"{name}={os.environ[name]}" for name in NAMES if os.environ.get(name)]):
        return
    tried = subprocess.run([sys.executable, "-c", COMPILES], capture_output=True, text=True, errors="replace")
    if tried.returncode != 0:
        said = FATAL.search(tried.stderr)
        reason = said[1] if said else f"a test of them ended with code {tried.returncode}"
        raise UsageError(f"TensorFlow cannot use {short(' '.join(given))}: {short(reason)}; change or unset it")
