"""Variables that are saved with a layer but are not among its weights.

Lists of weights are averaged, summarized and counted, so masks must not be in
them; but masks must be saved, loaded and checkpointed with the layer. Both
Kerases save a loss that is an attribute of a layer, and checkpoints save all
trackable objects, so a store is both.
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.masking.stored_arrays import StoredArray


def store_class(keras: Any) -> type:
    """Makes the base class of stores for one Keras."""

    class Store(tf.__internal__.tracking.AutoTrackable, keras.losses.Loss):
        """Variables of one layer's masked weights.

        Args:
            name: attribute of the layer that holds the store.
            owner: key of the layer in the model, which makes the names of
                the variables unique.
        """

        def __init__(self, name: str, owner: str) -> None:
            keras.losses.Loss.__init__(self, name=name)
            self._owner = owner
            # Bypasses tracking, which would save each variable twice.
            object.__setattr__(self, "variables", [])
            # What is saved: the variables, or what stands for some of them.
            object.__setattr__(self, "saved", [])

        def add(
            self, attribute: str, shape: Sequence[int], dtype: str, value: int
        ) -> tf.Variable:
            """Adds a variable filled with `value`, where 1 is true for bools.

            It is also set as `attribute`, which gives it a stable name in
            TensorFlow's checkpoints.
            """
            variable = self.add_unsaved(attribute, shape, dtype, value)
            self.saved.append(variable)
            return variable

        def add_unsaved(
            self, attribute: str, shape: Sequence[int], dtype: str, value: int
        ) -> tf.Variable:
            """Adds a variable that checkpoints keep and Keras's files do not.

            The arguments are those of `add`.
            """
            prefix = self._owner.replace("/", "_") or "model"
            variable = tf.Variable(
                tf.cast(tf.fill(tuple(shape), value), dtype),
                trainable=False,
                name=f"{prefix}_{attribute}",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            setattr(self, attribute, variable)
            self.variables.append(variable)
            return variable

        def save_own_variables(self, store: Any) -> None:
            """Saves the variables for Keras under their indices."""
            for index, variable in enumerate(self.saved):
                if hasattr(variable, "write_mask"):
                    variable.write_mask(store, str(index))
                else:
                    store[str(index)] = variable.numpy()

        def load_own_variables(self, store: Mapping[str, Any]) -> None:
            """Loads the variables from a file.

            If it is the file of a dense model, they do not change.

            Raises:
                ValueError: if their number or shapes differ in the file.
            """
            arrays = _arrays(store) or _arrays(_old_group(store, type(self)))
            if not arrays:
                return

            received = [array.shape for array in arrays]
            expected = [tuple(variable.shape) for variable in self.saved]
            if received != expected:
                raise ValueError(
                    "A file must hold the masks and the state of this layer's "
                    f"weights. Received: arrays of the shapes {received} for "
                    f"{self._owner!r} instead of {expected}. Sparsify and "
                    "train the model as when it was saved, or load the file "
                    "into a dense one."
                )
            for variable, stored in zip(self.saved, arrays, strict=True):
                if hasattr(variable, "load_mask"):
                    variable.load_mask(stored)
                    continue
                array = stored.read()
                if array.dtype.kind == "V":
                    # Keras 2 writes bfloat16, which HDF5 does not know, as
                    # bytes without a type.
                    array = array.view(variable.dtype.as_numpy_dtype)
                variable.assign(array)

        def call(self, y_true: Any, y_pred: Any) -> Any:
            """Required by Keras; a store computes nothing."""
            raise NotImplementedError

    return Store


def _arrays(store: Mapping[str, Any]) -> list[StoredArray]:
    return [StoredArray(store, key) for key in sorted(store.keys(), key=int)]


def _old_group(store: Any, cls: type) -> Mapping[str, Any]:
    """Returns the group in which Keras 3 saved the store of a `keras.Model`.

    Until 0.1 a store was a layer, and a model saves its layers in a list.
    """
    file = getattr(store, "h5_file", None)
    parent, _, _ = getattr(store, "_h5_entry_path", "").rpartition("/")
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
    group = "/".join(filter(None, (parent, "layers", name, "vars")))
    return file[group] if file is not None and group in file else {}
