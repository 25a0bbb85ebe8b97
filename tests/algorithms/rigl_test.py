import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.algorithms.support import make_weight
from tests.algorithms.support import make_when
from tests.algorithms.support import update_one
from tests.core import strategies
from tf_rigl.algorithms import RigL
from tf_rigl.core import random_masks
from tf_rigl.core import schedules

OTHER_ROUNDING = {"floor": "nearest", "nearest": "floor"}


def test_reference_run_of_imagenet():
    """32,000 gradient steps and 251 mask updates, the last of which is idle."""
    schedule = RigL(25_000, preset="tf1").schedule
    assert schedule.num_updates == 251
    assert schedule.is_update(250 * 101)
    assert not any(map(schedule.is_update, range(250 * 101 + 1, 32_252)))
    fractions = RigL(25_000, preset="tf1").drop_schedule.fractions
    assert fractions[0] == 0.3
    assert fractions[-1] == 0


@pytest.mark.parametrize(
    ("preset", "switches"),
    [
        ("paper", (True, False, True, True, False, "floor")),
        ("tf1", (True, True, False, True, False, "floor")),
        ("jaxpruner", (True, True, True, True, True, "nearest")),
        ("steady", (True, False, True, True, False, "floor")),
    ],
)
def test_presets(preset, switches):
    algorithm = RigL(preset=preset)
    assert preset != "paper" or algorithm == RigL()
    assert algorithm.requirements.skips_step
    names = (
        "update_at_start include_stop updates_advance_step "
        "skip_weight_update multiples_of_interval rounding"
    ).split()

    assert tuple(getattr(algorithm, name) for name in names) == switches
    for name, value in zip(names, switches, strict=True):
        other_value = OTHER_ROUNDING.get(value, not value)
        flipped = RigL(preset=preset, **{name: other_value})
        assert getattr(flipped, name) == other_value
        others = set(names) - {name}
        assert all(
            getattr(flipped, other) == getattr(algorithm, other)
            for other in others
        )


def test_steady_is_the_paper_s_but_for_the_mean_gradient():
    assert RigL(preset="steady") == dataclasses.replace(
        RigL(gradient_steps=20), preset="steady"
    )
    assert RigL(update_interval=5, preset="steady").gradient_steps == 5
    assert RigL(preset="steady", gradient_steps=3).gradient_steps == 3
    assert RigL().gradient_steps == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_are_summed_in_a_dtype(dtype):
    """Of 1 and 2^-10, bfloat16 keeps the 1 alone."""
    algorithm = RigL(10, 4, gradient_steps=2, gradient_dtype=dtype)
    sums = tf.zeros([2], algorithm.state["gradient_sum"])
    for time, gradient in ((3, [1.0, 2.0]), (4, [2.0**-10, 2.0])):
        weight = make_weight(
            [0.0, 0.0], [True, True], gradient, state={"gradient_sum": sums}
        )
        (sums,) = algorithm.observe(weight, make_when(-1, time)).values()
    assert sums.dtype == dtype
    small = 0 if dtype == "bfloat16" else 2**-10
    assert tf.cast(sums, tf.float32).numpy().tolist() == [1 + small, 4]


@pytest.mark.parametrize("drop_delay", [0, 3])
def test_no_sum_outlasts_its_growth(drop_delay):
    """Step 7, which would begin anew, is skipped: its gradient is no number.

    With a delay, connections drop at 7, within the window of the next growth.
    """
    algorithm = RigL(
        20, 4, gradient_steps=2, drop_delay=drop_delay, decay="constant"
    )
    state = {"gradient_sum": tf.zeros([2]), "surplus": tf.zeros([2], tf.bool)}

    def weight():
        return make_weight(
            [1.0, 0.0], [True, False], [1.0, 2.0], state=dict(state)
        )

    for time in (3, 4):
        state |= algorithm.observe(weight(), make_when(-1, time))
    assert state["gradient_sum"].numpy().tolist() == [2, 4]
    growth = 2 if drop_delay else 1
    (result,) = algorithm.update([weight()], make_when(growth, 4))
    state |= result.state
    if drop_delay:
        state |= algorithm.observe(weight(), make_when(-1, 7))
        (result,) = algorithm.update([weight()], make_when(growth + 1, 7))
        state |= result.state
        assert state["gradient_sum"].numpy().tolist() == [1, 2]
    else:
        state |= algorithm.observe(weight(), make_when(-1, 8))
        assert state["gradient_sum"].numpy().tolist() == [1, 2]


def test_switches_reach_the_schedule():
    switches = {
        "update_at_start": False,
        "include_stop": True,
        "updates_advance_step": False,
    }
    schedule = RigL(50, 7, start_step=3, **switches).schedule
    assert schedule == schedules.UpdateSchedule(3, 50, 7, **switches)


@pytest.mark.parametrize("mode", strategies.MODES)
def test_schedule_without_updates_compiles(mode):
    """The branch of the update is built even where it is never taken."""
    algorithm = RigL(0)
    mask = tf.constant([True, False])

    def step(iteration):
        index = algorithm.schedule.update_index(iteration)
        return tf.cond(
            index >= 0,
            lambda: (
                update_one(algorithm, tf.ones(2), mask, tf.ones(2), index).mask
            ),
            lambda: mask,
        )

    for iteration in (0, 1):
        new = strategies.compiled(step, mode)(tf.constant(iteration, tf.int64))
        np.testing.assert_array_equal(new, mask)


@pytest.mark.parametrize(("total", "stop"), [(10, 8), (2, 2), (1, 1), (0, 0)])
def test_stop_step_is_three_quarters_of_the_run(total, stop):
    resolved = RigL(update_interval=3, preset="tf1").resolve(total)
    assert resolved == RigL(stop, 3, preset="tf1")
    assert resolved.schedule.stop_step == stop


def test_resolve_keeps_a_stop_step():
    algorithm = RigL(stop_step=10)
    assert algorithm.resolve(1000) is algorithm
    assert algorithm.resolve(None) is algorithm


def test_resolve_keeps_everything_else():
    algorithm = RigL(
        None, 7, 0.4, 2, "linear", "tf1", False, False, True, False
    )
    resolved = algorithm.resolve(100)
    assert dataclasses.replace(resolved, stop_step=None) == algorithm
    assert resolved.stop_step == 75


def test_run_too_short_for_the_start():
    with pytest.raises(
        ValueError,
        match=r"`stop_step` must not be before `start_step`\. Received: "
        r"start_step=100, stop_step=75\. Train longer",
    ):
        RigL(start_step=100).resolve(100)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"preset": "tf2"}, r"`preset` must be one of \('paper', 'tf1', .*tf2"),
        ({"drop_fraction": 1.1}, r"`drop_fraction` .* in \[0, 1\].*=1\.1\."),
        ({"drop_fraction": -0.1}, r"`drop_fraction` .* in \[0, 1\].*=-0\.1\."),
        ({"drop_fraction": math.nan}, r"`drop_fraction` .*=nan\."),
        ({"decay": "cubic"}, r"`decay` must be one of \('cosine'.*'cubic'"),
        ({"start_step": -1}, r"`start_step` must be at least 0.*=-1\."),
        ({"update_interval": 0}, r"`update_interval` must be at least 1.*=0\."),
        ({"start_step": 9, "stop_step": 8}, r"start_step=9, stop_step=8\."),
        ({"stop_step": -1}, r"start_step=0, stop_step=-1\."),
    ],
)
def test_bad_arguments(arguments, match):
    """Said at construction, also where `stop_step` is still unknown."""
    with pytest.raises(ValueError, match=match):
        RigL(**arguments)


@pytest.mark.parametrize("name", ["stop_step", "start_step", "update_interval"])
def test_steps_are_integers(name):
    with pytest.raises(TypeError, match=rf"`{name}` must be an integer.*=7\.5"):
        RigL(**{name: 7.5})


def test_methods_are_told_apart():
    """The table of fractions is kept by method, not by name."""
    kept = []
    for fraction in (0.5, 1.0):
        algorithm = RigL(10, 1, drop_fraction=fraction)
        result = update_one(
            algorithm,
            tf.constant([4.0, 3, 2, 1, 0, 0, 0, 0]),
            tf.constant([True] * 4 + [False] * 4),
            tf.constant([0.0] * 4 + [1] * 4),
            tf.constant(0, tf.int64),
        )
        kept.append(int(np.count_nonzero(result.mask[:4])))
    assert kept == [2, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(24,), (6, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(
    "grow_init", ["zeros", "gradient", "random", "initial", "shuffled"]
)
def test_new_values_are_like_the_weight(grow_init, shape, dtype):
    random = np.random.default_rng(0)
    dense, gradient, initial = random.normal(size=(3, *shape)).astype(dtype)
    mask = random_masks.random_mask(shape, 12, 0, "w").numpy()
    values = np.where(mask, dense, dtype(0))
    weight = make_weight(
        values, mask, gradient, state={"initial_values": initial}
    )
    algorithm = RigL(9, 1, drop_fraction=0.5, grow_init=grow_init)
    (result,) = algorithm.update([weight], make_when(0))
    grown = result.masks.grown.numpy()

    assert grown.shape == shape
    assert grown.any()
    if grow_init == "zeros":
        assert result.values is None  # What is there stays: zeros.
        return
    assert result.values.dtype == dtype
    assert result.values.shape == shape
    new = result.values.numpy()
    expected = {"gradient": gradient, "initial": initial}.get(grow_init, new)
    np.testing.assert_array_equal(new, np.where(grown, expected, values))
    assert np.all(new[grown])


@pytest.mark.parametrize("mode", strategies.MODES)
def test_shuffled_values_are_the_initial_ones_each_once(mode):
    """All connections move to the empty half, which gets half of them."""
    initial = np.arange(1, 41, dtype=np.float32).reshape(5, 8)
    mask = np.arange(40).reshape(5, 8) < 20
    algorithm = RigL(
        9, 1, 1.0, decay="constant", grow_init="shuffled", grow_scale=0.5
    )

    def grow(update):
        weight = make_weight(
            np.where(mask, initial, 0),
            mask,
            np.where(mask, 0, initial),
            state={"initial_values": tf.constant(initial)},
        )
        (result,) = algorithm.update([weight], make_when(update))
        return result.values

    grow = strategies.compiled(grow, mode)
    first, again, later = (grow(tf.constant(n)).numpy() for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    for values in (first, later):
        grown = 2 * values[~mask]
        assert len(set(grown)) == 20
        assert set(grown) <= set(initial.ravel())
        np.testing.assert_array_equal(values[mask], initial[mask])
    assert np.any(first[~mask] != later[~mask])
    assert np.any(2 * first[~mask] != initial[~mask])
