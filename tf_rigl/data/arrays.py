"""Input pipelines of a user's own arrays."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import in_memory
from tf_rigl.data.batching import Batching


class Arrays(NamedTuple):
    """Examples and their classes.

    Attributes:
        inputs: array `[examples, ...]` of numbers; floats become float32.
        labels: integer array `[examples]` of classes, counted from 0.
    """

    inputs: np.ndarray
    labels: np.ndarray


def check(name: str, arrays: Arrays) -> Arrays:
    """Converts a pair of array-likes and checks that they fit each other.

    Raises:
        ValueError: if there are not as many labels as inputs, or the labels
            are not classes.
    """
    inputs, labels = map(np.asarray, arrays)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # as `keras.datasets` has those of CIFAR
    is_class = np.issubdtype(labels.dtype, np.integer) and labels.ndim == 1
    if not is_class or len(inputs) != len(labels) or (labels < 0).any():
        raise ValueError(
            f"`{name}` must be arrays of inputs and of as many integer "
            "classes, counted from 0. Received: inputs of shape "
            f"{inputs.shape}, labels of shape {labels.shape} and dtype "
            f"{labels.dtype}."
        )
    if np.issubdtype(inputs.dtype, np.floating):
        inputs = inputs.astype(np.float32)
    return Arrays(inputs, labels.astype(np.int32))


def describe(train: Arrays, evaluation: Arrays) -> datasets.DataInfo:
    """Returns the size of a data set of arrays.

    Raises:
        ValueError: as `check` does.
    """
    return _describe(check("train", train), check("evaluation", evaluation))


def _describe(train: Arrays, evaluation: Arrays) -> datasets.DataInfo:
    classes = 1 + max(
        int(one.labels.max(initial=0)) for one in (train, evaluation)
    )
    return datasets.DataInfo(
        len(train.inputs),
        len(evaluation.inputs),
        classes,
        train.inputs.shape[1:],
    )


def splits(
    batching: Batching,
    train: Arrays,
    evaluation: Arrays,
    validation_examples: int = 0,
) -> datasets.DataSplits:
    """Makes batches of arrays that fit into memory.

    Args:
        batching: size, seed and share of the batches.
        train: the examples to train on, in a new order in every epoch.
        evaluation: the examples to evaluate on.
        validation_examples: number of training examples to hold out.

    Returns:
        Batches of (inputs `[batch, ...]`, int32 `[batch]`).

    Raises:
        ValueError: if arrays do not fit each other, or there are fewer
            examples than one batch needs.
    """
    train, evaluation = check("train", train), check("evaluation", evaluation)
    info = in_memory.hold_out(_describe(train, evaluation), validation_examples)
    return in_memory.splits(info, batching, train, evaluation, _looker_up)


def _looker_up(inputs: np.ndarray, labels: np.ndarray) -> in_memory.LookUp:
    """Returns a function from example indices to a batch."""
    with tf.device("CPU"):
        examples, classes = tf.constant(inputs), tf.constant(labels)
    return lambda indices: (
        tf.gather(examples, indices),
        tf.gather(classes, indices),
    )
