"""Importing TensorFlow the way a job of many ranks needs it: on the CPU, one thread, without its greetings."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from baselines_ppo.common.job.launcher import launched_by_mpi
from baselines_ppo.common.job.memory import return_loaded_code
from baselines_ppo.common.job.opengl import check_not_drawn, draw_beside_tensorflow
from baselines_ppo.common.job.threads import limit_checked_threads

# What TensorFlow imports of Keras, if it can, and all of Keras with it: a second and 60 MB for each rank. The package
# itself must stay to be seen, or TensorFlow notes that there is no `tensorflow.keras`.
KERAS = "keras.src.optimizers"


def start_tensorflow(alone: bool = False) -> None:
    """Import TensorFlow and fix its threads, which does nothing if the user has imported it already.

    Args:
      alone: whether this process is ours; in a user's own, whatever is in memory may be garbage one day.

    Raises:
      UsageError: it would crash, as pictures were drawn in this process; or a number of threads is none.
    """
    if "tensorflow" in sys.modules:
        draw_beside_tensorflow()
        return
    check_not_drawn()
    limit_checked_threads()
    with _kept() if alone else nullcontext(), quiet(), _absent(KERAS):
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # many ranks would fight for one GPU's memory
        tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["TF_NUM_INTRAOP_THREADS"]))
        tf.config.threading.set_inter_op_parallelism_threads(int(os.environ["TF_NUM_INTEROP_THREADS"]))
        tf.get_logger().setLevel("ERROR")  # it warns of retracing while shapes are still becoming general
        tf.constant(0.0)  # starts the runtime, which greets too
    if alone:
        return_loaded_code()  # of the import; compiling would come on top of it
    if not launched_by_mpi():  # as in a notebook, which may draw too
        draw_beside_tensorflow()


@contextmanager
def as_started() -> Iterator[None]:
    """Compute on the CPU and by compiled functions, whatever an environment that uses TensorFlow has chosen."""
    if "tensorflow" not in sys.modules:
        yield
        return
    import tensorflow as tf

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(False)
    try:
        with tf.device("/CPU:0"):
            yield
    finally:
        tf.config.run_functions_eagerly(eagerly)


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let a module that is not loaded yet seem to be missing; afterwards it can be imported as ever."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # so that Python's import raises ModuleNotFoundError
    try:
        yield
    finally:
        del sys.modules[module]


@contextmanager
def _kept() -> Iterator[None]:
    """Keep all that is in memory afterwards out of Python's search for garbage: that takes a rank a second and more.

    An import makes four hundred thousand objects that stay. Each search would look at them again.
    """
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, below Python's reach; show it if the import fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
