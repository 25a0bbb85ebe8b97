"""Names the inputs and outputs of a model as a LiteRT file does."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.call_signature import CallSignature
from tf_rigl.backend.call_signature import name_outputs
from tf_rigl.backend.call_signature import named_leaves
from tf_rigl.backend.call_signature import pack_arguments
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.litert.run import Named

# Gives inputs by their names, one call of the model after the other.
Feed = Callable[[], Iterator[dict[str, np.ndarray]]]

# Examples that a file is compared on if the user gives none.
_EXAMPLES = 4
# Stands for lengths that are open, such as the number of time steps.
_LENGTH = 8


def call_model(endpoint: Endpoint, inputs: Named) -> dict[str, np.ndarray]:
    """Runs a model's call on arrays by name and names its outputs."""
    tensors = [tf.constant(array) for array in inputs.values()]
    arguments, keywords = pack_arguments(endpoint.call, tensors)
    outputs = name_outputs(endpoint.function(*arguments, **keywords))
    return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def random_inputs(
    call: CallSignature, batch_size: int | None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draws inputs to compare on: standard normal, or 0 and 1 if integer.

    With `batch_size` None any batch size that the call takes will do.
    """
    random = np.random.default_rng(seed)
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
        else:
            inputs[name] = np.asarray(random.integers(0, 2, sizes), dtype)

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
        name: np.asarray(array, leaf.dtype.as_numpy_dtype)
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


def _is_batch(call: CallSignature, data: Any) -> bool:
    """Tells inputs from a collection of batches of them."""
    if isinstance(data, (list, tuple, Mapping)):
        arrays = tf.nest.flatten(data)
    else:
        arrays = [data]
    return len(arrays) == len(named_leaves(call)) and all(
        hasattr(array, "shape") for array in arrays
    )
