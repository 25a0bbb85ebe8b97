"""Batches and facts that every data set of this package gives."""

from typing import NamedTuple

import tensorflow as tf


class DataInfo(NamedTuple):
    """The size of a data set, known before any example is read."""

    train_examples: int
    evaluation_examples: int
    classes: int  # of images; of a text, its characters
    example_shape: tuple[int, ...]  # of one image, or (time,) of a text


class DataSplits(NamedTuple):
    """Batches for training and for evaluation.

    A pass over `train` is one epoch, or goes on through all epochs if the
    batching is `endless`; each epoch has another order and other augmentation.
    `evaluation` is the same in every pass.
    """

    train: tf.data.Dataset  # (inputs, targets), of static shape
    evaluation: tf.data.Dataset  # (inputs, targets)
    info: DataInfo  # of the whole data set, not of one worker's share
    vocabulary: str | None = None  # of a text; see `tf_rigl.data.text`
