"""Constant fractions of counts are those of the decimal that was written."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.algorithms.support import make_weight
from tests.algorithms.support import make_when
from tests.algorithms.support import update_one
from tests.core import strategies
from tf_rigl.algorithms import SET
from tf_rigl.algorithms import SNFS
from tf_rigl.algorithms import GradualPruning
from tf_rigl.algorithms import RigL
from tf_rigl.algorithms import SRigL
from tf_rigl.algorithms import TopKAST
from tf_rigl.core.structures import ConstantFanIn

# Each product lies below the whole number in binary.
EXACT = [(0.29, 100, 29), (0.58, 50, 29), (0.7, 90, 63)]


@pytest.mark.parametrize(("fraction", "nonzeros", "moved"), EXACT)
@pytest.mark.parametrize("method", [RigL, SET, SNFS, SRigL])
def test_moved_connections(method, fraction, nonzeros, moved):
    """Weights of 10 units, whose largest scores are at empty places."""
    shape = (1, nonzeros, 10)
    mask = np.arange(10 * nonzeros).reshape(shape) // 10 < nonzeros // 10
    algorithm = method(9, 1, drop_fraction=fraction, decay="constant")
    score = np.where(mask, 0, 1 + np.arange(mask.size).reshape(shape))
    result = update_one(
        algorithm,
        mask.astype(np.float32),
        mask,
        score.astype(np.float32),
        0,
        target=nonzeros,
        state={"momentum": tf.constant(score, tf.float32)},
        structure=ConstantFanIn() if method is SRigL else None,
    )

    # SET may draw again what it has just dropped.
    assert method is SET or np.sum(result.dropped) == moved
    assert algorithm.drop_schedule.count(tf.constant(mask), 0) == moved


def test_ablation_threshold():
    """A unit with 29 of 100 connections left stays at γ = 0.29."""
    mask = np.zeros((1, 200, 3), bool)
    mask[:, :100] = True
    salient = np.zeros((3, 200), bool)
    for unit, left in enumerate((100, 29, 28)):
        salient[unit, :left] = True
    algorithm = SRigL(9, 1, ablation_threshold=0.29)
    weight = make_weight(mask * 1.0, mask, mask * 1.0, 300, ConstantFanIn())
    active = algorithm._active_units(
        weight, ConstantFanIn().to_rows(weight.mask), tf.constant(salient)
    )
    assert active.numpy().tolist() == [True, True, False]


def test_size_of_the_trained_set():
    """1.15 · 30 = 34.5 goes to the even 34, 1.45 · 50 = 72.5 to 72."""
    for ratio, target, size in ((1.15, 30, 34), (1.45, 50, 72)):
        values = np.arange(200, dtype=np.float32)
        weight = make_weight(values, np.ones(200, bool), values, target)
        algorithm = TopKAST(backward_ratio=ratio)
        (result,) = algorithm.update([weight], make_when(0))
        assert np.sum(result.state["backward"]) == size


@strategies.examples(200)
@given(
    size=st.integers(1, 400),
    data=st.data(),
    first=st.integers(0, 99).map(lambda x: x / 100),
    steps=st.tuples(st.integers(0, 5), st.integers(1, 30), st.integers(1, 7)),
    power=st.sampled_from([1.0, 2.0, 3.0]),
)
def test_pruning_is_rounded_in_rational_numbers(
    size, data, first, steps, power
):
    target = data.draw(st.integers(1, size))
    start, length, interval = steps
    algorithm = GradualPruning(
        start + length, interval, start, first, power, reach_target=False
    )
    final = 1 - Fraction(target, size)
    begin = min(Fraction(str(first)), final)
    expected = []
    for time in range(start, start + length + 1, interval):
        left = 1 - Fraction(time - start, length)
        sparsity = final + (begin - final) * left ** int(power)
        expected.append(max(1, round(size * (1 - sparsity))))
    assert algorithm.connections(size, target).tolist() == expected


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (RigL, {}),
        (RigL, {"preset": "jaxpruner"}),
        (SET, {}),
        (SNFS, {}),
        (SRigL, {}),
    ],
)
def test_never_stops(method, options):
    """A constant fraction needs no end and no number of steps."""
    algorithm = method("never", 10, 0.3, decay="constant", **options)
    assert algorithm.resolve(None) is algorithm
    assert algorithm.resolve(1000) is algorithm
    for step in (0, 10, 10**6, 10**15):
        step = tf.constant(step, tf.int64)
        assert algorithm.schedule.is_due(step)
        index = algorithm.schedule.update_index(step)
        assert algorithm.drop_schedule.count(tf.ones(10) > 0, index) == 3
        assert not algorithm.schedule.is_due(step + 1)


def test_never_stops_where_updates_take_steps_of_their_own():
    algorithm = RigL("never", 1, decay="constant", preset="tf1")
    for step in (0, 2**40, 2**40 + 1):
        due = algorithm.schedule.is_due(tf.constant(step, tf.int64))
        assert due == (step % 2 == 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RigL("never"), "needs an end.*stop_step='never'.*'cosine'"),
        (lambda: SET("never", decay=max), "A fraction that decays needs an"),
        (lambda: GradualPruning("never"), "must reach its target.*'never'"),
    ],
)
def test_what_decays_or_prunes_must_stop(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_word_is_no_step():
    with pytest.raises(TypeError, match=r"must be an integer.*'no'"):
        RigL("no", decay="constant")
