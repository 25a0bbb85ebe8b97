"""Random batches without input, for benchmarks and dry runs."""

import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data import in_memory
from tf_rigl.data.batching import Batching

# Sizes of the imitated data sets. Characters are integers; all other examples
# are float images.
SIZES = {
    "mnist": datasets.DataInfo(60_000, 10_000, 10, (28, 28, 1)),
    "cifar10": datasets.DataInfo(50_000, 10_000, 10, (32, 32, 3)),
    "imagenet2012": datasets.DataInfo(1_281_167, 50_000, 1000, (224, 224, 3)),
    "characters": datasets.DataInfo(1_000_000, 2_000, 256, (512,)),
}


def describe(
    data_dir: str | None = None,
    download: bool = False,
    name: str = "imagenet2012",
) -> datasets.DataInfo:
    """Returns the size of an imitated data set.

    Raises:
        ValueError: if `name` is not in `SIZES`.
    """
    del data_dir, download
    if name not in SIZES:
        raise ValueError(
            f"`name` must be one of {sorted(SIZES)}. Received: name={name!r}."
        )
    return SIZES[name]


def splits(
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    name: str = "imagenet2012",
    validation_examples: int = 0,
) -> datasets.DataSplits:
    """Imitates the shapes, dtypes and number of steps of a data set.

    The same batch is repeated; `data_dir` and `download` are ignored.
    `validation_examples` are held out of the training examples.

    Raises:
        ValueError: if `name` is not in `SIZES`, or a batch exceeds the data
            set.
    """
    info = in_memory.hold_out(
        describe(data_dir, download, name), validation_examples
    )
    steps = batching.local_batches(info.train_examples)
    train_steps = None if batching.endless else steps
    batch = _one_batch(info, batching)

    def batches(examples: int) -> tf.data.Dataset:
        steps = max(1, examples // batching.batch_size)
        return batch.repeat(steps).prefetch(tf.data.AUTOTUNE)

    return datasets.DataSplits(
        batch.repeat(train_steps).prefetch(tf.data.AUTOTUNE),
        batches(info.evaluation_examples),
        info,
        validation=batches(validation_examples)
        if validation_examples
        else None,
    )


def batches(
    info: datasets.DataInfo,
    batching: Batching,
    count: int | None = None,
    device: str | None = None,
) -> tf.data.Dataset:
    """Repeats one random batch.

    Args:
        info: shape of an example and number of classes. A one-dimensional shape
            stands for characters.
        batching: size and seed of the batch.
        count: number of repetitions; None repeats forever.
        device: device to prefetch batches to, for a loop on one device; None
            for host memory, which strategies need.

    Returns:
        Batches of (float32 `[batch, *example_shape]` with mean 0 and variance
        1, int32 `[batch]`); for characters, of (int32 `[batch, time]`, int32
        `[batch, time]`).
    """
    dataset = _one_batch(info, batching).repeat(count)
    if device is None:
        return dataset.prefetch(tf.data.AUTOTUNE)
    return dataset.apply(tf.data.experimental.prefetch_to_device(device))


def _one_batch(info: datasets.DataInfo, batching: Batching) -> tf.data.Dataset:
    shape = (batching.local_size, *info.example_shape)
    seeds = tf.random.split((batching.seed, batching.share), 2)
    is_text = len(info.example_shape) == 1

    # Constants in memory, so that steps do not compute them again.
    with tf.device("CPU"):
        if is_text:
            inputs = tf.random.stateless_uniform(
                shape, seeds[0], 0, info.classes, tf.int32
            )
        else:
            inputs = tf.random.stateless_normal(shape, seeds[0])
        targets = tf.random.stateless_uniform(
            shape if is_text else shape[:1],
            seeds[1],
            0,
            info.classes,
            tf.int32,
        )

    return tf.data.Dataset.from_tensors((inputs, targets))
