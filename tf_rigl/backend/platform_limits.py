"""Checks for setups in which Keras or TensorFlow cannot train.

Without them, training fails in the first batch with an obscure trace. Each rule
was observed on TensorFlow 2.21, Keras 3.15 and tf_keras 2.21; all but the one
on mask updates apply to dense models as well.
"""

from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core.schedules import UpdateSchedule

_TRAINING_JOBS = ("chief", "worker")
_USE_TF_KERAS = "Use tf_keras (`keras2`), which trains so"


class Platform(NamedTuple):
    """The devices on which a model is trained."""

    kind: str  # a key of `_KINDS`, or "other"
    replicas: int = 1  # total number, each with a copy of the weights
    workers: int = 1  # number of processes that compute steps
    on_cpu: bool = False  # whether the replicas run on CPUs


_KINDS: dict[str, Any] = {
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
    "parameter_server": tf.distribute.ParameterServerStrategy,
}


def platform_of(strategy: Any) -> Platform:
    """Returns the platform of a distribution strategy."""
    for kind, cls in _KINDS.items():
        if isinstance(strategy, cls):
            devices = strategy.extended.worker_devices
            return Platform(
                kind,
                strategy.num_replicas_in_sync,
                _count_workers(strategy),
                all("CPU" in device.upper() for device in devices),
            )
    return Platform("other", strategy.num_replicas_in_sync)


def check_fit(
    platform: Platform,
    keras: str,
    steps_per_execution: int = 1,
    jit_compile: bool = False,
) -> None:
    """Raises a ValueError if `fit` is known to fail on a platform.

    `keras` is `"keras3"` or `"keras2"`; the last two arguments are those of
    `compile`.
    """
    if keras == "keras3":
        _check_keras_3(platform, steps_per_execution)
    _, replicas, _, on_cpu = platform
    if jit_compile and on_cpu and replicas > 1:
        raise ValueError(
            "Keras compiles the steps of several replicas by XLA on "
            "accelerators only. Received: jit_compile=True with "
            f"{replicas} replicas on processors. Compile the model with "
            "jit_compile=False."
        )


def check_fit_of(model: Any, keras: str) -> None:
    """Checks a compiled model as `check_fit` does.

    A model is trained under the strategy that it was created in.
    """
    check_fit(
        platform_of(model.distribute_strategy),
        keras,
        # Keras 2 stores it elsewhere and does not have this limit.
        getattr(model, "steps_per_execution", 1),
        bool(model.jit_compile),
    )


def check_in_one_piece(variable: Any, path: str) -> None:
    """Raises a ValueError if a weight is sharded over several variables."""
    # The class has no public name.
    if type(variable).__name__ == "ShardedVariable":
        raise ValueError(
            "A weight must be in one piece to be masked. Received: "
            f"{path!r}, cut into {len(variable.variables)} for parameter "
            "servers. Make the strategy without `variable_partitioner`, or "
            "exclude weights from it that should be sparse."
        )


def check_mask_updates(platform: Platform) -> None:
    """Raises a ValueError if masks cannot be updated on a platform.

    Workers of a parameter server step asynchronously, also during a mask update
    of another worker. With two workers this was observed to cause connections
    outside the mask, skipped or repeated updates, and non-finite gradients.
    """
    if platform.kind == "parameter_server" and platform.workers > 1:
        raise ValueError(
            "With a parameter server only a single worker can update masks; "
            "several take their steps amid each other's updates. Received: "
            f"{platform.workers} workers. Use MultiWorkerMirroredStrategy, "
            "one worker, or tf_rigl.Static()."
        )


def check_mask_updates_of(model: Any, schedule: UpdateSchedule | None) -> None:
    """Checks a model and its schedule as `check_mask_updates` does."""
    if schedule is not None:
        check_mask_updates(platform_of(model.distribute_strategy))


def _check_keras_3(platform: Platform, steps_per_execution: int) -> None:
    """Raises a ValueError if `fit` of Keras 3 fails on the platform."""
    kind, replicas, workers, _ = platform

    if kind == "multi_worker" and workers > 1:
        raise ValueError(
            "`fit` of Keras 3 fails under MultiWorkerMirroredStrategy. "
            f"Received: {workers} workers. {_USE_TF_KERAS}, or a training "
            "loop of your own with `tf_rigl.attach`."
        )

    if kind == "parameter_server":
        raise ValueError(
            "`fit` of Keras 3 fails under ParameterServerStrategy. Received: "
            f"a model of Keras 3. {_USE_TF_KERAS}."
        )

    if kind == "mirrored" and replicas > 1 and steps_per_execution > 1:
        raise ValueError(
            "`fit` of Keras 3 fails with several steps per execution under "
            f"MirroredStrategy. Received: steps_per_execution="
            f"{steps_per_execution} with {replicas} replicas. {_USE_TF_KERAS}, "
            "or steps_per_execution=1."
        )


def _count_workers(strategy: Any) -> int:
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        # The `cluster_resolver` of this strategy is None.
        return strategy._num_workers
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec().as_dict() if resolver else {}
    # The cluster of a local strategy has no jobs.
    return max(sum(len(cluster.get(job, ())) for job in _TRAINING_JOBS), 1)
