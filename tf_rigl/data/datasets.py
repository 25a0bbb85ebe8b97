"""Result types shared by all data sets of this package."""

from typing import NamedTuple

import tensorflow as tf


class DataInfo(NamedTuple):
    """The size of a data set, known before any example is read."""

    train_examples: int
    evaluation_examples: int
    classes: int  # number of classes, or of characters in a text
    example_shape: tuple[int, ...]  # shape of an image, or (time,) for text


class DataSplits(NamedTuple):
    """Batches for training and evaluation.

    A pass over `train` is one epoch, or all epochs if the batching is
    `endless`; the order and the augmentation differ in every epoch.
    `evaluation` and `validation` are the same in every pass.
    """

    train: tf.data.Dataset  # (inputs, targets), of static shape
    evaluation: tf.data.Dataset  # (inputs, targets)
    info: DataInfo  # describes the whole data set, not one worker's share
    vocabulary: str | None = None  # only for text; see `tf_rigl.data.text`
    validation: tf.data.Dataset | None = None  # held out of the training set
