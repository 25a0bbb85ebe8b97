import numpy as np
import pytest

from tests.data import support
from tf_rigl.data import arrays
from tf_rigl.data import registry
from tf_rigl.data.batching import Batching


def numbered(examples, classes=4):
    """Examples that are their own numbers, sorted by class."""
    numbers = np.arange(examples)
    return arrays.Arrays(numbers, numbers * classes // examples)


def splits(count, **batching):
    return arrays.splits(
        Batching(10, **batching), numbered(200), numbered(30), count
    )


def test_validation_examples_are_no_training_examples():
    found = splits(40)
    assert found.info == (160, 30, 4, ())
    assert found.train.cardinality() == 16
    kept, _ = support.joined(found.train)
    held_out, labels = support.joined(found.validation)
    assert sorted([*kept, *held_out]) == list(range(200))
    assert len(held_out) == 40
    assert list(labels) == [number // 50 for number in held_out]
    # They are no run of a user's examples, which may be sorted by class.
    assert np.bincount(labels).min() >= 4
    assert support.joined(found.evaluation)[0].tolist() == list(range(30))


def test_validation_examples_are_those_of_every_seed():
    found, other = splits(40), splits(40, seed=1)
    assert support.same(found.validation, other.validation)
    assert not support.same(found.train, other.train)


def test_nothing_is_held_out_by_default():
    found = splits(0)
    assert found.validation is None
    kept, _ = support.joined(found.train)
    assert sorted(kept) == list(range(200))


@pytest.mark.parametrize("name", ["mnist_small", "synthetic_mnist"])
def test_data_sets_hold_examples_out(name):
    found = registry.splits(name, Batching(500), validation_examples=1000)
    examples = registry.describe(name).train_examples - 1000
    assert found.info.train_examples == examples
    assert len(support.labels(found.validation)) == 1000


@pytest.mark.parametrize("count", [200, -1])
def test_too_many(count):
    with pytest.raises(ValueError, match=rf"examples={count} of 200\. Take"):
        splits(count)
