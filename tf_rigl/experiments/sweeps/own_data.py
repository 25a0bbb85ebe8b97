"""The data of a sweep from Python: arrays, data sets, or a function."""

import inspect
import zlib
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.data import pipeline as pipelines
from tf_rigl.data.batching import Batching

_FORMS = (
    "two pairs of arrays (inputs, targets), or two `tf.data.Dataset`s of "
    "batches, to train and to validate on, or a function that returns them"
)


class OwnData(NamedTuple):
    """The batches of one run."""

    train: Callable[[int], tf.data.Dataset]  # endless, from a step on
    validation: tf.data.Dataset
    steps_per_epoch: int
    batch_size: int  # of training
    description: dict[str, str]  # what can be told of the data


def load(
    data: Any, seed: int, batch_size: int, steps_per_epoch: int | None
) -> OwnData:
    """Loads the data of a run.

    Args:
        data: arrays, data sets or a function; see `tf_rigl.sweep`.
        seed: the seed of the run, from which the order of the batches follows.
        batch_size: the examples in a batch of arrays.
        steps_per_epoch: the steps of an epoch; None for a pass over the data.

    Raises:
        TypeError: if the data has another form.
        ValueError: if arrays do not fit each other or the batch, or the length
            of a data set is unknown.
    """
    train, validation = _resolve(data, seed)
    both = (train, validation)
    if all(isinstance(one, tf.data.Dataset) for one in both):
        return _of_datasets(data, seed, steps_per_epoch)
    if not any(isinstance(one, tf.data.Dataset) for one in both):
        keeps_content = not (callable(data) and "seed" in _parameters(data))
        return _of_arrays(
            _as_arrays("train", train),
            _as_arrays("validation", validation),
            Batching(batch_size, seed=seed),
            steps_per_epoch,
            keeps_content,
        )
    raise TypeError(
        f"`data` must be {_FORMS}. Received: a {type(train).__name__} and a "
        f"{type(validation).__name__}. Pass two of the same form."
    )


def _resolve(data: Any, seed: int) -> tuple[Any, Any]:
    """Calls the user's function, if it is one, and returns the two splits."""
    result = data
    if callable(data):
        # A data set that shuffles takes its seed from here when it is made.
        tf.random.set_seed(seed)
        offered = {"seed": seed} if "seed" in _parameters(data) else {}
        result = data(**offered)
    if not isinstance(result, tuple | list) or len(result) != 2:
        of = f"{data!r}, which returned " if callable(data) else ""
        raise TypeError(
            f"`data` must be {_FORMS}. Received: {of}{type(result).__name__}."
        )
    return result[0], result[1]


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _of_datasets(data: Any, seed: int, steps_per_epoch: int | None) -> OwnData:
    train, validation = _resolve(data, seed)
    steps = steps_per_epoch or _length(train, "training", "steps_per_epoch")
    _length(validation, "validation", "")
    (batch,) = train.take(1)
    batch_size = int(tf.shape(tf.nest.flatten(batch)[0])[0])

    def batches(first_step: int) -> tf.data.Dataset:
        # Made anew, so that its shuffling starts as for the first step.
        fresh, _ = _resolve(data, seed)
        fresh = fresh.repeat()
        return fresh.skip(first_step) if first_step else fresh

    return OwnData(
        batches,
        validation,
        steps,
        batch_size,
        {
            "training data": str(train.element_spec),
            "validation data": str(validation.element_spec),
            "steps_per_epoch": str(steps),
        },
    )


def _length(dataset: tf.data.Dataset, split: str, argument: str) -> int:
    """Returns the number of batches of a data set.

    Raises:
        ValueError: if it is unknown or infinite.
    """
    length = int(dataset.cardinality())
    if length > 0 or (length == tf.data.UNKNOWN_CARDINALITY and not argument):
        return length
    how = {
        tf.data.INFINITE_CARDINALITY: "infinitely many",
        tf.data.UNKNOWN_CARDINALITY: "an unknown number of",
    }.get(length, "no")
    fix = f"Pass `{argument}`." if argument else "Use `take`."
    raise ValueError(
        f"The {split} data must have a known number of batches. Received: a "
        f"data set of {how} batches. {fix}"
    )


def _of_arrays(
    train: Any,
    validation: Any,
    batching: Batching,
    steps_per_epoch: int | None,
    keeps_content: bool,
) -> OwnData:
    examples = _examples(train)
    per_pass = batching.local_batches(examples)
    look_up, look_up_validation = _looker_up(train), _looker_up(validation)

    def batches(first_step: int) -> tf.data.Dataset:
        epoch, offset = divmod(first_step, per_pass)
        found = pipelines.train_from_memory(
            lambda key: pipelines.random_order(key, examples),
            look_up,
            examples,
            Batching(
                batching.batch_size,
                seed=batching.seed,
                first_epoch=epoch,
                endless=True,
            ),
        )
        return found.skip(offset) if offset else found

    described = _digest if keeps_content else _shapes
    return OwnData(
        batches,
        pipelines.evaluation_from_memory(
            look_up_validation, _examples(validation), batching
        ),
        steps_per_epoch or per_pass,
        batching.batch_size,
        {
            "training data": described(train),
            "validation data": described(validation),
            "steps_per_epoch": str(steps_per_epoch or per_pass),
        },
    )


def _as_arrays(name: str, pair: Any) -> Any:
    """Converts array-likes; floats become float32, Python's integers int64."""
    if not isinstance(pair, tuple | list) or not 2 <= len(pair) <= 3:
        raise TypeError(
            f"`data` must be {_FORMS}. Received: a {type(pair).__name__} for "
            f"{name}."
        )
    arrays = tf.nest.map_structure(np.asarray, tuple(pair))
    lengths = {array.shape[:1] for array in tf.nest.flatten(arrays)}
    if len(lengths) != 1 or () in lengths:
        raise ValueError(
            "Inputs and targets must be arrays of as many examples. Received: "
            f"{_shapes(arrays)} for {name}."
        )
    return tf.nest.map_structure(
        lambda array: (
            array.astype(np.float32)
            if np.issubdtype(array.dtype, np.floating)
            else array
        ),
        arrays,
    )


def _looker_up(arrays: Any) -> Callable[[tf.Tensor], Any]:
    """Returns a function from example indices to a batch."""
    with tf.device("CPU"):
        tensors = tf.nest.map_structure(tf.constant, arrays)
    return lambda indices: tf.nest.map_structure(
        lambda tensor: tf.gather(tensor, indices), tensors
    )


def _examples(arrays: Any) -> int:
    return len(tf.nest.flatten(arrays)[0])


def _shapes(arrays: Any) -> str:
    return ", ".join(
        f"{array.dtype.name}{list(array.shape)}"
        for array in tf.nest.flatten(arrays)
    )


def _digest(arrays: Any) -> str:
    """Returns shapes, dtypes and a checksum of all values."""
    checksum = 0
    for array in tf.nest.flatten(arrays):
        if array.dtype != object:
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            checksum = zlib.crc32(content.data, checksum)
    return f"{_shapes(arrays)}, checksum {checksum:08x}"
