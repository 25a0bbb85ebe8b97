"""Order, shares and resume, on examples that are their own number."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.data import support
from tf_rigl.data import pipeline
from tf_rigl.data.batching import Batching

EXAMPLES = 50


def from_memory(**batching):
    """Batches of numbers, and of one random number an example."""

    def order(key):
        draws = tf.random.stateless_uniform((EXAMPLES,), key)
        return pipeline.random_order(key, EXAMPLES), draws

    def make_batch(indices, draws):
        return draws, indices

    return pipeline.train_from_memory(
        order, make_batch, EXAMPLES, Batching(**batching)
    )


def from_records(cache=False, **batching):
    """The same, of records in five files of ten."""
    batching = Batching(**batching)

    def read(seed):
        files = tf.data.Dataset.range(5)
        if seed is not None:
            files = files.shuffle(5, seed=seed)
        return files.interleave(
            lambda file: tf.data.Dataset.range(10 * file, 10 * (file + 1)),
            cycle_length=2,
        ).shard(batching.shares, batching.share)

    def parse(record, seed):
        return tf.random.stateless_uniform((), seed), record

    return pipeline.train_from_records(
        read, parse, EXAMPLES, batching, shuffle_buffer=10, cache=cache
    )


KINDS = {
    "memory": from_memory,
    "records": from_records,
    "cached records": functools.partial(from_records, cache=True),
}


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def test_an_epoch_has_whole_batches_of_different_examples(make):
    dataset = make(batch_size=8)
    assert dataset.cardinality() == 6
    assert dataset.element_spec[1].shape == [8]
    seen = support.labels(dataset)
    assert len(seen) == len(set(seen)) == 48
    assert seen != sorted(seen)


@pytest.fixture
def global_seed():
    yield tf.random.set_seed
    tf.random.set_seed(None)


def test_nothing_follows_from_the_global_seed(make, global_seed):
    endless = []
    for seed in (None, 0, 1):
        global_seed(seed)
        dataset = make(batch_size=8, seed=3, endless=True)
        endless.append(support.labels(dataset.take(12)))
    assert endless[0] == endless[1] == endless[2]


def test_other_seed_other_epoch(make):
    draws, numbers = support.joined(make(batch_size=8, seed=3))
    others, other_numbers = support.joined(make(batch_size=8, seed=4))
    assert numbers.tolist() != other_numbers.tolist()
    assert not set(draws.tolist()) & set(others.tolist())


def test_epochs_differ(make):
    dataset = make(batch_size=10)
    draws, numbers = support.joined(dataset)
    others, other_numbers = support.joined(dataset)
    assert numbers.tolist() != other_numbers.tolist()
    assert len({*draws.tolist(), *others.tolist()}) == 100


def test_resumes_at_an_epoch(make):
    whole = make(batch_size=8, seed=3)
    for _ in range(2):
        support.arrays(whole)
    assert support.same(whole, make(batch_size=8, seed=3, first_epoch=2))


def test_endless_epochs_follow_each_other(make):
    dataset = make(batch_size=8, endless=True)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    epochs = [dataset.skip(6 * epoch).take(6) for epoch in range(3)]
    orders = [support.labels(epoch) for epoch in epochs]
    assert all(len(set(order)) == 48 for order in orders)
    assert len(set(map(tuple, orders))) == 3
    # A pass begins at the beginning.
    assert support.same(dataset.take(18), dataset.take(18))
    resumed = make(batch_size=8, endless=True, first_epoch=2)
    assert support.same(resumed.take(6), epochs[2])


def test_shares_are_disjoint_and_complete(make):
    seen, draws = [], []
    for context in support.contexts(5):
        dataset = make(batch_size=25, context=context)
        assert dataset.cardinality() == 2
        draws.extend(support.joined(dataset)[0].tolist())
        seen.extend(support.labels(dataset))
    assert sorted(seen) == list(range(50))
    assert len(set(draws)) == 50


def test_steps_don_t_depend_on_the_number_of_workers():
    alone = support.arrays(from_memory(batch_size=12))
    shared = [
        support.arrays(from_memory(batch_size=12, context=context))
        for context in support.contexts(3)
    ]
    for step, (draws, numbers) in enumerate(alone):
        own = [worker[step] for worker in shared]
        assert sorted(np.concatenate([n for _, n in own])) == sorted(numbers)
        assert sorted(np.concatenate([d for d, _ in own])) == sorted(draws)


def assert_replicas_see_all(strategy, dataset, epochs):
    """The replicas' parts of each batch are the batches of one pipeline."""
    alone = from_memory(batch_size=12)
    for _ in range(epochs):
        steps = [
            np.concatenate(
                [n.numpy() for n in strategy.experimental_local_results(parts)]
            ).tolist()
            for _, parts in dataset
        ]
        assert steps == [n.tolist() for _, n in support.arrays(alone)]


def test_a_worker_feeds_its_replicas(two_replicas):
    def share(context):
        return from_memory(batch_size=12, context=context)

    dataset = two_replicas.distribute_datasets_from_function(share)
    assert_replicas_see_all(two_replicas, dataset, 1)


def test_whole_batches_are_split_among_replicas(two_replicas):
    dataset = from_memory(batch_size=12)
    dataset = two_replicas.experimental_distribute_dataset(dataset)
    assert_replicas_see_all(two_replicas, dataset, 2)


def test_cached_records_are_read_once():
    passes = []

    def read(seed):
        del seed
        records = tf.data.Dataset.range(EXAMPLES)
        return records.map(
            lambda record: tf.py_function(count, [record], tf.int64)
        )

    def count(record):
        passes.append(int(record))
        return record

    def parse(record, seed):
        return seed, tf.ensure_shape(record, ())

    dataset = pipeline.train_from_records(
        read, parse, EXAMPLES, Batching(8), shuffle_buffer=10, cache=True
    )
    for _ in range(3):
        support.arrays(dataset)
    assert len(passes) == EXAMPLES


@pytest.mark.parametrize("workers", [1, 3])
def test_evaluation_is_complete_and_in_order(workers):
    seen = []
    for context in support.contexts(workers):
        batching = Batching(24, context=context)
        in_memory = pipeline.evaluation_from_memory(
            lambda indices: (indices, indices), EXAMPLES, batching
        )
        records = tf.data.Dataset.range(EXAMPLES).shard(
            workers, context.input_pipeline_id
        )
        along = pipeline.evaluation_from_records(
            records, lambda record: (record, record), batching
        )

        numbers = support.labels(in_memory)
        assert numbers == sorted(numbers) == support.labels(along)
        seen.extend(numbers)
    assert sorted(seen) == list(range(EXAMPLES))


def test_evaluation_may_drop_the_remainder():
    batching = Batching(24, drop_remainder=True)
    dataset = pipeline.evaluation_from_memory(
        lambda indices: (indices, indices), EXAMPLES, batching
    )
    assert dataset.element_spec[0].shape == [24]
    assert support.labels(dataset) == list(range(48))


@pytest.mark.parametrize(("workers", "policy"), [(1, "DATA"), (2, "OFF")])
def test_only_whole_data_sets_are_divided_by_tensorflow(workers, policy):
    context = support.contexts(workers)[0]
    options = from_records(batch_size=8, context=context).options()
    found = options.experimental_distribute.auto_shard_policy
    assert found == tf.data.experimental.AutoShardPolicy[policy]
