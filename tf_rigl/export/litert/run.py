"""Runs LiteRT files and their models on arrays by name, and compares them.

Files run in the interpreter of `ai-edge-litert` where that is installed, as it
will on a user's device, and else in TensorFlow's, which is deprecated and runs
some files that today's LiteRT refuses.
"""

import importlib
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from importlib import metadata
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.backend.call_signature import CallSignature
from tf_rigl.backend.call_signature import named_leaves
from tf_rigl.export.endpoints import DEFAULT_SIGNATURE
from tf_rigl.export.endpoints import Endpoint

Named = Mapping[str, np.ndarray]
# Gives inputs by their names, one call of the model after the other.
Feed = Callable[[], Iterator[dict[str, np.ndarray]]]

# Examples that a file is compared on if the user gives none.
_EXAMPLES = 4
# Stands for lengths that are open, such as the number of time steps.
_LENGTH = 8

_WARNING = ".*tf.lite.Interpreter is deprecated.*"
_LITERT = "ai-edge-litert"


class Difference(NamedTuple):
    """Distance between the outputs of two models."""

    error: float  # the largest difference; inf where one is not finite
    scale: float  # the largest magnitude of the expected outputs

    @property
    def relative(self) -> float:
        """The error as a share of the scale."""
        return self.error / max(self.scale, np.finfo(np.float32).tiny)


class Runner:
    """A file in the interpreter, in its default configuration.

    Attributes:
        inputs: names of the inputs that anything depends on.

    Raises:
        ValueError: if the bytes are no file of LiteRT's.
    """

    def __init__(self, content: bytes) -> None:
        with warnings.catch_warnings():
            # TensorFlow's interpreter warns that it will move to another
            # package.
            warnings.filterwarnings("ignore", _WARNING)
            interpreter = interpreter_class()(model_content=content)
        self._run = interpreter.get_signature_runner(DEFAULT_SIGNATURE)
        self.inputs = list(self._run.get_input_details())

    def __call__(self, inputs: Named) -> dict[str, np.ndarray]:
        """Runs the model once, on a batch of any size that it takes.

        Inputs and outputs are arrays by name, in floats even where the file
        has int8.

        Raises:
            RuntimeError: if the interpreter cannot run the file.
        """
        details = self._run.get_input_details()
        outputs = self._run(
            **{name: _quantize(inputs[name], details[name]) for name in details}
        )
        details = self._run.get_output_details()
        # Copies: the arrays are views of the interpreter's memory.
        return {
            name: np.array(_dequantize(array, details[name]))
            for name, array in outputs.items()
        }


def runtime() -> str:
    """Returns name and version of what runs files."""
    if interpreter_class() is tf.lite.Interpreter:
        return f"TensorFlow {tf.__version__}"
    return f"LiteRT {metadata.version(_LITERT)}"


def run(content: bytes, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a file once; see `Runner`."""
    return Runner(content)(inputs)


def call_model(endpoint: Endpoint, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a model's call on arrays by name and names its outputs."""
    outputs = endpoint.run(*map(tf.constant, inputs.values()))
    return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def compare(expected: Named, outputs: Named) -> Difference:
    """Compares a file's outputs with the expected ones, by name."""
    error = scale = 0.0
    for name, array in expected.items():
        if np.asarray(array).dtype.kind in "OSU":
            # Strings are the same or they are not.
            same = np.array_equal(array, np.asarray(outputs[name], object))
            error = error if same else np.inf
            continue
        array = np.asarray(array, np.float64)
        other = np.asarray(outputs[name], np.float64)
        if array.size:
            apart = np.abs(array - other).max()
            error = max(error, apart if np.isfinite(apart) else np.inf)
            scale = max(scale, np.abs(array).max())
    return Difference(float(error), float(scale))


def random_inputs(
    call: CallSignature, batch_size: int | None
) -> dict[str, np.ndarray]:
    """Draws inputs to compare on: standard normal, or 0 and 1 if integer.

    Strings are "0" and "1", which vocabularies may lack. With `batch_size`
    None any batch size that the call takes will do.
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
    """Names the arrays of a batch in the structure that a model takes.

    That is an array, a structure of arrays, or a dictionary by the names of
    the inputs.

    Raises:
        ValueError: if it has not as many arrays as the model takes.
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
    """Yields batches of exactly `size` examples and drops a smaller rest."""
    examples = min((len(one) for one in inputs.values()), default=0)
    for begin in range(0, examples - size + 1, size):
        yield {name: one[begin : begin + size] for name, one in inputs.items()}


def calibration_feed(call: CallSignature, data: Any, size: int) -> Feed | None:
    """Turns representative data into what the converter asks for.

    The data are a batch in the structure that the model takes, or a dataset,
    iterable or function without arguments that gives batches, or None.

    Raises:
        ValueError: if there are fewer than `size` examples.
    """
    if data is None:
        return None

    if callable(data):
        batches = data
    elif _is_batch(call, data):
        batches = lambda: [data]  # noqa: E731
    else:
        # What can be read once only is kept.
        kept = list(data) if iter(data) is data else data
        batches = lambda: kept  # noqa: E731
    of_pairs = isinstance(data, tf.data.Dataset)

    def feed() -> Iterator[dict[str, np.ndarray]]:
        for batch in batches():
            # As for `fit`, where a dataset gives pairs of inputs and labels.
            if of_pairs and isinstance(batch, tuple) and len(batch) > 1:
                batch = batch[0]
            yield from chunks(named_inputs(call, batch), size)

    if next(feed(), None) is None:
        raise ValueError(
            "`representative_data` must have some examples, of which each "
            f"batch has {size} at least. Received: none."
        )
    return feed


def _as_dtype(array: Any, dtype: tf.DType) -> np.ndarray:
    """Converts an array; strings become bytes, which the interpreter takes."""
    if dtype == tf.string:
        return np.asarray(tf.constant(array, tf.string), object)
    return np.asarray(array, dtype.as_numpy_dtype)


def interpreter_class() -> Any:
    """Returns the interpreter of LiteRT, else that of TensorFlow."""
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return tf.lite.Interpreter
    return module.Interpreter


def _quantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    dtype = detail["dtype"]
    scale, zero = detail["quantization"]
    if array.dtype == object:
        # The interpreter takes strings of one length, and pads them itself.
        return array.astype(np.bytes_)
    if array.dtype == dtype or not np.issubdtype(array.dtype, np.floating):
        return array.astype(dtype)
    if scale and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        array = np.clip(np.round(array / scale + zero), limits.min, limits.max)
    return array.astype(dtype)


def _dequantize(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if not scale or not np.issubdtype(array.dtype, np.integer):
        return array
    return (array.astype(np.float32) - zero) * scale


def _is_batch(call: CallSignature, data: Any) -> bool:
    """Tells inputs from a collection of batches of them."""
    if isinstance(data, (list, tuple, Mapping)):
        arrays = tf.nest.flatten(data)
    else:
        arrays = [data]
    return len(arrays) == len(named_leaves(call)) and all(
        hasattr(array, "shape") for array in arrays
    )
