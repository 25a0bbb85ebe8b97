import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core.sparse_initialization import scale_to_connections

GENERATOR = np.random.default_rng(0)


def test_unit_and_one_without_connections():
    values = tf.constant([[[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]]])
    mask = tf.constant([[[True, True, False], [False, True, False]]])
    scaled = scale_to_connections(values, mask, "unit").numpy()
    root = np.sqrt(2)
    expected = [[[root, 2, 5 * root], [3 * root, 4, 6 * root]]]
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)
    assert np.all(np.isfinite(scaled))


@pytest.mark.parametrize("per", ["layer", "unit"])
def test_variance_of_units_is_that_of_the_dense_layer(per):
    """Outputs have variance 1 for such inputs, as initializers mean."""
    inputs, units = 400, 300
    values = GENERATOR.normal(0, inputs**-0.5, (1, inputs, units))
    mask = GENERATOR.random((1, inputs, units)) < 0.1
    scaled = scale_to_connections(tf.constant(values), tf.constant(mask), per)
    data = GENERATOR.normal(size=(500, inputs))
    outputs = data @ np.where(mask, scaled, 0)[0]
    assert np.var(outputs) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64])
def test_dtype_is_kept(dtype):
    values = tf.ones((1, 2, 2), dtype)
    mask = tf.constant([[[True, False], [False, True]]])
    assert scale_to_connections(values, mask, "unit").dtype == dtype
