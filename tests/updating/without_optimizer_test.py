"""Models without an optimizer: each entry says what is missing."""

import pytest

import tf_rigl
from tests import support


@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_checkpoints_need_one(flavor, tmp_path):
    model = tf_rigl.sparsify(support.make_mlp(pytest.importorskip(flavor)), 0.8)
    message = r"state is a part of the training.*optimizer=None.*Pass the opt"
    with pytest.raises(ValueError, match=message):
        tf_rigl.training_variables(model)
    checkpoints = tf_rigl.Checkpoints(tmp_path)
    with pytest.raises(ValueError, match=message):
        checkpoints.save(model, 1)
    with pytest.raises(TypeError, match=r"must be an optimizer.*=None"):
        tf_rigl.attach(None, model, tf_rigl.Static())
