"""Batches as a function of the seed and the epoch alone.

Data that fits into memory is indexed (`train_from_memory`); files of records
are read along (`train_from_records`). Both begin an epoch with a random key
from which order and augmentation follow, so that the same seed gives the same
batches in every process, and a program that resumes at an epoch gets those it
would have got. Of data in memory, the examples of a step are the same however
many workers share them.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.data.batching import Batching

# What TensorFlow puts in the place of a global seed where none is set.
_SEED_OF_NO_SEED = 87654321
# One tensor, or a tuple of them.
Tensors = Any


def train_from_memory(
    order: Callable[[tf.Tensor], Tensors],
    make_batch: Callable[..., Tensors],
    examples: int,
    batching: Batching,
) -> tf.data.Dataset:
    """Makes epochs of examples that can be looked up, in static shapes.

    A pass is one epoch, or all there are.

    Args:
        order: takes the key of an epoch, int64 of shape `[2]`, which is a
            seed for stateless random numbers. Returns tensors of shape
            `[examples, ...]`: at each place which example it is, and what
            else `make_batch` wants to know.
        make_batch: takes a slice of each of them, `[local batch, ...]`, and
            returns the batch.
        examples: number of places in an epoch.
        batching: the batches.

    Raises:
        ValueError: if there are fewer examples than a batch has.
    """
    batches, size = batching.local_batches(examples), batching.local_size
    used = batches * size * batching.shares

    def take_share(values: tf.Tensor) -> tf.Tensor:
        own = values[:used][batching.share :: batching.shares]
        return tf.reshape(own, (batches, size, *values.shape[1:]))

    def one_epoch(key: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            tf.nest.map_structure(take_share, order(key))
        )

    dataset = _epoch_keys(batching).flat_map(one_epoch)
    dataset = dataset.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE)
    return _finish(dataset, batches, batching)


def evaluation_from_memory(
    make_batch: Callable[[tf.Tensor], Tensors],
    examples: int,
    batching: Batching,
) -> tf.data.Dataset:
    """Makes batches of examples in their order.

    `make_batch` takes the numbers of examples, int64 `[local batch]`.
    """
    dataset = tf.data.Dataset.range(batching.share, examples, batching.shares)
    dataset = dataset.batch(batching.local_size, batching.drop_remainder)
    dataset = dataset.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE)
    return _finish(dataset, None, batching)


def train_from_records(
    read: Callable[[tf.Tensor | None], tf.data.Dataset],
    parse: Callable[[tf.Tensor, tf.Tensor], Tensors],
    examples: int,
    batching: Batching,
    shuffle_buffer: int = 16_384,
    cache: bool = False,
) -> tf.data.Dataset:
    """Makes epochs of examples that are read one after the other.

    Files come in random order, and a buffer mixes what was read from them.
    Batches, passes and errors are those of `train_from_memory`.

    Args:
        read: takes a seed, a scalar int64, and returns this worker's records,
            the files in an order that follows from it; None for their own.
        parse: takes a record and a seed for stateless random numbers, int64
            of shape `[2]`, and returns the example.
        examples: number of examples of all workers.
        batching: the batches.
        shuffle_buffer: number of records that are mixed.
        cache: whether to keep this worker's records in memory. Files are then
            read once, and only the buffer changes the order.
    """
    batches, size = batching.local_batches(examples), batching.local_size
    cached = read(None).cache() if cache else None

    def one_epoch(key: tf.Tensor) -> tf.data.Dataset:
        _leave_out_global_seed()
        records = read(key[0]) if cached is None else cached
        records = records.shuffle(shuffle_buffer, seed=key[1]).enumerate()
        # Not `take`: a cache is of use only when it was read to its end.
        records = records.filter(lambda place, _: place < batches * size)
        return records.map(lambda place, record: (record, key, place))

    def parse_one(record: tf.Tensor, key: tf.Tensor, place: tf.Tensor) -> Any:
        # The numbers of different workers must differ.
        number = place * batching.shares + batching.share
        return parse(record, tf.stack([key[0], number]))

    dataset = _epoch_keys(batching).flat_map(one_epoch)
    dataset = dataset.map(parse_one, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(
        size, drop_remainder=True, num_parallel_calls=tf.data.AUTOTUNE
    )
    return _finish(dataset, batches, batching)


def evaluation_from_records(
    records: tf.data.Dataset,
    parse: Callable[[tf.Tensor], Tensors],
    batching: Batching,
    cache: bool = False,
) -> tf.data.Dataset:
    """Makes batches of this worker's records in their order.

    `cache` says whether to keep the records in memory.
    """
    dataset = records.cache() if cache else records
    dataset = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(
        batching.local_size,
        batching.drop_remainder,
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return _finish(dataset, None, batching)


def random_order(key: tf.Tensor, examples: int) -> tf.Tensor:
    """Shuffles the numbers below `examples`, int64, for an epoch."""
    return tf.random.experimental.stateless_shuffle(
        tf.range(examples, dtype=tf.int64), seed=key
    )


def _leave_out_global_seed() -> None:
    """Keeps the function that is traced from the program's global seed.

    The order of shuffled records would follow from it, too; and where it is
    0, TensorFlow fails to shuffle by a seed that is a tensor.
    """
    if not tf.executing_eagerly():
        tf.random.set_seed(_SEED_OF_NO_SEED)


def _epoch_keys(batching: Batching) -> tf.data.Dataset:
    """Makes keys, int64 `[2]`: of all epochs, or another in each pass."""
    if batching.endless:
        epochs = tf.data.Dataset.counter(batching.first_epoch)
        return epochs.map(
            lambda epoch: tf.random.stateless_uniform(
                (2,), (batching.seed, epoch), None, None, tf.int64
            )
        )

    keys = tf.data.Dataset.random(
        batching.seed, rerandomize_each_iteration=True
    )
    keys = keys.batch(2).take(1)

    # The generator counts the passes over this data set.
    for _ in range(batching.first_epoch):
        next(iter(keys))
    return keys


def _finish(
    dataset: tf.data.Dataset, batches: int | None, batching: Batching
) -> tf.data.Dataset:
    if batches is not None:
        # Training loops and `UpdateMasks` ask for the number of steps.
        endless = tf.data.INFINITE_CARDINALITY
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(
                endless if batching.endless else batches
            )
        )

    options = tf.data.Options()
    options.deterministic = True

    # Where a strategy divides the data set itself, every worker makes the same
    # batches and takes its own; one worker's share must not be divided again.
    policies = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = (
        policies.OFF if batching.shares > 1 else policies.DATA
    )

    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
