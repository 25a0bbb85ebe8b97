"""Checks that all replicas hold the same masks.

Masks agree by construction: gradients are summed over replicas before masks
are updated, and randomness is a function of seed, weight and step. Only outside
causes can make them differ: a worker that restored another checkpoint or runs
another version, a mask assigned on one replica, or faulty memory.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core.mask_hash import mask_hash
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights


def check_replicas(model: Any) -> None:
    """Raises unless the masks of a model are the same on all replicas.

    Each replica hashes its copy of each mask to 64 bits and sends the hash
    with the counters of mask updates, 32 bytes a weight. Call this outside of
    `strategy.run`. Every worker must call it after the same step, since the
    call waits for all of them.

    Args:
        model: a model of either Keras, masked by `sparsify`.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is dense or not built yet, or if the call is
            made within a replica.
        RuntimeError: if replicas differ, naming the weights and replicas.
    """
    ReplicaCheck(model).check()


class ReplicaCheck:
    """A check of a model's replicas that is traced once and called often.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is dense or not built yet.
    """

    def __init__(self, model: Any) -> None:
        self._records = require_masked_weights(model)
        # A variable that is not distributed has no such attribute.
        self._strategy: Any = getattr(
            self._records[0].counters, "distribute_strategy", None
        )
        self._gather = tf.function(self._gather_from_all)

    def check(self) -> None:
        """Raises a RuntimeError if replicas differ; see `check_replicas`."""
        strategy = self._strategy
        if strategy is None or strategy.num_replicas_in_sync == 1:
            return
        in_all = tf.distribute.in_cross_replica_context()
        if tf.distribute.has_strategy() and not in_all:
            raise ValueError(
                "Replicas must be compared outside of `strategy.run`. "
                "Received: a call within it. Call it afterwards."
            )
        with strategy.scope():
            gathered = self._gather().numpy()
        _check_equal(self._records, gathered)

    @tf.autograph.experimental.do_not_convert
    def _gather_from_all(self) -> tf.Tensor:
        """Returns the fingerprints, int64 [replicas, weights, 4]."""
        return self._strategy.experimental_local_results(
            self._strategy.run(self._gather_in_replica)
        )[0]

    def _gather_in_replica(self) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        return context.all_gather(_fingerprint(self._records)[None], axis=0)


class CheckAfterUpdates:
    """Compares replicas during `fit`, after each mask update.

    They are also compared after the first batch, since a worker may have
    restored another checkpoint. `model` must be masked by then.
    """

    def __init__(self, model: Any, watch: "UpdateWatch") -> None:
        self._model = model
        self._watch = watch
        self._check: ReplicaCheck | None = None  # until the first batch

    def begin_epoch(self) -> None:
        """Notes that Keras numbers batches from 0 again."""
        self._watch.begin_epoch()

    def after_batch(self, batch: int) -> None:
        """Compares the replicas if masks may have been updated.

        `batch` is the number that Keras passes to `on_train_batch_end`.

        Raises:
            RuntimeError: if the replicas differ.
        """
        updated = self._watch.updated(batch)
        if self._check is None:
            # A deferred model has its weights only after the first batch.
            self._check = ReplicaCheck(self._model)
        elif not updated:
            return
        self._check.check()


class UpdateWatch:
    """Infers from the number of batches whether masks may have been updated.

    All workers count the same batches and so reach the same answer without
    reading from a device. If loss scaling skips steps, an update comes later
    than inferred and is covered by the next check. `steps` is the number of
    optimizer steps before the first batch.
    """

    def __init__(
        self,
        schedule: UpdateSchedule | None,
        steps: int,
        accumulation_steps: int = 1,
    ) -> None:
        self._schedule = schedule
        self._steps = steps
        self._accumulation_steps = accumulation_steps
        self._batches = 0  # in epochs that have ended
        self._batches_before = 0  # at the last call of `updated`, in all

    def begin_epoch(self) -> None:
        """Notes that Keras numbers batches from 0 again."""
        self._batches = self._batches_before

    def updated(self, batch: int) -> bool:
        """Returns whether masks may have been updated since the last call.

        `batch` is the number of the latest batch within the epoch, from 0, as
        Keras passes it to `on_train_batch_end`. With several steps per
        execution, Keras leaves out some numbers.
        """
        first, end = self._batches_before, self._batches + batch + 1
        self._batches_before = end
        if self._schedule is None:
            return False

        # Accumulation may have begun with any batch, so both ends are rounded
        # outwards.
        return any(
            self._schedule.is_update(self._steps + step)
            for step in range(
                first // self._accumulation_steps,
                -(-end // self._accumulation_steps),
            )
        )


def _fingerprint(records: list[MaskedWeight]) -> tf.Tensor:
    """Returns the mask hash and counters of each weight, int64 [weights, 4]."""
    return tf.stack(
        [
            tf.concat(
                [
                    mask_hash(record.mask)[None],
                    tf.convert_to_tensor(record.counters),
                ],
                axis=0,
            )
            for record in records
        ]
    )


def _check_equal(records: list[MaskedWeight], gathered: np.ndarray) -> None:
    """Raises unless fingerprints, int64 [replicas, weights, 4], are equal."""
    differences = [
        f"{what} of {record.path!r}: {_groups(columns)}"
        for index, record in enumerate(records)
        for what, columns in (
            ("mask", gathered[:, index, :1]),
            ("counters of mask updates", gathered[:, index, 1:]),
        )
        if np.any(columns != columns[0])
    ]

    if differences:
        raise RuntimeError(
            "All replicas must hold the same masks. Received: "
            f"{'; '.join(differences)}. Restore all workers from one "
            "checkpoint, and see that they run the same code."
        )


def _groups(rows: np.ndarray) -> str:
    """Groups the replicas that agree: `replicas [0, 1, 3] against [2]`."""
    groups = defaultdict(list)
    for replica, row in enumerate(rows):
        groups[row.tobytes()].append(replica)
    largest_first = sorted(groups.values(), key=len, reverse=True)
    return "replicas " + " against ".join(map(str, largest_first))
