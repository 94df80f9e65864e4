"""Agents as SavedModels and TFLite files: networks and all around them are traced in TensorFlow."""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.job.tensorflow_start import quiet, start_tensorflow
from baselines_ppo.common.policy.arrays import Arrays, tensorflow_arrays
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.run.exporting.inputs import inputs_of
from baselines_ppo.run.exporting.tflite_arrays import difference
from baselines_ppo.run.exporting.trial import Runner
from baselines_ppo.run.exporting.whole_policy import act

SIGNATURE = "serving_default"


def save_model(policy: Policy, folder: Path, tflite: bool = False) -> None:
    """Write a policy as a SavedModel into a folder.

    Args:
      tflite: whether it does with what there is in TFLite, where nothing is computed in float64.

    Raises:
      Exception: its own network does more than there is in TensorFlow, or the folder cannot be written.
    """
    start_tensorflow()
    import tensorflow as tf

    xp, network = _arrays(tflite), policy.network
    values = network.layout.split(policy.parameters)
    specs = {each.name: tf.TensorSpec([None, *each.shape], each.dtype, each.name) for each in inputs_of(network)}

    @tf.function
    def traced(**tensors: Any) -> dict[str, Any]:
        parameters = {name: tf.constant(x) for name, x in values.items()}
        return act(xp, policy, parameters, tensors)

    with quiet():
        tf.saved_model.save(tf.Module(), str(folder), {SIGNATURE: traced.get_concrete_function(**specs)})


def tflite_file(policy: Policy) -> bytes:
    """Return a policy as the bytes of a TFLite file, with the signature of the SavedModel.

    Observations of float64 are normalised as exactly as elsewhere, see `tflite_arrays`; actions of that type have the
    bits of a float32.

    Raises:
      Exception: its own network does more than there is in TensorFlow, or the policy more than there is in TFLite.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_model(policy, Path(folder), tflite=True)
        return _converted(folder)


def _converted(folder: str) -> bytes:
    """Return a SavedModel as TFLite.

    Raises:
      TypeError: it does more than there is.
    """
    import tensorflow as tf

    failure: Exception | None = None
    with quiet():
        try:
            data: bytes = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE]).convert()
        except Exception as error:  # of many lines; more of them are held back
            failure = error
    if failure is None:
        return data
    missing = re.search(r"^\s*(tf\.\w+\(.*?\) -> \(.*?\))", str(failure), re.MULTILINE)
    raise TypeError(f"it has no {missing[1]}" if missing else str(failure))


def runner_of_model(folder: Path) -> Runner:
    """Return what a SavedModel does."""
    import tensorflow as tf

    with quiet():
        model = tf.saved_model.load(str(folder))

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = model.signatures[SIGNATURE](**{name: tf.constant(x) for name, x in given.items()})
        return {name: x.numpy() for name, x in results.items()}

    return run


def runner_of_tflite(data: bytes) -> Runner:
    """Return what a TFLite file does."""
    import tensorflow as tf

    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow says that this is found in another package, too
        runner = tf.lite.Interpreter(model_content=data).get_signature_runner(SIGNATURE)

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with quiet():  # it names what it computes with
            results: dict[str, np.ndarray] = runner(**given)
        return results

    return run


def _arrays(tflite: bool) -> Arrays:
    """Return the same functions as `ACTING`."""
    import tensorflow as tf

    return Arrays(
        **vars(tensorflow_arrays()),
        argmax=tf.argmax,
        rint=tf.round,
        transpose=tf.transpose,
        difference=difference if tflite else lambda x, subtracted: tf.cast(x, tf.float64) - subtracted,
        wide=np.dtype(np.float32 if tflite else np.float64),
    )
