"""The store of a layer's masks."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# Attribute of a masked layer that holds its store, also its name in weights
# files and checkpoints.
ATTRIBUTE = "tf_rigl_masks"


def mask_store_class(base: type) -> type:
    """Makes the class of mask stores for one Keras from its `Store`."""

    class MaskStore(base):
        """Masks and counters of the masked weights of one layer.

        Args:
            shapes: shape of each masked weight, by its key within the layer.
            owner: key of the masked layer in the model.

        Attributes:
            masks: bool variable for each key, true at active connections.
            counters: int64 variable of shape [3] for each key: the numbers of
                mask updates, of connections that they moved, and of updates
                skipped because the gradient was not finite.
        """

        masks: dict[str, Any]
        counters: dict[str, Any]

        def __init__(
            self, shapes: Mapping[str, Sequence[int]], owner: str
        ) -> None:
            super().__init__(ATTRIBUTE, owner)
            masks, counters = {}, {}
            for index, (key, shape) in enumerate(shapes.items()):
                masks[key] = self.add(f"mask_{index}", shape, "bool", 1)
                counters[key] = self.add(f"counters_{index}", (3,), "int64", 0)
            object.__setattr__(self, "masks", masks)
            object.__setattr__(self, "counters", counters)

    return MaskStore
