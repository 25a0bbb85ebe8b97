"""The layer that keeps the masks of another layer's weights."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# The attribute of a masked layer that holds its store; also the name in
# weights files and checkpoints.
ATTRIBUTE = "tf_rigl_masks"


def add_variable(
    store: Any, owner: str, attribute: str, shape: Sequence[int], **more: Any
) -> Any:
    """Adds a variable to a store, as an attribute and under its owner's name.

    Attributes give variables stable names in TensorFlow checkpoints; HDF5
    files ask for unique ones.
    """
    variable = store.add_weight(
        name=f"{owner.replace('/', '_') or 'model'}_{attribute}",
        shape=tuple(shape),
        trainable=False,
        **more,
    )
    setattr(store, attribute, variable)
    return variable


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
            for index, (key, shape) in enumerate(shapes.items()):
                self.masks[key] = add_variable(
                    self,
                    owner,
                    f"mask_{index}",
                    shape,
                    dtype="bool",
                    initializer="ones",
                    aggregation=aggregation,
                )
                self.counters[key] = add_variable(
                    self,
                    owner,
                    f"counters_{index}",
                    (3,),
                    dtype="int64",
                    initializer="zeros",
                    aggregation=aggregation,
                )

            # It has no inputs from which Keras could build it.
            self.built = True

        def call(self, inputs: Any) -> Any:
            return inputs

    return MaskStore
