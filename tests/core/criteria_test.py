import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import criteria
from tf_rigl.core.criteria import Criterion
from tf_rigl.core.criteria import Evidence
from tf_rigl.core.random_masks import stateless_seed

WEIGHT = tf.constant([[1.0, -2.0], [0.0, 3.0]])
DERIVATIVE = tf.constant([[0.5, 4.0], [1.0, -1.0]])


@pytest.fixture(name="registry")
def registry_fixture(monkeypatch):
    copy = dict(criteria._CRITERIA)
    monkeypatch.setattr(criteria, "_CRITERIA", copy)
    monkeypatch.setattr(criteria, "CRITERIA", copy)
    return copy


@pytest.mark.parametrize(
    ("name", "evidence", "expected"),
    [
        ("magnitude", Evidence(WEIGHT), [[1, -2], [0, 3]]),
        (
            "normalized_magnitude",
            Evidence(tf.constant([[3.0, -4.0], [0.0, 0.0]])),
            [[0.6, -0.8], [0, 0]],
        ),
        ("normalized_magnitude", Evidence(tf.zeros([2, 2])), np.zeros((2, 2))),
        ("snip", Evidence(WEIGHT, gradient=DERIVATIVE), [[0.5, -8], [0, -3]]),
        (
            "grasp",
            Evidence(WEIGHT, hessian_gradient=DERIVATIVE),
            [[0.5, -8], [0, -3]],
        ),
    ],
)
def test_scores(name, evidence, expected):
    scores = criteria.CRITERIA[name].score(evidence)
    np.testing.assert_array_equal(scores, np.float32(expected))


def test_random_scores_depend_on_the_seed_only():
    one, again, other = (
        criteria.random(
            Evidence(values, seed=lambda s=s: stateless_seed(s, "w"))
        )
        for values, s in ((WEIGHT, 1), (DERIVATIVE, 1), (WEIGHT, 2))
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one.numpy() != other.numpy())


def test_random_scores_need_a_seed():
    with pytest.raises(ValueError, match=r"need a seed.*seed=None"):
        criteria.random(Evidence(WEIGHT))


@strategies.examples(60)
@given(
    st.lists(
        st.floats(
            width=32,
            allow_nan=False,
            allow_infinity=False,
            allow_subnormal=False,
        ),
        min_size=2,
        max_size=20,
    )
)
def test_ranks_keep_the_order(values):
    scores = np.float32(values)
    ranks = criteria.ranks(tf.constant(scores)).numpy()
    assert np.all(ranks >= 0)
    np.testing.assert_array_equal(
        np.unique(ranks, return_inverse=True)[1],
        np.unique(scores, return_inverse=True)[1],
    )


@pytest.mark.parametrize("score", [1.0, -1.0, 0.0, 3e38, 1e-30])
def test_ranks_tell_neighbors_apart(score):
    above = np.nextafter(np.float32(score), np.float32(np.inf))
    below, middle, top = criteria.ranks(
        tf.constant([-above, score, above], tf.float32)
        if score > 0
        else tf.constant([score, above, -score + 1], tf.float32)
    ).numpy()
    assert below < middle < top


def test_registering(registry):
    criteria.register("minus", lambda evidence: -evidence.final)
    found = criteria.as_criterion("minus")
    assert found is registry["minus"]
    assert (found.signed, found.needs_data, found.scope) == (
        True,
        False,
        "weight",
    )
    # So methods that prune while they train take it, too.
    assert "minus" in criteria.names_without_data()
    with pytest.raises(ValueError, match=r"name of its own.*'minus'"):
        criteria.register("minus", criteria.magnitude)


def test_names_without_data(registry):
    names = (
        "magnitude",
        "normalized_magnitude",
        "random",
        "large_final",
        "small_final",
    )
    assert criteria.names_without_data() == names
    criteria.register("moved", Criterion(criteria.magnitude, "gradient"))
    criteria.register(
        "grown", Criterion(criteria.magnitude, needs_initial=True)
    )
    assert criteria.names_without_data() == names


@pytest.mark.parametrize("criterion", ["entropy", None, 3])
def test_unknown(criterion):
    with pytest.raises(ValueError, match="`criterion` must be one of"):
        criteria.as_criterion(criterion)
