"""The layer that keeps the masks of another layer's weights."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# The attribute of a masked layer that holds its store; also the name in
# weights files and checkpoints.
ATTRIBUTE = "tf_rigl_masks"


def mask_store_class(keras: Any) -> type:
    """Makes the store's class for one Keras."""

    class MaskStore(keras.layers.Layer):
        """Masks and counters of the masked weights of one layer.

        It computes nothing. Being a layer, it is saved, checkpointed and
        distributed with the layer that it is a child of.

        Args:
            shapes: shape of each masked weight, by its key within the layer.
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
            aggregation: Any,
            **kwargs: Any,
        ) -> None:
            super().__init__(trainable=False, **kwargs)
            self.masks = {}
            self.counters = {}
            for index, (key, shape) in enumerate(shapes.items()):
                self.masks[key] = self._add(
                    f"mask_{index}", shape, "bool", "ones", aggregation
                )
                self.counters[key] = self._add(
                    f"counters_{index}", (3,), "int64", "zeros", aggregation
                )
            self.built = True

        def _add(
            self,
            name: str,
            shape: Sequence[int],
            dtype: str,
            initializer: str,
            aggregation: Any,
        ) -> Any:
            variable = self.add_weight(
                name=name,
                shape=tuple(shape),
                dtype=dtype,
                initializer=initializer,
                trainable=False,
                aggregation=aggregation,
            )
            # An attribute of its own gives it a stable name in checkpoints.
            setattr(self, name, variable)
            return variable

        def call(self, inputs: Any) -> Any:
            return inputs

    return MaskStore
