"""Blocks and N of M of TFMOT, which become this library's structures."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.tfmot import takeover
from tf_rigl.masking.masked_weight import masked_weights


@pytest.mark.parametrize(
    "size",
    # Those that do not fit into the kernels a whole number of times.
    [pytest.param((4, 2), marks=pytest.mark.slow), (3, 4)],
)
def test_blocks_become_blocks(tfmot, keras2, size):
    theirs = takeover.pruned(
        tfmot,
        takeover.sequential(keras2),
        tfmot.polynomial(0.2, 0.7, 0, 6, frequency=2),
        block_size=size,
        block_pooling_type="MAX",
    )
    masks = takeover.their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    takeover.assert_same_masks(ours, masks)

    def active(record):
        # The first element of each block, the ones that are cut off included.
        return int(record.mask.numpy()[:: size[0], :: size[1]].sum())

    counts = [active(record) for record in masked_weights(ours)]
    for record, count in zip(masked_weights(ours), counts, strict=True):
        assert record.structure == tf_rigl.Block(*size, "max")
        shape = record.layout.shape
        assert record.structure.active_units(shape, record.target) == count
        if size == (4, 2):
            assert record.num_active() == record.target
    takeover.fit(ours, [takeover.rigl()], epochs=2)
    assert [active(record) for record in masked_weights(ours)] == counts
    assert support.moved(ours) > 0


def test_m_by_n_becomes_n_by_m(tfmot, keras2):
    layers = keras2.layers
    inputs = keras2.Input((20,))
    hidden = layers.Reshape((1, 5, 4))(inputs)
    hidden = layers.Conv2D(8, (1, 3), activation="relu")(hidden)
    outputs = layers.Dense(10)(layers.Flatten()(hidden))
    theirs = takeover.pruned(
        tfmot,
        keras2.Model(inputs, outputs),
        tfmot.constant(0.5, 0),
        sparsity_m_by_n=(1, 4),
    )
    masks = takeover.their_masks(theirs)
    ours = tf_rigl.tfmot.convert(theirs)
    takeover.assert_same_masks(ours, masks)
    for record in masked_weights(ours):
        assert record.structure == tf_rigl.NByM(3, 4)
        assert record.num_active() == record.target == record.size * 3 // 4
    counts = support.counts(ours)
    takeover.fit(ours, [takeover.rigl()], epochs=2)
    assert support.counts(ours) == counts


def test_m_by_n_that_does_not_fit(tfmot, keras2):
    theirs = takeover.pruned(
        tfmot,
        support.make_mlp(keras2, (22,)),
        tfmot.constant(0.5, 0),
        sparsity_m_by_n=(2, 4),
    )
    with pytest.raises(ValueError, match="multiple of 4 inputs"):
        tf_rigl.tfmot.convert(theirs)


def test_other_masks_than_blocks(tfmot, keras2):
    theirs = takeover.pruned(
        tfmot,
        takeover.sequential(keras2),
        tfmot.constant(0.5, 0, frequency=2),
        block_size=(2, 2),
    )
    mask = takeover.wrappers(theirs)[0].pruning_vars[0][1]
    mask.assign(
        np.arange(mask.shape.num_elements()).reshape(mask.shape) % 3 > 0
    )
    with pytest.raises(ValueError, match="must have the structure"):
        tf_rigl.tfmot.convert(theirs)
