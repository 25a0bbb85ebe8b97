"""MNIST as arrays and as a deterministic `tf.data` pipeline.

```python
from tf_rigl.data import mnist

digits = mnist.load("small")  # 10,000 + 2,000 images, part of the package
train = mnist.pipeline(
    digits.train_images,
    digits.train_labels,
    batch_size=128,
    seed=0,
    training=True,
)
```

`"small"` is a class-balanced subset that comes with the package, so it needs
no network. `"tfds"` is the full set of 60,000 + 10,000 images, read from
prepared TensorFlow Datasets files.
"""

import importlib.resources
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

IMAGE_SHAPE = (28, 28)
CLASSES = 10
TRAIN_EXAMPLES = {"small": 10_000, "tfds": 60_000}
TEST_EXAMPLES = {"small": 2_000, "tfds": 10_000}

_NOT_PREPARED = (
    "The TFDS data set `mnist` must be prepared before it can be read. "
    "Received: data_dir={data_dir!r}. Run `tfds build mnist` (with "
    "`--data_dir=DIR` for another folder than ~/tensorflow_datasets), or pass "
    "`download=True` (`--download` on the command line), or use the embedded "
    'subset, `source="small"` (`--data=mnist_small`).'
)
_CANNOT_WRITE = (
    "To prepare data, TFDS needs packages that it does not need to read them. "
    "Install them with `pip install apache-beam importlib_resources`. "
    "Missing: {package}."
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
            `"tfds"` for the full set.
        data_dir: Folder of prepared TFDS data; `None` for TFDS's default,
            `~/tensorflow_datasets`. Only used with `source="tfds"`.
        download: Whether TFDS may download and prepare missing data. Without
            it nothing ever goes over the network.

    Returns:
        The images as uint8 `[examples, 28, 28]` and the labels as uint8
        `[examples]`.

    Raises:
        ValueError: If `source` is unknown.
        FileNotFoundError: If the TFDS data is not there and `download` is
            false.
        ImportError: If TensorFlow Datasets is needed and not installed, or
            lacks a package for preparing data.
    """
    if source == "small":
        return _load_small()
    if source == "tfds":
        return _load_tfds(data_dir, download)
    raise ValueError(
        '`source` must be "small" or "tfds". '
        f"Received: source={source!r}. Use `small` for the embedded subset."
    )


def pipeline(
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    training: bool,
) -> tf.data.Dataset:
    """Makes a deterministic pipeline of normalised batches.

    Training batches are shuffled anew in each epoch and the incomplete last
    batch is left out, so that every step has the same static shape. Batches
    for evaluation keep the order and leave nothing out.

    Args:
        images: uint8 `[examples, 28, 28]`.
        labels: Integer `[examples]`.
        batch_size: Examples in a batch.
        seed: Seed of the shuffling; unused unless `training`.
        training: Whether to shuffle and to drop the incomplete last batch.

    Returns:
        A data set of (float32 `[batch, 28, 28]` in [0, 1], int32 `[batch]`).

    Raises:
        ValueError: If training would get no batch at all.
    """
    examples = len(images)
    if training and batch_size > examples:
        raise ValueError(
            "`batch_size` must not exceed the number of training examples. "
            f"Received: batch_size={batch_size} for {examples} examples. "
            "Choose a smaller batch."
        )
    dataset = tf.data.Dataset.from_tensor_slices(
        (images, labels.astype(np.int32))
    )
    if training:
        dataset = dataset.shuffle(
            examples, seed=seed, reshuffle_each_iteration=True
        )
    # Batches are normalised as a whole: one op call for each, and the shuffle
    # buffer holds bytes instead of floats.
    return (
        dataset.batch(batch_size, drop_remainder=training)
        .map(_normalise, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def _normalise(
    images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(images, tf.float32) / 255.0, labels


def _load_small() -> Mnist:
    folder = importlib.resources.files(__package__) / "mnist_small"
    with (
        (folder / "mnist_small.npz").open("rb") as stream,
        np.load(stream) as arrays,
    ):
        return Mnist(**{name: arrays[name] for name in Mnist._fields})


def _load_tfds(data_dir: str | None, download: bool) -> Mnist:
    # TFDS takes seconds to import and the embedded subset does not need it.
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ImportError(
            '`source="tfds"` needs TensorFlow Datasets. '
            "Install it with `pip install 'tf_rigl[data]'`."
        ) from error

    builder = tfds.builder("mnist", data_dir=data_dir)
    if not builder.is_prepared():
        if not download:
            raise FileNotFoundError(_NOT_PREPARED.format(data_dir=data_dir))
        _prepare(builder)
    return Mnist(*_read_split(builder, "train"), *_read_split(builder, "test"))


def _prepare(builder: Any) -> None:
    try:
        builder.download_and_prepare()
    except ModuleNotFoundError as error:
        raise ImportError(_CANNOT_WRITE.format(package=error.name)) from error


def _read_split(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = builder.as_dataset(
        split=split, batch_size=-1, as_supervised=True, shuffle_files=False
    )
    return images.numpy()[..., 0], labels.numpy().astype(np.uint8)
