import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.experiments.sweeps import own
from tf_rigl.experiments.sweeps import own_data


def load(data, seed=0, batch_size=16, steps_per_epoch=None):
    return own_data.load(data, seed, batch_size, steps_per_epoch)


def take(dataset, count):
    return [
        tf.nest.map_structure(np.asarray, batch)
        for batch in itertools.islice(dataset, count)
    ]


def data_sets(seed=None):
    train, validation = map(tf.data.Dataset.from_tensor_slices, own.arrays())
    return train.shuffle(64, seed=seed).batch(16), validation.batch(16)


@pytest.mark.parametrize(
    "data", [own.arrays(), own.arrays, data_sets, lambda: data_sets()]
)
def test_batches_of_a_step_are_those_of_a_run(data):
    found = load(data, seed=3)
    assert (found.steps_per_epoch, found.batch_size) == (4, 16)
    whole = take(found.train(0), 12)
    for first_step in (4, 7):
        rest = take(load(data, seed=3).train(first_step), 12 - first_step)
        for one, other in zip(rest, whole[first_step:], strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    (first, _), (other, _) = whole[0], whole[4]
    assert not np.array_equal(first, other)  # shuffled in every epoch
    seen = np.concatenate([labels for _, labels in whole[:4]])
    assert sorted(seen) == sorted(own.arrays()[0][1])
    assert len(take(found.validation, 9)) == 2


def test_seeds_are_passed_on():
    given = []

    def data(seed):
        given.append(seed)
        return data_sets(seed)

    load(data, seed=5)
    assert set(given) == {5}
    # Other seeds may have other content.
    described = load(lambda seed: own.arrays(), seed=5).description
    assert "checksum" not in described["training data"]
    assert "checksum" in load(own.arrays).description["training data"]


def test_arrays_of_any_structure():
    size = 10
    inputs = {"a": np.ones((size, 2)), "b": np.ones((size, 3), "uint8")}
    pair = inputs, np.arange(size, dtype="float64"), np.ones(size)
    found = load((pair, pair), batch_size=4, steps_per_epoch=7)
    assert found.steps_per_epoch == 7
    ((batch, targets, weights),) = take(found.train(0), 1)
    assert batch["a"].shape == (4, 2)
    assert batch["a"].dtype == targets.dtype == weights.dtype == np.float32
    assert batch["b"].dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (3, TypeError, "`data` must be two pairs .* Received: int"),
        (lambda: None, TypeError, "which returned NoneType"),
        ((own.arrays()[0], data_sets()[1]), TypeError, "of the same form"),
        (([1], [2]), TypeError, "Received: a list for train"),
        (
            ((np.ones((3, 2)), np.ones(2)), own.arrays()[1]),
            ValueError,
            r"as many examples. Received: float64\[3, 2\], float64\[2\]",
        ),
        (
            (data_sets()[0].repeat(), data_sets()[1]),
            ValueError,
            "infinitely many batches. Pass `steps_per_epoch`",
        ),
        (
            (data_sets()[0].filter(lambda *_: True), data_sets()[1]),
            ValueError,
            "an unknown number of batches. Pass `steps_per_epoch`",
        ),
        (
            (data_sets()[0], data_sets()[1].repeat()),
            ValueError,
            "The validation data .* infinitely many batches. Use `take`",
        ),
        ((data_sets()[0].take(0), data_sets()[1]), ValueError, "no batches"),
    ],
)
def test_errors(data, kind, message):
    with pytest.raises(kind, match=message):
        load(data)


def test_unknown_length_with_steps():
    train, validation = data_sets()
    unknown = validation.filter(lambda *_: True)
    assert (
        load((train.repeat(), unknown), steps_per_epoch=3).steps_per_epoch == 3
    )
