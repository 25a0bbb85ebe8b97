"""CIFAR-10 and CIFAR-100 from prepared TensorFlow Datasets files."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import images
from tf_rigl.data import pipeline
from tf_rigl.data import tfds_reader
from tf_rigl.data.batching import Batching

NAMES = ("cifar10", "cifar100")
NORMALIZATIONS = ("image", "channel")
PADDING = 4  # pixels

_TRAIN = "train"
_EVALUATION = "test"


def describe(
    data_dir: str | None = None, download: bool = False, name: str = "cifar10"
) -> datasets.DataInfo:
    """Reads the size of the data set from its metadata.

    Arguments and errors are those of `splits`.
    """
    _check("name", name, NAMES)
    builder = tfds_reader.open_builder(name, data_dir, download)
    return tfds_reader.describe(builder, _TRAIN, _EVALUATION)


def splits(
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    name: str = "cifar10",
    normalization: str = "image",
) -> datasets.DataSplits:
    """Makes batches of CIFAR.

    Training images are padded with four mirrored pixels, cropped at random to
    their original size and flipped at random. All images are kept in memory.

    Args:
        batching: size, seed and share of the batches.
        data_dir: folder of prepared TFDS data; None for TFDS's default.
        download: whether TFDS may download and prepare missing data.
        name: `"cifar10"` or `"cifar100"`.
        normalization: `"image"` normalizes each image to mean 0 and variance 1
            before padding it; `"channel"` subtracts the mean and divides by the
            deviation of each channel over the training images.

    Returns:
        Batches of (float32 `[batch, 32, 32, 3]`, int32 `[batch]`).

    Raises:
        FileNotFoundError: if the data is missing or incomplete.
        ImportError: if TensorFlow Datasets is not installed.
        ValueError: if `name` or `normalization` is unknown, or there are fewer
            images than one batch needs.

    References: He et al., "Deep Residual Learning for Image Recognition",
    arXiv:1512.03385, section 4.2. google-research/rigl,
    `cifar_resnet/data_helper.py`.
    """
    _check("name", name, NAMES)
    _check("normalization", normalization, NORMALIZATIONS)
    builder = tfds_reader.open_builder(name, data_dir, download)
    info = tfds_reader.describe(builder, _TRAIN, _EVALUATION)
    batching.local_batches(info.train_examples)  # fails before it reads
    train_images, train_labels = tfds_reader.read_arrays(builder, _TRAIN)
    test_images, test_labels = tfds_reader.read_arrays(builder, _EVALUATION)
    normalize = _normalizer(normalization, train_images)

    def order(key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return (
            pipeline.random_order(key, info.train_examples),
            *draw_augmentation(key, info.train_examples),
        )

    def train_batch(
        indices: tf.Tensor, shifts: tf.Tensor, flips: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        batch = normalize(tf.gather(train_images, indices))
        batch = images.shift_and_flip(batch, shifts, flips)
        return batch, tf.gather(train_labels, indices)

    def evaluation_batch(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = normalize(tf.gather(test_images, indices))
        return batch, tf.gather(test_labels, indices)

    return datasets.DataSplits(
        pipeline.train_from_memory(
            order, train_batch, info.train_examples, batching
        ),
        pipeline.evaluation_from_memory(
            evaluation_batch, info.evaluation_examples, batching
        ),
        info,
    )


def draw_augmentation(
    key: tf.Tensor, examples: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the crops and flips of an epoch from its key, int64 `[2]`.

    Returns:
        Offsets of the crops relative to the unpadded image, int32 `[examples,
        2]` in [-4, 4], and which images to flip, bool `[examples]`.
    """
    seeds = tf.random.split(key, 2)
    shifts = tf.random.stateless_uniform(
        (examples, 2), seeds[0], -PADDING, PADDING + 1, tf.int32
    )
    flips = tf.random.stateless_uniform((examples,), seeds[1]) < 0.5
    return shifts, flips


def _normalizer(
    normalization: str, train_images: tf.Tensor
) -> Callable[[tf.Tensor], tf.Tensor]:
    if normalization == "image":
        return tf.image.per_image_standardization

    mean, deviation = _channel_statistics(train_images.numpy())
    return lambda batch: images.normalize(batch, mean, deviation)


def _channel_statistics(
    train_images: np.ndarray,
) -> tuple[list[float], list[float]]:
    """Computes mean and deviation of each channel, scaled to [0, 1]."""
    values = np.arange(256) / 255
    means, deviations = [], []

    for channel in range(train_images.shape[-1]):
        # A histogram is exact and avoids a float copy of the images.
        pixels = train_images[..., channel].ravel()
        counts = np.bincount(pixels, minlength=256)
        mean = float(np.average(values, weights=counts))
        variance = np.average((values - mean) ** 2, weights=counts)
        means.append(mean)
        deviations.append(float(np.sqrt(variance)))
    return means, deviations


def _check(argument: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(
            f"`{argument}` must be one of {choices}. "
            f"Received: {argument}={value!r}."
        )
