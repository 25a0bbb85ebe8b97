"""From connections to dense matrices, where a method needs all positions.

`sparsify(storage="auto")` chooses a storage before it is known by which method
the model will be trained. Weights that were compressed by that choice are
stored as matrices once a training begins that connections are not enough for.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing.training_state import build_optimizer
from tf_rigl.masking import deferred
from tf_rigl.masking import masked_layer
from tf_rigl.masking import state_store
from tf_rigl.masking import storage_choice
from tf_rigl.masking import storages
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import connection_growths
from tf_rigl.updating import renewed_optimizers
from tf_rigl.updating import slots
from tf_rigl.updating import train_functions
from tf_rigl.updating.connections_update import connections_of

_XLA = "XLA has no kernels for it"
_STEPS = 10_000


def suit(
    model: Any,
    find_optimizers: Callable[[], Sequence[Any]],
    algorithm: Algorithm,
    penalties: Sequence[Penalty],
    *,
    renews: bool = True,
) -> None:
    """Stores weights as matrices if connections are not enough for a training.

    It is done for those that were compressed by choice and not as asked for.

    Args:
        model: a model, masked or waiting to be.
        find_optimizers: returns the optimizers that will train it.
        algorithm: the method.
        penalties: further terms of the loss.
        renews: whether optimizers are the model's, which may be replaced by new
            ones with the same state. Otherwise, nothing is done if one was
            built for the weights.

    Raises:
        ValueError: if connections are not enough for a weight that was to be
            stored by them.
    """
    flavor = model_flavor(model)
    is_deferred = deferred.is_deferred(model)
    compressed = [
        record
        for record in ([] if is_deferred else masked_weights(model))
        if record.storage.is_compressed
    ]
    if not compressed and not is_deferred:
        return

    optimizers = find_optimizers()
    # What a method needs does not depend on the number of steps.
    algorithm = algorithm.resolve(_STEPS)
    reasons = [
        connection_growths.reason_against(
            flavor,
            one,
            "LossScale" in type(optimizer).__name__,
            algorithm,
            penalties,
        )
        for optimizer in optimizers
        for one in flavor.updating_optimizers(optimizer)
    ]
    if getattr(model, "jit_compile", None) is True:
        reasons.insert(0, _XLA)
    reason = next(filter(None, reasons), None)
    if is_deferred:
        storage_choice.rule_out(model, reason)
        return
    if reason is None:
        return

    records = list(filter(storage_choice.is_chosen, compressed))
    paths = [
        one.path for one in compressed if not storage_choice.is_chosen(one)
    ]
    if paths and reason == _XLA:
        raise ValueError(
            "Weights stored by their connections are not compiled by XLA. "
            f"Received: jit_compile=True for {paths}. Compile the model with "
            "jit_compile=False, or sparsify it with storage='masked'."
        )
    # Of other reasons it depends on the optimizer which weights they are for.
    if paths and algorithm.requirements.needs_dense:
        raise ValueError(connection_growths.refusal(paths, reason))
    if renews or not _have_slots(flavor, optimizers, records):
        replace_storage(flavor, model, find_optimizers, records, reason)


def _have_slots(
    flavor: Flavor, optimizers: Sequence[Any], records: Sequence[MaskedWeight]
) -> bool:
    return any(
        flavor.variable_index(one, record.variable) is not None
        for optimizer in optimizers
        for one in flavor.updating_optimizers(optimizer)
        if flavor.optimizer_is_built(one)
        for record in records
    )


def replace_storage(
    flavor: Flavor,
    model: Any,
    find_optimizers: Callable[[], Sequence[Any]],
    records: Sequence[MaskedWeight],
    reason: str,
) -> None:
    """Replaces the storage of weights, and their slots with it."""
    if not records:
        return
    optimizers = find_optimizers()
    has_slots = _have_slots(flavor, optimizers, records)
    states = [
        _dense_state(flavor, optimizer, records) for optimizer in optimizers
    ]
    hosts = {id(record.host): record.host for record in records}
    for host in hosts.values():
        _mask_host(model, host, reason)
    train_functions.forget(model)
    if not has_slots:
        return

    renewed_optimizers.renew(flavor, model)
    for optimizer, state in zip(find_optimizers(), states, strict=True):
        if state is not None:
            build_optimizer(model, optimizer)
            variables = flavor.optimizer_state(optimizer)
            for variable, value in zip(variables, state, strict=True):
                flavor.raw(variable).assign(value)


def _dense_state(
    flavor: Flavor, optimizer: Any, records: Sequence[MaskedWeight]
) -> list[np.ndarray] | None:
    """Returns an optimizer's state as it is with dense slots."""
    updating = flavor.updating_optimizers(optimizer)
    if not all(map(flavor.optimizer_is_built, updating)):
        return None
    dense: dict[int, np.ndarray] = {}
    for one in updating:
        for record in records:
            connections = connections_of(record)
            for slot in slots.slots_of(flavor, one, record):
                raw = flavor.raw(slot)
                fresh = slots.fresh_value(one, slot)
                values = connections.dense(raw).numpy()
                if fresh:
                    values[~connections.mask().numpy()] = fresh
                dense[id(raw)] = values
    return [
        dense.get(id(flavor.raw(variable)), flavor.raw(variable).numpy())
        for variable in flavor.optimizer_state(optimizer)
    ]


def _mask_host(model: Any, host: Any, reason: str) -> None:
    """Masks a layer anew, with dense storage and the same connections."""
    config = config_of(host)
    before = {
        record.host_key: (
            record.mask.numpy(),
            record.values().numpy(),
            record.counters.numpy(),
            {name: one.numpy() for name, one in _state(record).items()},
        )
        for record in masked_weights(model)
        if record.host is host
    }
    weights = {
        key: dataclasses.replace(
            weight,
            storage=storages.DENSE,
            inputs=None,
            storage_reason=f"masked: {reason}",
        )
        if weight.storage == storages.COMPRESSED
        else weight
        for key, weight in config.weights.items()
    }
    kinds = config.state  # which `drop_masks` empties
    with tf.init_scope():
        masked_layer.drop_masks(host)
        masked_layer.carry_masks(
            host, dataclasses.replace(config, weights=weights, state={})
        )
        if kinds:
            state_store.attach_state(host, kinds)
        for record in masked_weights(model):
            if record.host is host:
                mask, values, counters, state = before[record.host_key]
                record.set_mask(mask, values)
                record.counters.assign(counters)
                for name, value in state.items():
                    _state(record)[name].assign(value)


def _state(record: MaskedWeight) -> dict[str, tf.Variable]:
    return {**record.state, **record.diagnostics}
