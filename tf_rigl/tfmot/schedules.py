"""TFMOT's pruning schedules as a method of this library."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning
from tf_rigl.backend.flavor import find_class_flavor
from tf_rigl.tfmot.wrappers import wrappers

KNOWN = ("PolynomialDecay", "ConstantSparsity")


def pruning(source: Any, offset: int | None = None) -> TFMOTPruning:
    """Returns the method that prunes by a TFMOT schedule.

    In the forward pass of every batch, each weight has as many active
    connections as under TFMOT: it is pruned at the same steps, by the same
    arithmetic. Use `UpdateMasks(tf_rigl.tfmot.pruning(schedule))` to train a
    model from `tf_rigl.tfmot.prepare`, or from
    `tf_rigl.tfmot.convert(model, keep_pruning=True)`.

    Args:
        source: a `PolynomialDecay` or `ConstantSparsity`, the result of its
            `get_config`, or a model that TFMOT is pruning and that
            `tf_rigl.tfmot.convert` has not converted yet. The method then
            continues from the model's pruning step.
        offset: TFMOT's pruning step minus the optimizer's step. By default 0
            for a schedule, so that both begin together, and the difference
            of the model's counters for a model.

    Returns:
        The method, with the `final_sparsity` of the schedule.

    Raises:
        TypeError: if `source` has another type.
        ValueError: if the class of the schedule is unknown, if its sparsity
            falls or it takes no time, or if the weights of the model have
            several schedules.

    Example:
        >>> tf_rigl.tfmot.pruning(
        ...     tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, 0, 1000)
        ... )
    """
    flavor = find_class_flavor(type(source))
    if flavor is None or not flavor.is_model(source):
        return from_schedule(source, offset or 0)

    found = wrappers(flavor, source)
    configs = [wrapper.pruning_schedule.get_config() for wrapper in found]
    steps = {int(wrapper.pruning_step.numpy()) for wrapper in found}
    if not found or len(steps) > 1 or any(c != configs[0] for c in configs):
        raise ValueError(
            "A model must have pruning wrappers of TFMOT that share one "
            f"schedule and one step. Received: model={source.name!r} with "
            f"schedules={configs} and pruning_steps={sorted(steps)}. Pass a "
            "schedule instead of the model."
        )

    if offset is None:
        offset = steps_taken(found[0]) - _iterations(source)
    return from_schedule(configs[0], offset)


def from_schedule(schedule: Any, offset: int) -> TFMOTPruning:
    """Returns the method for a schedule or its configuration.

    Raises:
        TypeError: if `schedule` is neither.
        ValueError: if the schedule is unknown or cannot be followed.
    """
    config = schedule
    if not isinstance(schedule, Mapping):
        if isinstance(schedule, type) or not hasattr(schedule, "get_config"):
            raise TypeError(
                "`schedule` must be a pruning schedule of TFMOT or its "
                f"configuration. Received: schedule={schedule!r}. Pass "
                "`PolynomialDecay(...)` or `ConstantSparsity(...)`."
            )
        config = schedule.get_config()

    name = config.get("class_name")
    # Keras writes registered classes as package>name.
    if name is None or name.rpartition(">")[2] not in KNOWN:
        raise ValueError(
            f"A TFMOT schedule must be one of {KNOWN}. Received: "
            f"class_name={name!r}. For another one, write a method: a "
            "subclass of tf_rigl.algorithms.Algorithm."
        )

    arguments = dict(config["config"])
    if "target_sparsity" in arguments:
        target = arguments.pop("target_sparsity")
        arguments |= {"initial_sparsity": target, "final_sparsity": target}
    return TFMOTPruning(**arguments, offset=offset)


def steps_taken(wrapper: Any) -> int:
    """Counts the batches that a wrapper has been trained on."""
    # The pruning step of TFMOT begins at -1.
    return max(int(wrapper.pruning_step.numpy()), 0)


def _iterations(model: Any) -> int:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return 0
    return int(tf.convert_to_tensor(optimizer.iterations))
