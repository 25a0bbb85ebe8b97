"""The store of a layer's masks."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tf_rigl.masking.connections import make_connections

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
            compressed: for weights that have no dense variable, by key, their
                numbers of inputs and of connections.

        Attributes:
            masks: for each key a bool variable, true at active connections, or
                the weight's `Connections`.
            counters: int64 variable of shape [3] for each key: the numbers of
                mask updates, of connections that they moved, and of updates
                skipped because the gradient was not finite.
        """

        masks: dict[str, Any]
        counters: dict[str, Any]

        def __init__(
            self,
            shapes: Mapping[str, Sequence[int]],
            owner: str,
            compressed: Mapping[str, tuple[int, int]] | None = None,
        ) -> None:
            super().__init__(ATTRIBUTE, owner)
            masks: dict[str, Any] = {}
            counters = {}
            for index, (key, shape) in enumerate(shapes.items()):
                if compressed and key in compressed:
                    masks[key] = make_connections(
                        self.add_unsaved,
                        index,
                        "/".join(filter(None, (owner, key))),
                        tuple(shape),
                        *compressed[key],
                    )
                    self.saved.append(masks[key])
                else:
                    masks[key] = self.add(f"mask_{index}", shape, "bool", 1)
                counters[key] = self.add(f"counters_{index}", (3,), "int64", 0)
            object.__setattr__(self, "masks", masks)
            object.__setattr__(self, "counters", counters)

    return MaskStore
