"""N:M of models: sparsities that are no decimal, and what does not fit."""

import pytest

import tf_rigl
from tests import support


def sparsify(keras, inputs=12, units=(36, 30), **arguments):
    model = support.make_mlp(keras, units, 6, inputs)
    return tf_rigl.sparsify(model, **arguments)


@pytest.mark.parametrize(
    ("n", "m", "sparsity"),
    [
        (1, 3, 2 / 3),
        (1, 3, 1 - 1 / 3),
        (5, 6, 1 / 6),
        (1, 6, 1 - 1 / 6),
        (2, 4, 0.5),
    ],
)
def test_sparsities_are_met(keras, n, m, sparsity):
    model = sparsify(
        keras,
        sparsity=sparsity,
        structure=tf_rigl.NByM(n, m),
        distribution=tf_rigl.Uniform("reference"),
        dense=lambda layer: m == 4 and layer.units == 6,
    )
    for mask in tf_rigl.masks(model).values():
        share = 1 if m == 4 and mask.shape[1] == 6 else n / m
        assert mask.sum() == round(share * mask.size)


def test_what_stays_dense_must_not_count(keras):
    """The others would have to be sparser than N:M; the error says how."""
    with pytest.raises(
        ValueError,
        match=r"leaves 2 of 4 .*sparsity=0\.5, distribution='uniform', or, "
        r"where some weights stay dense, tf_rigl\.Uniform\(budget='reference'",
    ):
        sparsify(
            keras,
            sparsity=0.5,
            distribution="uniform",
            dense=lambda layer: layer.units == 36,
            structure=tf_rigl.NByM(2, 4),
        )


@pytest.mark.parametrize("start", ["random", "dense", "magnitude"])
def test_what_stays_dense_need_not_fit(keras, start):
    model = sparsify(
        keras,
        10,
        sparsity=0.5,
        distribution=tf_rigl.Uniform("reference"),
        dense=lambda layer: layer.units != 30,
        structure=tf_rigl.NByM(2, 4),
        start=start,
    )
    tf_rigl.prune(model, "magnitude")
    assert list(support.counts(model).values()) == [360, 540, 180]


def test_inputs_that_m_does_not_divide(keras):
    with pytest.raises(ValueError, match=r"multiple of 4 inputs.*10 inputs"):
        sparsify(
            keras,
            10,
            sparsity=0.5,
            distribution="uniform",
            structure=tf_rigl.NByM(2, 4),
        )
