"""Moving averages of normalization, computed anew from data."""

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import distribution
from tf_rigl.masking import model_weights

_AVERAGES = ("moving_mean", "moving_variance")
_MOMENTUM = "momentum"


class MovingAverages:
    """The averages of a model's BatchNormalization layers over given data.

    Args:
        model: a built model of either Keras.
        data: batches for the model, as `fit` takes them: inputs, or tuples that
            begin with them.

    Raises:
        TypeError: if `data` is not made of batches.
        ValueError: if `data` can be read only once, or never ends.
    """

    def __init__(self, model: Any, data: Iterable[Any]) -> None:
        _check_data(data)
        walked = model_weights.walk_model(model)
        raw = walked.flavor.raw
        self._data = data
        self._layers = [
            layer
            for layer in walked.layers
            if all(hasattr(layer, name) for name in (*_AVERAGES, _MOMENTUM))
        ]
        self.variables = [
            raw(getattr(layer, name))
            for layer in self._layers
            for name in _AVERAGES
        ]

        strategy = distribution.strategy_of(map(raw, model.variables))

        def call(inputs: Any) -> None:
            model(inputs, training=True)

        # Each replica has the whole batch, so that the number of replicas does
        # not matter.
        self._call = tf.function(
            lambda inputs: strategy.run(call, args=(inputs,)),
            reduce_retracing=True,
        )

    def compute(self) -> list[np.ndarray]:
        """Returns the means over all batches of what `variables` average.

        All batches count alike. Layers that do not train, such as those that
        are called with `training=False`, keep their averages.
        """
        sums = [np.zeros(one.shape) for one in self.variables]
        number = 0
        with self._no_momentum():
            for batch in self._data:
                number += 1
                self._call(batch[0] if isinstance(batch, tuple) else batch)
                for total, variable in zip(sums, self.variables, strict=True):
                    total += variable.numpy()

        if not number:
            raise ValueError(
                "`refresh` must have batches. Received: "
                f"refresh={self._data!r} without any."
            )
        return [
            (total / number).astype(variable.dtype.as_numpy_dtype)
            for total, variable in zip(sums, self.variables, strict=True)
        ]

    def assign(self, values: Iterable[np.ndarray]) -> None:
        """Sets the averages to what `compute` has returned."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    @contextlib.contextmanager
    def _no_momentum(self) -> Iterator[None]:
        """Makes averages those of the last batch alone, within a block.

        Keras reads the momentum when it traces the call.
        """
        before = [getattr(layer, _MOMENTUM) for layer in self._layers]
        for layer in self._layers:
            setattr(layer, _MOMENTUM, 0.0)
        try:
            yield
        finally:
            for layer, momentum in zip(self._layers, before, strict=True):
                setattr(layer, _MOMENTUM, momentum)


def _check_data(data: Any) -> None:
    if isinstance(data, (np.ndarray, tf.Tensor)) or not hasattr(
        data, "__iter__"
    ):
        raise TypeError(
            "`refresh` must be made of batches. Received: refresh of type "
            f"{type(data)}. Pass a tf.data.Dataset, or a list of batches."
        )
    if iter(data) is data:
        raise ValueError(
            "`refresh` is read again for each point. Received: "
            f"refresh={data!r}, which can be read once. Pass a "
            "tf.data.Dataset, or a list of batches."
        )
    is_dataset = isinstance(data, tf.data.Dataset)
    if is_dataset and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "`refresh` is read to its end for each point. Received: "
            f"refresh={data!r}, which never ends. Pass `data.take(20)`."
        )
