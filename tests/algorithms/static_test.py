import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.algorithms import Static


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_masks_never_move(mode):
    function = Static().update
    if mode != "eager":
        function = tf.function(function, jit_compile=mode == "xla")
    mask = tf.constant([[True, False], [False, True]])
    values = tf.constant([[0.0, 9.0], [9.0, 0.0]])
    new, dropped, grown = function(
        values, mask, values, tf.constant(0, tf.int64)
    )
    np.testing.assert_array_equal(new, mask)
    for moved in (dropped, grown):
        assert moved.dtype == tf.bool
        assert not np.any(moved)


def test_never_updates():
    assert Static().schedule is None
    assert not Static().skip_weight_update


@pytest.mark.parametrize("total_steps", [None, 0, 1000])
def test_needs_to_know_nothing(total_steps):
    assert Static().resolve(total_steps) == Static()


def test_configuration():
    assert Static().name == "static"
    assert Static().get_config() == {}
    assert Static(**Static().get_config()) == Static()
    assert hash(Static()) == hash(Static())


def test_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Static().name = "rigl"
