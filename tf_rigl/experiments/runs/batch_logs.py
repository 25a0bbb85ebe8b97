"""The values that Keras logs for a batch, on whatever devices."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import model_flavor


def batch_means(model: Any, logs: Any) -> dict[str, float]:
    """Returns the metrics of a batch: their means since the epoch began.

    Waits for the device. The result is empty where Keras gives no values: with
    a parameter server they are promises.
    """
    if not isinstance(logs, Mapping):
        return {}

    # tf_keras sums what each worker has, which is the mean over all of them.
    workers = 1
    strategy = getattr(model, "distribute_strategy", None)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        local = len(strategy.extended.worker_devices)
        if model_flavor(model).name == "keras2":
            workers = strategy.num_replicas_in_sync // local
    return {name: float(value) / workers for name, value in logs.items()}
