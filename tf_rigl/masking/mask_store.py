"""The layer that keeps the masks of another layer's weights."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# The attribute of a masked layer that holds its store; also the name in
# weights files and checkpoints.
ATTRIBUTE = "tf_rigl_masks"


def variable_prefix(owner: str) -> str:
    """Returns the beginning of the names of the variables of a store."""
    return owner.replace("/", "_") or "model"


def mask_store_class(keras: Any) -> type:
    """Makes the store's class for one Keras."""

    class MaskStore(keras.layers.Layer):
        """Masks and counters of the masked weights of one layer.

        It computes nothing. Being a layer, it is saved, checkpointed and
        distributed with the layer that it is a child of.

        Args:
            shapes: shape of each masked weight, by its key within the layer.
            owner: key of the masked layer in the model; it makes the names of
                the variables unique, which HDF5 files ask for.
            aggregation: how replicas of a mask are reduced, in the Keras's
                own spelling; they are always equal.

        Attributes:
            masks: bool variable for each key, true where a connection is.
            counters: int64 variable of shape [3] for each key: mask updates,
                connections moved by them, updates that were left out because
                the gradient was not finite.
        """

        def __init__(
            self,
            shapes: Mapping[str, Sequence[int]],
            owner: str,
            aggregation: Any,
            **kwargs: Any,
        ) -> None:
            super().__init__(trainable=False, **kwargs)

            self.masks = {}
            self.counters = {}
            prefix = variable_prefix(owner)
            for index, (key, shape) in enumerate(shapes.items()):
                self.masks[key] = self.add_weight(
                    name=f"{prefix}_mask_{index}",
                    shape=tuple(shape),
                    dtype="bool",
                    initializer="ones",
                    trainable=False,
                    aggregation=aggregation,
                )
                self.counters[key] = self.add_weight(
                    name=f"{prefix}_counters_{index}",
                    shape=(3,),
                    dtype="int64",
                    initializer="zeros",
                    trainable=False,
                    aggregation=aggregation,
                )

                # Attributes of their own give them stable names in
                # TensorFlow checkpoints.
                setattr(self, f"mask_{index}", self.masks[key])
                setattr(self, f"counters_{index}", self.counters[key])

            # It has no inputs from which Keras could build it.
            self.built = True

        def call(self, inputs: Any) -> Any:
            return inputs

    return MaskStore
