import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.algorithms import support
from tests.core import strategies
from tf_rigl.algorithms import SET
from tf_rigl.algorithms import RigL
from tf_rigl.core import schedules


@strategies.examples(200)
@given(
    start=st.integers(0, 20),
    length=st.integers(0, 60),
    interval=st.integers(2, 12),
    switches=st.fixed_dictionaries(
        dict.fromkeys(("update_at_start", "include_stop"), st.booleans())
    ),
    data=st.data(),
)
def test_each_growth_has_its_drop(start, length, interval, switches, data):
    """Both are before the stop, and numbered in turn."""
    delay, stop = data.draw(st.integers(1, interval - 1)), start + length
    paired = schedules.PairedSchedule(
        start, stop, interval, delay=delay, **switches
    )
    whole = schedules.UpdateSchedule(start, stop, interval, **switches)
    steps = [
        part
        for step in range(100)
        if whole.is_update(step)
        and step + delay < stop + switches["include_stop"]
        for part in (step, step + delay)
    ]

    assert [step for step in range(100) if paired.is_update(step)] == steps
    assert paired.num_updates == len(steps)
    assert [paired.time_of_update(n) for n in range(len(steps))] == steps
    numbers = paired.update_index(tf.range(100, dtype=tf.int64)).numpy()
    assert numbers[steps].tolist() == list(range(len(steps)))
    assert (numbers >= 0).sum() == len(steps)
    due = paired.is_due(tf.range(100, dtype=tf.int64)).numpy()
    np.testing.assert_array_equal(due, numbers >= 0)


def run(algorithm, mode, gradients, target=20, size=60):
    """Connections, values and surplus after each of the updates."""
    random = np.random.default_rng(0)
    mask = np.arange(size) < target
    values = np.where(mask, 1 + random.random(size), 0).astype(np.float32)
    surplus = np.zeros(size, bool)

    def update(values, mask, gradient, surplus, number):
        weight = support.make_weight(
            values,
            mask,
            gradient,
            target,
            state={"surplus": tf.convert_to_tensor(surplus)},
        )
        (result,) = algorithm.update([weight], support.make_when(number))
        return result.masks, result.state["surplus"]

    update = strategies.compiled(update, mode)
    for number, gradient in enumerate(gradients):
        masks, surplus = update(
            values, mask, gradient, surplus, tf.constant(number)
        )
        yield masks, values, surplus.numpy()
        mask, surplus = masks.mask.numpy(), surplus.numpy()
        values = np.where(mask, values, 0)
        # One of two that grew is trained to be the largest.
        values[np.flatnonzero(masks.grown)[::2]] = 9
        values = values.astype(np.float32)


@pytest.mark.parametrize(
    ("method", "mode"),
    [
        *((RigL, mode) for mode in strategies.MODES),
        (SET, "graph"),
        pytest.param(SET, "eager", marks=pytest.mark.slow),
        pytest.param(SET, "xla", marks=pytest.mark.slow),
    ],
)
def test_what_grew_is_trained_before_it_is_compared(method, mode):
    algorithm = method(90, 10, 0.29, decay="constant", drop_delay=4)
    assert algorithm.requirements.structures == ("unstructured",)
    random = np.random.default_rng(1)
    gradients = random.normal(size=(4, 60)).astype(np.float32)
    counts = []

    for number, (masks, values, surplus) in enumerate(
        run(algorithm, mode, gradients)
    ):
        counts.append(np.count_nonzero(masks.mask))
        if number % 2 == 0:
            assert not np.any(masks.dropped)
            np.testing.assert_array_equal(surplus, masks.grown)
            if method is RigL:
                scores = np.abs(gradients[number])
                others = ~masks.mask.numpy()
                assert scores[masks.grown].min() >= scores[others].max()
        else:
            assert not np.any(masks.grown) and not surplus.any()
            left = np.abs(values[masks.mask])
            assert np.abs(values[masks.dropped]).max() <= left.min()
    assert counts == [25, 20, 25, 20]


def test_a_full_weight_grows_what_is_free():
    algorithm = SET(90, 10, 1.0, decay="constant", drop_delay=1)
    gradients = np.ones((2, 60), np.float32)
    counts = [
        np.count_nonzero(masks.mask)
        for masks, _, _ in run(algorithm, "eager", gradients, target=50)
    ]
    assert counts == [60, 50]


@pytest.mark.parametrize("method", [RigL, SET])
def test_gradients_that_are_not_finite(method):
    """The surplus waits for the next drop, whichever part is left out."""
    algorithm = method(90, 10, 0.5, decay="constant", drop_delay=1)
    gradients = np.ones((4, 60), np.float32)
    gradients[1, 3] = np.nan
    found = [
        (np.count_nonzero(masks.mask), int(surplus.sum()))
        for masks, _, surplus in run(algorithm, "graph", gradients)
    ]
    assert found == [(30, 10), (30, 10), (45, 25), (20, 0)]
    gradients = np.roll(gradients, -1, axis=0)
    found = [
        np.count_nonzero(masks.mask)
        for masks, _, _ in run(algorithm, "graph", gradients)
    ]
    assert found == [20, 20, 30, 20]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RigL(drop_delay=-1), "`drop_delay` must be at least 0 steps"),
        (lambda: SET(drop_delay=100), "less than the update interval.*100 w"),
        (lambda: RigL(drop_delay=9, update_interval=5), "interval of 5 steps"),
        (
            lambda: RigL(drop_delay=5, preset="tf1"),
            "updates must advance the step.*step=False",
        ),
    ],
)
def test_bad_delays(make, message):
    with pytest.raises(ValueError, match=message):
        make()
