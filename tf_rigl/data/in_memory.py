"""Splits of data sets that fit into memory, with examples for validation."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import pipeline
from tf_rigl.data.batching import Batching

# Inputs and labels, NumPy arrays or tensors `[examples, ...]`.
Examples = tuple[Any, Any]
# Maps example indices, int64 `[batch]`, to a batch of inputs and targets.
LookUp = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

# The key of the choice of validation examples.
_KEY = (0, 0)


class Augmentation(NamedTuple):
    """Random changes of training inputs.

    Attributes:
        draw: maps the key of an epoch and the number of examples to tensors
            `[examples, ...]`.
        apply: maps a batch of inputs and slices of these tensors to inputs.
    """

    draw: Callable[[tf.Tensor, int], tuple[tf.Tensor, ...]]
    apply: Callable[..., tf.Tensor]


def hold_out(
    info: datasets.DataInfo, validation_examples: int
) -> datasets.DataInfo:
    """Returns the size of a data set without its validation examples.

    Raises:
        ValueError: if no training examples would be left.
    """
    if not 0 <= validation_examples < info.train_examples:
        raise ValueError(
            "`validation_examples` must be fewer than the training examples, "
            "of which they are taken. Received: "
            f"validation_examples={validation_examples} of "
            f"{info.train_examples:,}. Take fewer."
        )
    return info._replace(
        train_examples=info.train_examples - validation_examples
    )


def splits(
    info: datasets.DataInfo,
    batching: Batching,
    train: Examples,
    evaluation: Examples,
    looker_up: Callable[..., LookUp],
    augmentation: Augmentation | None = None,
) -> datasets.DataSplits:
    """Makes batches of examples in memory.

    Validation examples are those of `train` that `info` does not count. They
    are drawn at random, since a user's examples may be sorted, and are the same
    for every seed, so that runs can be compared on them.

    Args:
        info: the size, after `hold_out`.
        batching: size, seed and share of the batches.
        train: examples to train on and to validate with.
        evaluation: examples to evaluate on.
        looker_up: maps inputs and labels to a function from indices to a batch.
        augmentation: changes of the training inputs.

    Raises:
        ValueError: if there are fewer examples than one batch needs.
    """
    examples = info.train_examples
    train, validation = _divide(train, len(train[1]) - examples)
    draw, apply = augmentation or Augmentation(
        lambda key, examples: (), lambda inputs: inputs
    )
    look_up = looker_up(*train)

    def order(key: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (pipeline.random_order(key, examples), *draw(key, examples))

    def train_batch(
        indices: tf.Tensor, *drawn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        inputs, targets = look_up(indices)
        return apply(inputs, *drawn), targets

    def batches(chosen: Examples) -> tf.data.Dataset:
        return pipeline.evaluation_from_memory(
            looker_up(*chosen), len(chosen[1]), batching
        )

    return datasets.DataSplits(
        pipeline.train_from_memory(order, train_batch, examples, batching),
        batches(evaluation),
        info,
        validation=batches(validation) if len(validation[1]) else None,
    )


def _divide(examples: Examples, count: int) -> tuple[Examples, Examples]:
    """Returns the examples to train on and `count` others, in their order."""
    if not count:
        nothing = tuple(one[:0] for one in examples)
        return examples, nothing

    with tf.device("CPU"):
        key = tf.constant(_KEY, tf.int64)
        order = pipeline.random_order(key, len(examples[1])).numpy()
        kept, held_out = np.sort(order[count:]), np.sort(order[:count])
        inputs, labels = examples
        return (
            (_take(inputs, kept), _take(labels, kept)),
            (_take(inputs, held_out), _take(labels, held_out)),
        )


def _take(values: Any, indices: np.ndarray) -> Any:
    if tf.is_tensor(values):
        return tf.gather(values, indices)
    return values[indices]
