import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import schedules

SWITCHES = ("update_at_start", "include_stop", "updates_advance_step")
WRITTEN = st.integers(0, 1000).map(lambda x: x / 1000)


def update_steps(schedule, batches=400):
    return [batch for batch in range(batches) if schedule.is_update(batch)]


@pytest.mark.parametrize(
    ("start", "stop", "interval", "switches", "steps"),
    [
        (0, 10, 3, {}, [0, 3, 6, 9]),
        (5, 11, 3, {}, [5, 8]),
        (5, 11, 3, {"update_at_start": False, "include_stop": True}, [8, 11]),
        # Each update takes a batch of its own, and t stays at 0, 3, 6, 9.
        (0, 10, 3, {"updates_advance_step": False}, [0, 4, 8, 12]),
        (0, 4, 100, {}, [0]),
        (4, 4, 1, {}, []),
    ],
)
def test_steps_of_updates(start, stop, interval, switches, steps):
    schedule = schedules.UpdateSchedule(start, stop, interval, **switches)
    assert update_steps(schedule) == steps
    assert schedule.num_updates == len(steps)


@strategies.examples(300)
@given(
    start=st.integers(0, 30),
    length=st.integers(0, 60),
    interval=st.integers(1, 12),
    switches=st.fixed_dictionaries(dict.fromkeys(SWITCHES, st.booleans())),
)
def test_follows_the_counter_batch_by_batch(start, length, interval, switches):
    """The closed form equals a loop that counts t by itself."""
    stop = start + length
    schedule = schedules.UpdateSchedule(start, stop, interval, **switches)
    t, updates, updated_at = 0, 0, None

    for batch in range(200):
        due = (
            start <= t < stop + switches["include_stop"]
            and (t - start) % interval == 0
            and (t > start or switches["update_at_start"])
            # Where t stands still, the batch after an update trains.
            and (switches["updates_advance_step"] or t != updated_at)
        )
        assert schedule.is_update(batch) == due, batch
        if due:
            assert schedule.time_of_update(updates) == t
            updates += 1
            updated_at = t
        if not due or switches["updates_advance_step"]:
            t += 1
    assert schedule.num_updates == updates


@pytest.mark.parametrize(
    "switches", itertools.product((False, True), repeat=len(SWITCHES))
)
@pytest.mark.parametrize("mode", strategies.MODES)
def test_tensors_agree_with_integers(switches, mode):
    switches = dict(zip(SWITCHES, switches, strict=True))
    schedule = schedules.UpdateSchedule(4, 22, 3, **switches)
    update_index = strategies.compiled(schedule.update_index, mode)
    is_due = strategies.compiled(schedule.is_due, mode)
    updates = 0

    for batch in range(50):
        index = update_index(tf.constant(batch, tf.int64))
        assert index.dtype == tf.int64
        due = is_due(tf.constant(batch, tf.int64))
        assert bool(due) == schedule.is_update(batch)
        if schedule.is_update(batch):
            assert index == updates
            updates += 1
        else:
            assert index == -1
    assert updates == schedule.num_updates


def test_counter_of_32_bits():
    schedule = schedules.UpdateSchedule(0, 10, 5)
    assert schedule.update_index(tf.constant(5, tf.int32)) == 1


def test_counter_beyond_32_bits():
    schedule = schedules.UpdateSchedule(0, 2**40, 2**20)
    assert schedule.update_index(tf.constant(2**39, tf.int64)) == 2**19
    assert schedule.is_update(2**39)
    assert schedule.num_updates == 2**20


def test_a_schedule_without_end():
    schedule = schedules.UpdateSchedule(5, schedules.FOREVER, 1)
    late = tf.constant(schedules.FOREVER - 1, tf.int64)
    assert schedule.is_due(late)
    assert not schedule.is_due(tf.constant(4, tf.int64))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((-1, 5, 1), r"`start_step` must be at least 0.*start_step=-1\."),
        (
            (6, 5, 1),
            r"`stop_step` must not be before `start_step`\. Received: "
            r"start_step=6, stop_step=5\.",
        ),
        ((0, 5, 0), r"`update_interval` must be at least 1.*interval=0\."),
        ((0, 5, -3), r"`update_interval` must be at least 1.*interval=-3\."),
    ],
)
def test_bad_steps(arguments, match):
    with pytest.raises(ValueError, match=match):
        schedules.UpdateSchedule(*arguments)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 5, 1), "start_step"),
        ((0, 0.75 * 1000, 1), "stop_step"),
        ((0, 5, "1"), "update_interval"),
    ],
)
def test_steps_are_integers(arguments, name):
    """Three quarters of the steps, unrounded, would fail deep in a graph."""
    with pytest.raises(
        TypeError, match=rf"`{name}` must be an integer.*Received: {name}="
    ):
        schedules.UpdateSchedule(*arguments)


def test_steps_may_be_integers_of_numpy():
    schedule = schedules.UpdateSchedule(*np.array([2, 9, 3]))
    assert update_steps(schedule) == [2, 5, 8]


@pytest.mark.parametrize(
    ("decay", "fractions"),
    [
        # t = 25, 50, 75 and 100 of 100: t is not shifted by the start.
        ("cosine", [0.25606602, 0.15, 0.04393398, 0]),
        ("constant", [0.3, 0.3, 0.3, 0.3]),
        ("linear", [0.225, 0.15, 0.075, 0]),
        ("inverse_power", [0.1265625, 0.0375, 0.0046875, 0]),
    ],
)
def test_drop_fractions(decay, fractions):
    schedule = schedules.UpdateSchedule(25, 100, 25, include_stop=True)
    table = schedules.drop_fractions(schedule, 0.3, schedules.DECAYS[decay])
    assert table.dtype == np.float64
    np.testing.assert_allclose(table, fractions, rtol=1e-7, atol=0)


@pytest.mark.parametrize("decay", schedules.DECAYS)
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_drop_fractions_begin_at_alpha_and_never_rise(decay, alpha):
    schedule = schedules.UpdateSchedule(0, 1000, 10, include_stop=True)
    table = schedules.drop_fractions(schedule, alpha, schedules.DECAYS[decay])
    assert table.shape == (101,)
    assert table[0] == alpha
    assert (np.diff(table) <= 0).all()
    assert table[-1] == (alpha if decay == "constant" else 0)


def test_own_decay_gets_alpha_and_progress():
    calls = []

    def decay(alpha, progress):
        calls.append((alpha, progress))
        return alpha * progress

    schedule = schedules.UpdateSchedule(2, 8, 2, include_stop=True)
    table = schedules.drop_fractions(schedule, 0.4, decay)
    assert calls == [(0.4, 0.25), (0.4, 0.5), (0.4, 0.75), (0.4, 1.0)]
    np.testing.assert_allclose(table, [0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_decay_must_return_a_fraction(value):
    schedule = schedules.UpdateSchedule(0, 10, 5)
    with pytest.raises(
        ValueError,
        match=r"`decay` must return a fraction.*Received: .* at step 5 with "
        r"drop_fraction=0\.3\.",
    ):
        schedules.drop_fractions(
            schedule, 0.3, lambda alpha, progress: value if progress else 0.3
        )


def test_no_updates_no_fractions():
    for stop in (0, 7):
        schedule = schedules.UpdateSchedule(stop, stop, 1)
        table = schedules.drop_fractions(schedule, 0.3, schedules.cosine)
        assert table.shape == (0,)


@pytest.mark.parametrize(
    ("fraction", "nonzeros", "count"),
    [
        (0.3, 10, 3),
        (0.3, 9, 2),
        (0.3, 3, 0),
        (0.0, 10, 0),
        (1.0, 10, 10),
        (0.5, 0, 0),
        # One more or less in float32, whose integers end at 2**24.
        (1.0, 2**24 + 1, 2**24 + 1),
        (0.5, 2**31 + 3, 2**30 + 1),
    ],
)
@pytest.mark.parametrize("mode", strategies.MODES)
def test_drop_count(fraction, nonzeros, count, mode):
    fractions = np.array([0.125, fraction])
    function = functools.partial(schedules.drop_count, fractions)
    result = strategies.run(function, mode, np.int64(1), np.int64(nonzeros))
    assert result.dtype == tf.int64
    assert result == count


def test_drop_count_of_no_update_reads_the_first():
    """Graphs compute the count where no update is due as well."""
    fractions = np.array([0.5, 0.25])
    assert schedules.drop_count(fractions, tf.constant(-1, tf.int64), 8) == 4


@strategies.examples(300)
@given(
    alpha=WRITTEN,
    stop=st.integers(1, 120),
    power=st.sampled_from([0, 1, 3]),
    nonzeros=st.integers(0, 100_000),
    data=st.data(),
)
def test_computed_fractions_lose_no_connection(
    alpha, stop, power, nonzeros, data
):
    """Counts are those of α (1 - t/T)^k in rational numbers."""
    schedule = schedules.UpdateSchedule(0, stop, 1)
    step = data.draw(st.integers(0, stop - 1))
    decay = {0: "constant", 1: "linear", 3: "inverse_power"}[power]
    fractions = schedules.drop_fractions(
        schedule, alpha, schedules.DECAYS[decay]
    )
    exact = Fraction(str(alpha)) * (1 - Fraction(step, stop)) ** power
    count = schedules.drop_count(fractions, step, nonzeros)
    assert count == math.floor(exact * nonzeros)


@pytest.mark.parametrize("decay", schedules.DECAYS)
@pytest.mark.parametrize("alpha", [0.29, np.float32(0.29)])
def test_the_first_update_moves_what_was_written(alpha, decay):
    """Whatever the decay f(0) is α, and 29 of 100 are not 28.99."""
    schedule = schedules.UpdateSchedule(0, 60, 10)
    decays = schedules.DECAYS
    fractions = schedules.drop_fractions(schedule, alpha, decays[decay])
    assert schedules.drop_count(fractions, 0, 100) == 29
    # At a third and in the middle a cosine is 3/4 and 1/2 of α.
    fractions = schedules.drop_fractions(schedule, alpha, decays["cosine"])
    assert schedules.drop_count(fractions, 2, 400) == 87
    assert schedules.drop_count(fractions, 3, 200) == 29


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"update_at_start": False},
        {"include_stop": True, "updates_advance_step": False},
    ],
)
def test_the_last_steps_up_to_each_update(switches):
    schedule = schedules.UpdateSchedule(3, 20, 5, **switches)
    for steps in (1, 2, 5):
        found = [
            bool(schedule.is_near_update(tf.constant(step), steps))
            for step in range(40)
        ]
        assert found == [
            any(map(schedule.is_update, range(step, step + steps)))
            for step in range(40)
        ]
