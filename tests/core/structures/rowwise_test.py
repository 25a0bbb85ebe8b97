import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core.structures import ConstantFanIn
from tf_rigl.core.structures import NByM


def column(numbers):
    """One unit: [1, inputs, 1]."""
    return np.array(numbers, np.float32).reshape(1, -1, 1)


def bits(mask):
    return "".join(str(int(entry)) for entry in np.ravel(mask))


@pytest.mark.parametrize(
    ("n", "m", "expected"),
    [
        (1, 4, "0001 0100"),
        # Ties go to the lower input.
        (2, 4, "0101 1100"),
        (3, 4, "1101 1110"),
        (4, 4, "1111 1111"),
        (1, 2, "0101 0110"),
        (1, 8, "0001 0000"),
        (1, 1, "1111 1111"),
    ],
)
def test_golden_n_by_m(n, m, expected):
    values = column([1, -5, 0, 9, 2, -3, 2, 2])
    mask = NByM(n, m).largest(tf.constant(values), 0)
    assert bits(mask) == expected.replace(" ", "")


def test_groups_run_along_the_inputs():
    """Not along positions or units: 2 positions, 4 inputs, 2 units."""
    values = np.zeros((2, 4, 2), np.float32)
    values[0, 1, 0] = values[0, 2, 1] = values[1, 3, 0] = values[1, 0, 1] = 1
    mask = NByM(1, 4).largest(tf.constant(values), 0).numpy()
    np.testing.assert_array_equal(mask, values.astype(bool))


@pytest.mark.parametrize(
    ("nonzeros", "in_each_group"),
    [(0, 2), (12, 2), (13, 3), (18, 3), (19, 4), (24, 4)],
)
def test_n_by_m_on_the_way_from_dense(nonzeros, in_each_group):
    shape = (1, 8, 3)
    structure = NByM(2, 4)
    assert structure.connections(shape, nonzeros) == 6 * in_each_group
    scores = tf.reshape(tf.range(24, dtype=tf.float32), shape)
    for asked in (nonzeros, tf.constant(nonzeros), tf.constant([nonzeros])[0]):
        mask = structure.largest(scores, asked).numpy()
        counts = mask.reshape(1, 2, 4, 3).sum(2)
        assert (counts == in_each_group).all()


def test_golden_n_by_m_update():
    """Drops over the whole weight, grows in the groups that lost."""
    weights = column([5, 4, 0, 0, 1, 0, 2, 0])
    mask = column([1, 1, 0, 0, 1, 0, 1, 0]).astype(bool)
    scores = column([0, 0, 9, 8, 1, 7, 0, 6])
    update = NByM(2, 4).drop_and_grow(
        tf.constant(weights), tf.constant(mask), tf.constant(scores), 2
    )
    # 5 and 4 stay, so the first group is full in spite of its scores; the
    # second lost 1 and 2 and grows where scores are 7 and 6.
    assert bits(update.mask) == "11000101"
    assert bits(update.dropped) == "00001010"
    assert bits(update.grown) == "00000101"


@pytest.mark.parametrize(
    ("nonzeros", "fan_in"),
    [(0, 1), (1, 1), (3, 1), (5, 1), (6, 2), (8, 2), (9, 3), (12, 4)],
)
def test_fan_in_is_rounded_down_but_never_nothing(nonzeros, fan_in):
    structure, shape = ConstantFanIn(), (2, 2, 3)
    assert structure.connections(shape, nonzeros) == 3 * fan_in
    mask = structure.random_mask(shape, nonzeros, 0, "w").numpy()
    assert (mask.sum((0, 1)) == fan_in).all()


def test_golden_constant_fan_in():
    # Columns are units; rows are inputs.
    values = np.array([[[1, 0], [-3, 0], [2, 7]]], np.float32)
    mask = ConstantFanIn().largest(tf.constant(values), 4).numpy()[0]
    # The second unit ties at 0 and takes the lower input.
    assert mask.astype(int).tolist() == [[0, 1], [1, 0], [1, 1]]


def test_units_keep_their_own_fan_in():
    """An ablated unit stays without, others keep 1, 2 and 3."""
    random = np.random.default_rng(0)
    shape = (2, 3, 4)
    mask = np.zeros((6, 4), bool)
    for unit, fan_in in enumerate([0, 1, 2, 3]):
        mask[:fan_in, unit] = True
    mask = mask.reshape(shape)
    weights, scores = random.normal(size=(2, *shape)).astype(np.float32)
    for count in range(7):
        update = ConstantFanIn().drop_and_grow(
            tf.constant(weights), tf.constant(mask), tf.constant(scores), count
        )
        assert update.mask.numpy().sum((0, 1)).tolist() == [0, 1, 2, 3]
    assert update.grown.numpy().sum() > 0


def test_ablated_units_are_no_candidates():
    candidates = np.ones((1, 4, 2), bool)
    candidates[:, :, 1] = False
    mask = ConstantFanIn().largest(
        tf.ones((1, 4, 2)), 4, tf.constant(candidates)
    )
    assert mask.numpy().sum((0, 1)).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: NByM(3, 2),
            ValueError,
            r"must not be more\. Received: n=3, m=2\. For 2:4 pass n=2, m=4",
        ),
        (lambda: NByM(0, 4), ValueError, r"`n` must be at least 1\. .*n=0\."),
        (lambda: NByM(0, 0), ValueError, r"`n` must be at least 1\. .*n=0\."),
        (
            lambda: NByM(2, 4.0),
            TypeError,
            r"`m` must be an integer\. Received: m=4\.0\.",
        ),
        (lambda: NByM(True, 4), TypeError, r"`n` must be an integer\."),
    ],
)
def test_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("inputs", [1, 3, 10])
def test_other_inputs_are_one_error_everywhere(inputs):
    structure, shape = NByM(2, 4), (2, inputs, 5)
    ones, mask = tf.ones(shape), tf.ones(shape, tf.bool)

    for call in (
        lambda: structure.check(shape, "a/kernel"),
        lambda: structure.connections(shape, 4),
        lambda: structure.active_units(shape, 4),
        lambda: structure.largest(ones, 4),
        lambda: structure.largest(ones, 4, mask),
        lambda: structure.drop_and_grow(ones, mask, ones, 1),
        lambda: structure.to_rows(ones),
        lambda: structure.from_rows(tf.ones((5 * inputs, 2)), shape),
        lambda: structure.random_mask(shape, 4, 0, "a/kernel"),
    ):
        with pytest.raises(
            ValueError,
            match=rf"2:4 sparsity needs a multiple of 4 inputs\. Received: "
            rf"{inputs} inputs for '.*' of \[positions, inputs, units\] = "
            rf"\[2, {inputs}, 5\]\. Leave this weight out or choose an `m`",
        ):
            call()
