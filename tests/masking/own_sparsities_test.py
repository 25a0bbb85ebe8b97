import pytest

import tf_rigl
from tests import support


@pytest.mark.parametrize("rest", ["uniform", "er", "erk"])
@pytest.mark.parametrize("by", ["layer", "name", "path"])
def test_the_rest_is_shared_by_shape(keras, by, rest):
    model = support.make_mlp(keras, (64, 32))
    layer = model.layers[-1]
    key = {"layer": layer, "name": layer.name, "path": f"{layer.name}/kernel"}
    chosen = tf_rigl.PerLayer({key[by]: 0.25}, rest=rest)
    tf_rigl.sparsify(model, 0.8, chosen)

    shapes = {path: mask.shape for path, mask in tf_rigl.masks(model).items()}
    *_, last = shapes
    own = tf_rigl.PerLayer({last: 0.25}, rest=rest)
    assert support.counts(model) == tf_rigl.allocate(shapes, 0.8, own)
    assert support.counts(model)[last] == 32 * 10 * 3 // 4


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        (lambda shapes: dict.fromkeys(shapes, 0.5), "has other arguments: too"),
        (lambda shapes, sparsity: sparsity, r"returned 0\.8"),
        (tf_rigl.ERK, r"an object, not its class.*Pass ERK\("),
    ],
)
def test_wrong_callables(keras, distribution, message):
    model = support.make_mlp(keras)
    before = model.get_weights()
    with pytest.raises(TypeError, match=message):
        tf_rigl.sparsify(model, 0.8, distribution)
    support.assert_all_equal(model.get_weights(), before)
