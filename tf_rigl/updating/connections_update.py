"""Mask updates of weights that are stored by their connections."""

from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import StepInfo
from tf_rigl.algorithms.connections import ConnectionsView
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.connections import Connections
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import assign_unguarded
from tf_rigl.updating import slots
from tf_rigl.updating.growth import Growth


class ConnectionSlots:
    """Moves slots along when a weight's connections change from outside."""

    def __init__(
        self, flavor: Flavor, optimizer: Any, record: MaskedWeight
    ) -> None:
        self._flavor = flavor
        self._optimizer = optimizer
        self._record = record

    def put(self) -> None:
        """Watches the weight's connections."""
        self._record.guard.listeners[id(self)] = self._follow

    def remove(self) -> None:
        """Undoes `put`."""
        self._record.guard.listeners.pop(id(self), None)

    def mask(self) -> None:
        """Does nothing: no slot has an inactive position."""

    def _follow(self) -> None:
        came_from = connections_of(self._record).came_from
        if came_from is None:
            return
        for slot in slots.slots_of(self._flavor, self._optimizer, self._record):
            raw = self._flavor.raw(slot)
            if raw.is_initialized():
                present = tf.convert_to_tensor(raw)
                fresh = slots.fresh_value(self._optimizer, slot)
                moved = sparse_ops.bring_along(present, came_from, fresh)
                assign_unguarded(raw, moved)


def connections_of(record: MaskedWeight) -> Connections:
    """Returns the connections of a weight whose storage is compressed."""
    storage: Any = record.storage
    return storage.connections


def update(
    flavor: Flavor,
    optimizer: Any,
    record: MaskedWeight,
    variable: Any,
    gradient: tf.Tensor,
    growth: Growth | None,
    algorithm: Algorithm,
    when: StepInfo,
) -> None:
    """Updates connections, values, slots and counters of one weight."""
    connections = connections_of(record)
    index = connections.tensors()
    positions = sparse_ops.positions_of(index)
    values = tf.convert_to_tensor(variable)

    result = algorithm.update_connections(
        ConnectionsView(
            record.key,
            record.size,
            values,
            positions,
            tf.cast(gradient, tf.float32),
            tf.zeros([0], tf.int64)
            if growth is None
            else tf.convert_to_tensor(growth.positions),
            tf.zeros([0])
            if growth is None
            else tf.convert_to_tensor(growth.scores),
        ),
        when,
    )
    new_index, came_from = sparse_ops.drop_and_grow(
        values,
        result.scores,
        index,
        result.candidates,
        result.candidate_scores,
        result.count,
    )

    connections.assign_index(new_index)
    moved = sparse_ops.bring_along(values, came_from)
    assign_unguarded(flavor.raw(variable), moved)
    for slot in slots.slots_of(flavor, optimizer, record):
        fresh = slots.fresh_value(optimizer, slot)
        value = tf.convert_to_tensor(slot)
        slot.assign(sparse_ops.bring_along(value, came_from, fresh))

    grown = tf.reduce_sum(tf.cast(came_from < 0, tf.int64))
    finite = tf.reduce_all(tf.math.is_finite(result.scores)) & tf.reduce_all(
        tf.math.is_finite(result.candidate_scores)
    )
    happened = tf.cast(finite, tf.int64)
    record.counters.assign_add(tf.stack([happened, grown, 1 - happened]))
