"""CIFAR-10 and CIFAR-100 from prepared TensorFlow Datasets files."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import images
from tf_rigl.data import in_memory
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
    augment: bool = True,
    validation_examples: int = 0,
) -> datasets.DataSplits:
    """Makes batches of CIFAR.

    Training images are padded with four mirrored pixels, cropped at random to
    their original size and flipped at random, unless `augment` is false. All
    images are kept in memory.

    Args:
        batching: size, seed and share of the batches.
        data_dir: folder of prepared TFDS data; None for TFDS's default.
        download: whether TFDS may download and prepare missing data.
        name: `"cifar10"` or `"cifar100"`.
        normalization: `"image"` normalizes each image to mean 0 and variance 1
            before padding it; `"channel"` subtracts the mean and divides by the
            deviation of each channel over the training images.
        augment: whether to crop and flip training images.
        validation_examples: number of training images to hold out.

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
    info = in_memory.hold_out(
        tfds_reader.describe(builder, _TRAIN, _EVALUATION), validation_examples
    )
    batching.local_batches(info.train_examples)  # fails before it reads
    train = tfds_reader.read_arrays(builder, _TRAIN)
    evaluation = tfds_reader.read_arrays(builder, _EVALUATION)
    normalize = _normalizer(normalization, train[0])

    def looker_up(pixels: tf.Tensor, classes: tf.Tensor) -> in_memory.LookUp:
        return lambda indices: (
            normalize(tf.gather(pixels, indices)),
            tf.gather(classes, indices),
        )

    augmentation = in_memory.Augmentation(
        draw_augmentation, images.shift_and_flip
    )
    return in_memory.splits(
        info,
        batching,
        train,
        evaluation,
        looker_up,
        augmentation if augment else None,
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
