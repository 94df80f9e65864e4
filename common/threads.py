"""One thread per rank, decided before the libraries that start threads are imported."""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads() -> None:
    """Give numpy and TensorFlow one thread each, unless the user has set something else.

    The ranks are the parallelism. Several threads per rank would fight for the cores, and would make sums
    depend on their number.
    """
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
