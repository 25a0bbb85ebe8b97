import pytest

from tests.data import support
from tf_rigl.data.batching import Batching


@pytest.mark.parametrize(
    ("workers", "replicas", "local_size", "local_batches"),
    [
        (1, 1, 12, 8),
        (1, 2, 6, 16),  # a worker feeds its replicas in turn
        (2, 2, 6, 8),
        (2, 4, 3, 16),
        (3, 1, 12, 2),  # workers that take steps on their own
    ],
)
def test_shares_of_workers(workers, replicas, local_size, local_batches):
    for context in support.contexts(workers, replicas):
        batching = Batching(12, context=context)
        assert batching.local_size == local_size
        assert batching.local_batches(100) == local_batches


def test_without_context_all_is_one_share():
    batching = Batching(12)
    assert (batching.shares, batching.share, batching.local_size) == (1, 0, 12)
    assert batching.local_batches(100) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batch_size": 8, "seed": -1}, r"in \[0, 2\*\*31\).*seed=-1"),
        ({"batch_size": 8, "first_epoch": -1}, "first_epoch=-1"),
    ],
)
def test_wrong_numbers(arguments, message):
    with pytest.raises(ValueError, match=message):
        Batching(**arguments)


def test_replicas_must_share_alike():
    with pytest.raises(ValueError, match="batch_size=8 for 3 replicas"):
        Batching(8, context=support.contexts(3)[0])


def test_batch_larger_than_the_training_set():
    with pytest.raises(ValueError, match="batch_size=8 for 7 examples"):
        Batching(8).local_batches(7)
