"""MNIST and Fashion-MNIST as arrays and as deterministic batches.

`"small"` is a class-balanced subset of 10,000 + 2,000 images that is part of
the package and needs no network. `"tfds"` is the full set of 60,000 + 10,000
images, read from prepared TensorFlow Datasets files; `"fashion_mnist"` is a set
of clothing images of the same size. `load` returns arrays and `splits` batches.
"""

import importlib.resources
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import in_memory
from tf_rigl.data import tfds_reader
from tf_rigl.data.batching import Batching

IMAGE_SHAPE = (28, 28)
CLASSES = 10
TRAIN_EXAMPLES = {"small": 10_000, "tfds": 60_000, "fashion_mnist": 60_000}
TEST_EXAMPLES = {"small": 2_000, "tfds": 10_000, "fashion_mnist": 10_000}

_TFDS_NAMES = {"tfds": "mnist", "fashion_mnist": "fashion_mnist"}
_TRAIN = "train"
_TEST = "test"
_MNIST_REMEDY = (
    "Pass `--download` on the command line (`download=True`), or run `tfds "
    "build mnist`; add `--data_dir=DIR` for another folder than "
    "~/tensorflow_datasets. Or use the embedded subset, "
    '`--data=mnist_small` (`source="small"`).'
)


class Mnist(NamedTuple):
    """The two splits of the data set."""

    train_images: np.ndarray  # [examples, 28, 28] uint8
    train_labels: np.ndarray  # [examples] uint8
    test_images: np.ndarray  # [examples, 28, 28] uint8
    test_labels: np.ndarray  # [examples] uint8


def load(
    source: str = "small",
    data_dir: str | None = None,
    download: bool = False,
) -> Mnist:
    """Reads MNIST into memory.

    Args:
        source: `"small"` for the embedded subset of 10,000 + 2,000 images,
            `"tfds"` for the full set, `"fashion_mnist"` for Fashion-MNIST.
        data_dir: folder of prepared TFDS data; None for TFDS's default,
            `~/tensorflow_datasets`. Ignored if `source="small"`.
        download: whether TFDS may download and prepare missing data. If false,
            the network is never used.

    Raises:
        ValueError: if `source` is unknown.
        FileNotFoundError: if the TFDS data is missing and `download` is false.
        ImportError: if TensorFlow Datasets is needed but not installed, or
            lacks a package for preparing data.
    """
    if source == "small":
        return _load_small()
    builder = _open(source, data_dir, download)
    return Mnist(*_read_split(builder, _TRAIN), *_read_split(builder, _TEST))


def describe(
    data_dir: str | None = None, download: bool = False, source: str = "small"
) -> datasets.DataInfo:
    """Returns the size of a data set, from metadata if it is prepared data.

    Arguments and errors are those of `load`.
    """
    if source == "small":
        return datasets.DataInfo(
            TRAIN_EXAMPLES[source],
            TEST_EXAMPLES[source],
            CLASSES,
            (*IMAGE_SHAPE, 1),
        )
    builder = _open(source, data_dir, download)
    return tfds_reader.describe(builder, _TRAIN, _TEST)


def splits(
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    source: str = "small",
    validation_examples: int = 0,
) -> datasets.DataSplits:
    """Makes batches of images with one channel.

    The first `validation_examples` of the training images in a random order
    are held out. Other arguments and errors are those of `load`.

    Returns:
        Batches of (float32 `[batch, 28, 28, 1]` in [0, 1], int32 `[batch]`).

    Raises:
        ValueError: if there are fewer images than one batch needs.
    """
    info = in_memory.hold_out(
        describe(data_dir, download, source), validation_examples
    )
    batching.local_batches(info.train_examples)  # fails before it reads

    data = load(source, data_dir, download)
    return in_memory.splits(
        info,
        batching,
        (data.train_images, data.train_labels),
        (data.test_images, data.test_labels),
        _looker_up,
    )


def _load_small() -> Mnist:
    folder = importlib.resources.files(__package__) / "mnist_small"
    with (
        (folder / "mnist_small.npz").open("rb") as stream,
        np.load(stream) as arrays,
    ):
        return Mnist(**{name: arrays[name] for name in Mnist._fields})


def _looker_up(images: np.ndarray, labels: np.ndarray) -> in_memory.LookUp:
    """Returns a function from example indices to a batch."""
    with tf.device("CPU"):
        pixels = tf.constant(images[..., None])
        classes = tf.constant(labels.astype(np.int32))

    def look_up(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(tf.gather(pixels, indices), tf.float32) / 255.0
        return images, tf.gather(classes, indices)

    return look_up


def _open(source: str, data_dir: str | None, download: bool) -> Any:
    if source not in _TFDS_NAMES:
        raise ValueError(
            f"`source` must be one of {sorted(TRAIN_EXAMPLES)}. "
            f"Received: source={source!r}. Use `small` for the embedded subset."
        )
    remedy = _MNIST_REMEDY if source == "tfds" else None
    return tfds_reader.open_builder(
        _TFDS_NAMES[source], data_dir, download, remedy
    )


def _read_split(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = tfds_reader.read_arrays(builder, split)
    return images.numpy()[..., 0], labels.numpy().astype(np.uint8)
