"""Runs LiteRT files and their models on named arrays and compares the outputs.

They run in the interpreter that `interpreter` finds.
"""

import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.backend.call_signature import CallSignature
from tf_rigl.backend.call_signature import named_leaves
from tf_rigl.export.endpoints import DEFAULT_SIGNATURE
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.litert import interpreter as interpreters
from tf_rigl.export.litert.interpreter import (
    interpreter_class as interpreter_class,
)
from tf_rigl.export.litert.interpreter import runtime as runtime

# Arrays by the names of a model's inputs or outputs.
Named = Mapping[str, np.ndarray]
# Yields the inputs of one call of the model after the other.
Feed = Callable[[], Iterator[dict[str, np.ndarray]]]

# Number of random examples on which a file is compared.
_EXAMPLES = 4
# Size of random inputs in open dimensions, such as the number of time steps.
_LENGTH = 8


class Difference(NamedTuple):
    """Difference between the outputs of a file and the expected ones."""

    error: float  # largest difference; infinite if one of them is not finite
    scale: float  # largest magnitude of the expected outputs

    @property
    def relative(self) -> float:
        """The error as a fraction of the scale."""
        return self.error / max(self.scale, np.finfo(np.float32).tiny)

    def within(self, tolerance: float) -> bool:
        """Returns whether it is tolerated, as a fraction of the scale.

        Outputs that are not finite are not, also if the tolerance is infinite.
        """
        return self.relative <= tolerance and math.isfinite(self.error)


class Runner:
    """Runs a file in an interpreter in its default configuration.

    Args:
        content: the bytes of the file.

    Attributes:
        inputs: names of the inputs. Inputs on which no output depends are not
            part of a file.

    Raises:
        ValueError: if the bytes are not a LiteRT file.
    """

    def __init__(self, content: bytes) -> None:
        with interpreters.without_warning():
            interpreter = interpreter_class()(model_content=content)
        self._run = interpreter.get_signature_runner(DEFAULT_SIGNATURE)
        self.inputs = list(self._run.get_input_details())

    def __call__(self, inputs: Named) -> dict[str, np.ndarray]:
        """Runs the file once on a batch of any size that it allows.

        Args:
            inputs: arrays by name. Floats are quantized if the file takes int8.

        Returns:
            The outputs by name, as floats even if the file returns int8.

        Raises:
            RuntimeError: if the interpreter cannot run the file.
        """
        details = self._run.get_input_details()
        outputs = self._run(
            **{
                name: interpreters.quantize(inputs[name], details[name])
                for name in details
            }
        )
        details = self._run.get_output_details()
        # Copy the arrays, which are views of the interpreter's memory.
        return {
            name: np.array(interpreters.dequantize(array, details[name]))
            for name, array in outputs.items()
        }


def run(content: bytes, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a file once; see `Runner`."""
    return Runner(content)(inputs)


def call_model(endpoint: Endpoint, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a traced call on named arrays and returns its outputs by name."""
    outputs = endpoint.run(*map(tf.constant, inputs.values()))
    return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def compare(expected: Named, outputs: Named) -> Difference:
    """Compares a file's outputs with the expected ones.

    The error of strings is 0 if all are equal, else infinite.
    """
    error = scale = 0.0
    for name, array in expected.items():
        if np.asarray(array).dtype.kind in "OSU":
            same = np.array_equal(array, np.asarray(outputs[name], object))
            error = error if same else np.inf
            continue

        array = np.asarray(array, np.float64)
        other = np.asarray(outputs[name], np.float64)
        if array.size:
            # NaN would be lost, because it compares as neither larger nor
            # smaller.
            largest = np.abs(array - other).max()
            error = max(error, largest if np.isfinite(largest) else np.inf)
            scale = max(scale, np.abs(array).max())
    return Difference(float(error), float(scale))


def random_inputs(
    call: CallSignature, batch_size: int | None
) -> dict[str, np.ndarray]:
    """Draws the inputs on which a file is compared.

    Floats are standard normal, integers 0 or 1 and strings "0" or "1".

    Args:
        call: specifications of the inputs.
        batch_size: number of examples; None for any that the call allows.
    """
    random = np.random.default_rng(0)
    examples = _EXAMPLES if batch_size is None else batch_size
    inputs = {}
    for name, leaf in named_leaves(call).items():
        sizes = leaf.shape.as_list()
        if sizes and (batch_size is not None or sizes[0] is None):
            sizes[0] = examples
        sizes = [_LENGTH if size is None else size for size in sizes]

        dtype = leaf.dtype.as_numpy_dtype
        if leaf.dtype.is_floating:
            inputs[name] = np.asarray(random.normal(size=sizes), dtype)
            continue
        drawn = random.integers(0, 2, sizes)
        if leaf.dtype == tf.string:
            drawn = drawn.astype(np.bytes_)
        inputs[name] = np.asarray(drawn, dtype)

    return inputs


def named_inputs(call: CallSignature, structure: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of a batch by the names of the model's inputs.

    Args:
        call: specifications of the inputs.
        structure: the batch: arrays in the structure that the model takes, or
            in a dictionary by the names of the inputs.

    Raises:
        ValueError: if the number of arrays is not that of the inputs.
    """
    leaves = named_leaves(call)
    if isinstance(structure, Mapping) and set(structure) == set(leaves):
        arrays = [structure[name] for name in leaves]
    else:
        arrays = tf.nest.flatten(structure)

    if len(arrays) != len(leaves):
        raise ValueError(
            "Inputs must be in the structure that the model takes, or in a "
            f"dictionary with the keys {sorted(leaves)}. "
            f"Received: {len(arrays)} arrays."
        )

    return {
        name: _as_dtype(array, leaf.dtype)
        for (name, leaf), array in zip(leaves.items(), arrays, strict=True)
    }


def chunks(inputs: Named, size: int) -> Iterator[dict[str, np.ndarray]]:
    """Splits a batch into batches of exactly `size` examples.

    Examples that are left at the end are dropped.
    """
    examples = min((len(array) for array in inputs.values()), default=0)
    for begin in range(0, examples - size + 1, size):
        end = begin + size
        yield {name: array[begin:end] for name, array in inputs.items()}


def calibration_feed(call: CallSignature, data: Any, size: int) -> Feed | None:
    """Converts representative data to the form that the converter takes.

    Args:
        call: specifications of the model's inputs.
        data: a batch in the structure that the model takes; a dataset, an
            iterable or a function without arguments that yields such batches;
            or None.
        size: number of examples of each call.

    Returns:
        A function that yields the inputs of each call; None without data.

    Raises:
        ValueError: if no batch has `size` examples.
    """
    if data is None:
        return None

    if callable(data):
        batches = data
    elif _is_batch(call, data):
        batches = lambda: [data]  # noqa: E731
    else:
        # The data are read more than once, so the batches of an iterator, which
        # can be read only once, are kept in memory.
        kept = list(data) if iter(data) is data else data
        batches = lambda: kept  # noqa: E731
    is_dataset = isinstance(data, tf.data.Dataset)

    def feed() -> Iterator[dict[str, np.ndarray]]:
        for batch in batches():
            # A dataset for `fit` yields pairs of inputs and labels.
            if is_dataset and isinstance(batch, tuple) and len(batch) > 1:
                batch = batch[0]
            yield from chunks(named_inputs(call, batch), size)

    if next(feed(), None) is None:
        raise ValueError(
            "`representative_data` must have some examples, of which each "
            f"batch has {size} at least. Received: none."
        )
    return feed


def _as_dtype(array: Any, dtype: tf.DType) -> np.ndarray:
    """Converts an array to the dtype of an input; strings become bytes."""
    if dtype == tf.string:
        return np.asarray(tf.constant(array, tf.string), object)
    return np.asarray(array, dtype.as_numpy_dtype)


def _is_batch(call: CallSignature, data: Any) -> bool:
    """Returns whether data are a single batch, not a collection of batches.

    A batch has as many arrays as the call has inputs.
    """
    if isinstance(data, (list, tuple, Mapping)):
        arrays = tf.nest.flatten(data)
    else:
        arrays = [data]
    return len(arrays) == len(named_leaves(call)) and all(
        hasattr(array, "shape") for array in arrays
    )
