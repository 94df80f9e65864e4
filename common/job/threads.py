"""One thread per rank, decided if possible before the libraries that start threads are imported."""

from __future__ import annotations

import os
import sys

from baselines_ppo.common.failures import UsageError, short

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TENSORFLOW_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
RESULT_VARIABLES = (*VARIABLES, *TENSORFLOW_VARIABLES, "TF_ENABLE_ONEDNN_OPTS")  # that last bits may depend on


def limit_checked_threads() -> None:
    """Do as `limit_threads`, and refuse numbers that are none before a library does so in its own way.

    Raises:
      UsageError: names the variable.
    """
    for variable in (*VARIABLES, *TENSORFLOW_VARIABLES):
        value = os.environ.get(variable, "")
        parts = value.split(",") if variable in VARIABLES else [value]  # of OpenMP's nested levels
        if value and not all(part.strip().isdecimal() for part in parts):
            raise UsageError(f"the environment variable {variable} is {short(value)}, expected a number; unset it")
    limit_threads()


def limit_threads() -> None:
    """Give numpy and TensorFlow one thread each, and TensorFlow oneDNN, unless the user has set something else.

    The ranks are the parallelism. Several threads per rank would fight for the cores, and would make sums
    depend on their number: 1.4 times slower on Humanoid with numpy's alone.
    """
    chosen = any(os.environ.get(variable) for variable in VARIABLES)
    threads = os.environ.get("OMP_NUM_THREADS") or "1"
    for variable in VARIABLES:
        os.environ[variable] = os.environ.get(variable) or threads
    tensorflow = {
        "TF_NUM_INTRAOP_THREADS": threads.split(",")[0],
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",  # convolutions twice as fast where TensorFlow's default is without, as on AVX2
        "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
    }
    for variable, value in tensorflow.items():
        os.environ[variable] = os.environ.get(variable) or value
    if not chosen and "numpy" in sys.modules:  # which has started its threads already, as many as there are cores
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
