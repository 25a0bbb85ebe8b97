"""Training of a part of each weight, while the rest keeps its values."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Requirements
from tf_rigl.algorithms import StepInfo
from tf_rigl.algorithms import WeightUpdate
from tf_rigl.algorithms import WeightView
from tf_rigl.algorithms.requirements import FROZEN_VALUES
from tf_rigl.backend import platform_limits
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core.drop_and_grow import changed
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.storage import assign_unguarded
from tf_rigl.updating import slots
from tf_rigl.updating.callback import UpdateMasks
from tf_rigl.updating.set_masks import check_names

_TRAINED = "is_trained"


@dataclasses.dataclass(frozen=True)
class _TrainPart(Algorithm):
    """Trains the positions that a state names; others have those of another.

    The values are not masked, so this is a latent tensor: what the step, weight
    decay or an average makes of the others is replaced before it is seen.
    """

    name = "freeze_weights"
    requirements = Requirements(
        start="any", latent=FROZEN_VALUES, dense_weights=True
    )
    mask_schedule = None

    @property
    def state(self) -> dict[str, tf.DType | None]:
        """The positions that are trained."""
        return {_TRAINED: tf.bool}

    def latent(self, weight: WeightView) -> tf.Tensor:
        """Returns the trained values and the frozen ones."""
        trained = weight.state[_TRAINED]
        return tf.where(trained, weight.values, weight.state[FROZEN_VALUES])

    def trainable_mask(self, weight: WeightView) -> tf.Tensor | None:
        """Returns the positions that are trained."""
        return weight.state[_TRAINED]

    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Leaves the masks as they are, also before the first batch."""
        del when
        return [WeightUpdate(changed(one.mask, one.mask)) for one in weights]


class FreezeWeights(UpdateMasks):
    """Trains weights where masks are true and freezes them elsewhere.

    A masked weight is zero outside its mask. Here weights have all of their
    connections, and those outside the masks keep given values exactly: in every
    step, of any optimizer, with weight decay and moving averages. Their slots
    are zero. Weights of the model that `masks` does not name, biases and all
    others are trained as with `tf_rigl.Static()`; this callback takes its
    place.

    So the treatments of pruned weights in Zhou et al. (arXiv:1905.01067,
    section 4) are trained, for example with pruned weights at their initial
    values. `TicketSearch(..., treatment="initial")` does so in every round.

    Positions and values are saved with the model while it is trained this way,
    5 bytes for each element of its masked weights.

    Args:
        masks: bool arrays of the weights' shapes by path, true where weights
            are trained.
        values: what the others hold, a `Snapshot` or arrays of the weights'
            shapes by path, of which entries inside the masks do not matter. By
            default the values that the model has when training begins.
        max_non_finite_steps: as of `UpdateMasks`.
        check_replicas: as of `UpdateMasks`.

    Raises:
        TypeError: if `masks` is not a mapping.
        ValueError: when training begins, if the model has no masked weights or
            is not built; a path is unknown, or has no values; a mask or values
            have another shape or dtype; or a named weight is masked, so that
            it cannot hold values everywhere; or several workers share a
            parameter server.

    Example:
        >>> model = tf_rigl.sparsify(model, 0.0, start="dense")
        >>> model.compile("sgd", "mse")
        >>> freeze = tf_rigl.FreezeWeights(masks, start)
        >>> model.fit(x, y, callbacks=[freeze])
    """

    def __init__(
        self,
        masks: Mapping[str, Any],
        values: Any = None,
        *,
        max_non_finite_steps: int | None = None,
        check_replicas: bool = False,
    ) -> None:
        super().__init__(_TrainPart(), max_non_finite_steps, check_replicas)
        self._masks = masks
        # Of a snapshot.
        self._values = getattr(values, "weights", values)

    def set_model(self, model: Any) -> None:
        """Checks that the model can be trained so, and creates the state."""
        records = {one.path: one for one in masked_weights(model)}
        if not records:
            raise ValueError(
                "Only weights that may have a mask can be frozen in part. "
                f"Received: model={model.name!r}, which has none. Call "
                '`tf_rigl.sparsify(model, 0.0, start="dense")` first.'
            )
        _check_platform(model)
        check_names(self._masks, records)
        for path, mask in self._masks.items():
            records[path].checked_mask(mask)
            self._check_dense(records[path])
            self._check_values(records[path])
        super().set_model(model)

    def check_frozen(self) -> None:
        """Raises a ValueError if a frozen weight of the model has changed.

        That needs `values` to compare with.
        """
        for record in self._records():
            mask = self._masks.get(record.path)
            if mask is None or self._values is None:
                continue
            found = record.values().numpy()
            differs = found != self._values[record.path]
            moved = np.count_nonzero(differs & ~np.asarray(mask))
            if moved:
                raise ValueError(
                    "Weights outside the masks must stay as they were frozen. "
                    f"Received: {record.path!r}, of which {moved} have "
                    "changed. Train with `fit` and this callback among its "
                    "`callbacks`."
                )

    def _prepare(self) -> None:
        """Sets the values, after other callbacks may have restored some."""
        for record in self._records():
            mask = self._masks.get(record.path)
            trained = record.mask.numpy() if mask is None else np.asarray(mask)
            if mask is not None and self._values is not None:
                present = record.values().numpy()
                frozen = np.asarray(self._values[record.path], present.dtype)
                record.set_values(np.where(trained, present, frozen))

            record.state[_TRAINED].assign(trained)
            record.state[FROZEN_VALUES].assign(record.values())
        super()._prepare()
        self._settle_slots()

    def _settle_slots(self) -> None:
        """Sets slots of frozen positions, which a file may have restored.

        Some optimizers scale the step of a weight by the norm of all of it.
        """
        flavor = model_flavor(self.model)
        for updating in map(flavor.updating_optimizers, self._optimizers):
            for optimizer in filter(flavor.optimizer_is_built, updating):
                for record in self._records():
                    of_value = slots.average_of(flavor, optimizer, record)
                    averages = [id(average) for average in of_value]
                    for slot in slots.slots_of(flavor, optimizer, record):
                        values = tf.convert_to_tensor(slot)
                        rests = tf.zeros_like(values)
                        if id(slot) in averages:
                            rests = record.values()
                        trained = record.state[_TRAINED]
                        assign_unguarded(slot, tf.where(trained, values, rests))

    def _check_dense(self, record: MaskedWeight) -> None:
        active = record.num_active()
        if active < record.size:
            raise ValueError(
                "A weight needs all of its connections to hold values outside "
                f"of a mask. Received: {record.path!r}, of which {active} of "
                f"{record.size} are active. Sparsify the model with "
                '`sparsify(model, 0.0, start="dense")`, and pass masks to this '
                "callback alone."
            )

    def _check_values(self, record: MaskedWeight) -> None:
        if self._values is None:
            return
        given = self._values.get(record.path)
        shape = None if given is None else tuple(np.shape(given))
        if shape != record.shape:
            raise ValueError(
                "`values` must have an array for each weight in `masks`. "
                f"Received: {'none' if shape is None else f'shape {shape}'} "
                f"for {record.path!r} of shape {record.shape}. Take a "
                "`Snapshot` of this model, or pass arrays by path."
            )


def _check_platform(model: Any) -> None:
    """Raises a ValueError if a step could be taken amid another one."""
    kind, _, workers, _ = platform_limits.platform_of(model.distribute_strategy)
    if kind == "parameter_server" and workers > 1:
        raise ValueError(
            "With a parameter server only a single worker can freeze a part of "
            "a weight; several take their steps amid each other's. Received: "
            f"{workers} workers. Use MultiWorkerMirroredStrategy or one worker."
        )
