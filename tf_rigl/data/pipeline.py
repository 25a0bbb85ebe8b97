"""Input pipelines whose batches depend only on the seed and the epoch.

Data that fits into memory is indexed (`train_from_memory`); files of records
are streamed (`train_from_records`). Each epoch starts from a random key that is
the same in every process, so a program that resumes at an epoch gets the same
batches. For data in memory, the examples of a step do not depend on the number
of workers.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.data.batching import Batching

# TensorFlow's default in place of a global seed that is not set.
_SEED_OF_NO_SEED = 87654321
# One tensor, or a tuple of them.
Tensors = Any


def train_from_memory(
    order: Callable[[tf.Tensor], Tensors],
    make_batch: Callable[..., Tensors],
    examples: int,
    batching: Batching,
) -> tf.data.Dataset:
    """Makes training batches of indexed examples, with static shapes.

    A pass is one epoch, or all epochs if the batching is `endless`.

    Args:
        order: maps the key of an epoch, int64 `[2]`, which is a seed of
            stateless random operations, to tensors of shape `[examples, ...]`:
            the index of the example at each position and any other input of
            `make_batch`.
        make_batch: maps slices of these tensors, `[local batch, ...]`, to a
            batch.
        examples: number of examples per epoch.
        batching: size, seed and share of the batches.

    Raises:
        ValueError: if there are fewer examples than one batch needs.
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
    """Makes batches of indexed examples in their original order.

    `make_batch` maps example indices, int64 `[local batch]`, to a batch.
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
    """Makes training batches of examples that are streamed from files.

    Files are read in random order, and a buffer shuffles their records.
    Batches, passes and errors are those of `train_from_memory`.

    Args:
        read: maps a seed, scalar int64, to this worker's records, with the
            files ordered by the seed; None keeps their order.
        parse: maps a record and an int64 `[2]` seed of stateless random
            operations to an example.
        examples: number of examples over all workers.
        batching: size, seed and share of the batches.
        shuffle_buffer: number of records in the shuffle buffer.
        cache: whether to keep this worker's records in memory. Files are then
            read only once, and the order changes by the buffer alone.
    """
    batches, size = batching.local_batches(examples), batching.local_size
    cached = read(None).cache() if cache else None

    def one_epoch(key: tf.Tensor) -> tf.data.Dataset:
        _leave_out_global_seed()
        records = read(key[0]) if cached is None else cached
        records = records.shuffle(shuffle_buffer, seed=key[1]).enumerate()
        # `take` would stop early, but a cache must be read to its end.
        records = records.filter(lambda place, _: place < batches * size)
        return records.map(lambda place, record: (record, key, place))

    def parse_one(record: tf.Tensor, key: tf.Tensor, place: tf.Tensor) -> Any:
        # Seeds must differ between workers.
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
    """Makes batches of this worker's records in their original order.

    `cache` keeps the records in memory.
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
    """Returns the example indices in random order, int64 `[examples]`."""
    return tf.random.experimental.stateless_shuffle(
        tf.range(examples, dtype=tf.int64), seed=key
    )


def _leave_out_global_seed() -> None:
    """Makes the traced function independent of the program's global seed.

    The order of shuffled records would depend on it, and if it is 0, TensorFlow
    fails to shuffle with a tensor seed.
    """
    if not tf.executing_eagerly():
        tf.random.set_seed(_SEED_OF_NO_SEED)


def _epoch_keys(batching: Batching) -> tf.data.Dataset:
    """Makes int64 `[2]` keys, of all epochs if endless, else one per pass."""
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

    # The generator counts passes, so earlier epochs are consumed here.
    for _ in range(batching.first_epoch):
        next(iter(keys))
    return keys


def _finish(
    dataset: tf.data.Dataset, batches: int | None, batching: Batching
) -> tf.data.Dataset:
    """Sets cardinality (None: unknown), order, sharding and prefetching."""
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

    # If a strategy shards the data set itself, every worker makes the same
    # batches and keeps its own. A worker's share must not be sharded again.
    policies = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = (
        policies.OFF if batching.shares > 1 else policies.DATA
    )

    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
