"""The `tf.distribute` strategies of a flag; see docs/distribution.md.

Make the strategy before TensorFlow runs anything else: workers, TPUs and
logical CPU devices cannot be set up later.
"""

from typing import Any

import tensorflow as tf

from tf_rigl.backend import platform_limits
from tf_rigl.backend.platform_limits import Platform
from tf_rigl.experiments import cluster
from tf_rigl.experiments.runs.choices import STRATEGIES


def make_strategy(
    name: str,
    keras: str | None = None,
    *,
    devices: int | None = None,
    tpu: str = "",
    steps_per_execution: int = 1,
    jit_compile: bool = False,
) -> tf.distribute.Strategy:
    """Makes a strategy by its name.

    Args:
        name: one of `STRATEGIES`. `"one_device"`: the first accelerator, or
            the CPU. `"mirrored"`: devices of this machine. `"multi_worker"`:
            the workers in TF_CONFIG. `"parameter_server"`: this process
            coordinates the workers and parameter servers in TF_CONFIG.
            `"tpu"`: all cores of a TPU.
        keras: `"keras3"` or `"keras2"`, whose `fit` will train, to raise
            errors for limits of `fit`. None for a custom training loop.
        devices: the number of replicas for `"mirrored"`, at least 1; by
            default all devices. Without accelerators, the replicas are
            logical CPU devices, which are created.
        tpu: the name or address for `"tpu"`; `"local"` on the machine of the
            TPU.
        steps_per_execution: as it will be passed to `compile`.
        jit_compile: likewise.

    Returns:
        The strategy. `"multi_worker"` waits for all workers.

    Raises:
        ValueError: if the name is unknown or an argument belongs to another
            strategy; if TF_CONFIG is missing or malformed; if the TPU does
            not answer or devices are missing; or if this Keras cannot train
            so with the strategy.
    """
    _check_arguments(name, devices, tpu)
    if keras is not None:
        platform_limits.check_fit(
            _platform(name, devices), keras, steps_per_execution, jit_compile
        )

    if name == "one_device":
        # The default strategy uses the first accelerator. With
        # `OneDeviceStrategy`, Keras 3 reads a batch before it trains, and the
        # same seed gave another accuracy.
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_mirrored_devices(devices))
    if name == "multi_worker":
        cluster.read_cluster(name)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "parameter_server":
        return _parameter_server_strategy()
    return _tpu_strategy(tpu)


def _check_arguments(name: str, devices: int | None, tpu: str) -> None:
    if name not in STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. "
            f"Received: strategy={name!r}."
        )

    if devices is not None and name != "mirrored":
        raise ValueError(
            "`devices` is the number of replicas of the strategy 'mirrored'. "
            f"Received: devices={devices}, strategy={name!r}."
        )
    if devices is not None and devices < 1:
        raise ValueError(
            f"`devices` must be at least 1. Received: devices={devices}."
        )

    if tpu and name != "tpu":
        raise ValueError(
            "`tpu` names a TPU for the strategy 'tpu'. "
            f"Received: tpu={tpu!r}, strategy={name!r}."
        )


def _platform(name: str, devices: int | None) -> Platform:
    """Describes the platform of a strategy before it is made."""
    accelerators = len(tf.config.list_physical_devices("GPU"))
    on_cpu = not accelerators
    if name == "mirrored":
        present = accelerators or len(_logical_processors())
        return Platform(name, devices or present, 1, on_cpu)
    if name == "multi_worker":
        jobs = cluster.read_cluster(name).jobs
        workers = len(jobs["worker"]) + len(jobs.get("chief", ()))
        return Platform(name, workers * max(accelerators, 1), workers, on_cpu)
    if name == "parameter_server":
        return Platform(name, 1, len(cluster.read_cluster(name).jobs["worker"]))
    return Platform("other")


def _mirrored_devices(devices: int | None) -> list[str] | None:
    """Names this many devices, creating logical CPUs; None for the default."""
    if devices is None:
        return None

    accelerators = len(tf.config.list_physical_devices("GPU"))
    if accelerators:
        if devices > accelerators:
            raise ValueError(
                "`devices` must not exceed the accelerators of this machine. "
                f"Received: devices={devices} with {accelerators} of them. "
                "Set CUDA_VISIBLE_DEVICES='' to mirror on processors."
            )
        return [f"GPU:{index}" for index in range(devices)]

    if len(_logical_processors()) < devices:
        wanted = [tf.config.LogicalDeviceConfiguration()] * devices
        try:
            tf.config.set_logical_device_configuration(_processor(), wanted)
        except RuntimeError as error:
            raise ValueError(
                "Logical processors must be made before TensorFlow runs "
                f"anything. Received: devices={devices} when it has already. "
                "Make the strategy first."
            ) from error
    return [f"CPU:{index}" for index in range(devices)]


def _logical_processors() -> list[Any]:
    """Lists the logical CPU devices; by default TensorFlow creates one."""
    configured = tf.config.get_logical_device_configuration(_processor())
    return configured or [tf.config.LogicalDeviceConfiguration()]


def _processor() -> Any:
    return tf.config.list_physical_devices("CPU")[0]


def _parameter_server_strategy() -> tf.distribute.Strategy:
    if cluster.is_server("parameter_server"):
        raise ValueError(
            "Workers and parameter servers do not train by themselves. "
            "Received: a task of "
            f"{cluster.read_cluster('parameter_server').job!r} in "
            f"{cluster.VARIABLE}. Call `cluster.serve()` there."
        )
    return tf.distribute.ParameterServerStrategy(
        tf.distribute.cluster_resolver.TFConfigClusterResolver()
    )


def _tpu_strategy(tpu: str) -> tf.distribute.Strategy:
    try:
        resolver: Any = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            "The strategy 'tpu' needs a TPU that answers. "
            f"Received: tpu={tpu!r} ({first_line}). Pass its name or "
            "address, or 'local' on its own machine with a TensorFlow built "
            "for TPUs; elsewhere choose 'mirrored' or 'one_device'."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
