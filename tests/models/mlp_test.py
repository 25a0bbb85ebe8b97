import numpy as np
import pytest

from tf_rigl.models import mlp


def test_shapes_and_names(keras):
    model = mlp.lenet_300_100(keras)
    assert isinstance(model, keras.Model)
    names = [layer.name for layer in model.layers]
    assert names[1:] == ["flatten", "fc1", "fc2", "logits"]
    kernels = [w.shape for w in model.weights if len(w.shape) == 2]
    assert [tuple(shape) for shape in kernels] == [
        (784, 300),
        (300, 100),
        (100, 10),
    ]
    assert model.count_params() == 266_610

    # Logits have no bounds.
    logits = np.asarray(model(100 * np.ones((3, 28, 28), np.float32)))
    assert logits.shape == (3, 10)
    assert (logits < 0).any()


def test_other_shapes(keras):
    model = mlp.lenet_300_100(
        keras, input_shape=(32, 32, 3), classes=7, hidden_units=(5,), name="a"
    )
    assert model.name == "a"
    assert [layer.name for layer in model.layers[1:]] == [
        "flatten",
        "fc1",
        "logits",
    ]
    assert model.count_params() == 3072 * 5 + 5 + 5 * 7 + 7


def test_dropout_and_initial_values(keras):
    model = mlp.lenet_300_100(
        keras, dropout=0.2, kernel_initializer="glorot_normal"
    )
    names = [layer.name for layer in model.layers]
    assert names[2:] == ["fc1", "drop1", "fc2", "drop2", "logits"]
    assert model.get_layer("drop2").rate == 0.2
    for name in ("fc1", "fc2", "logits"):
        initializer = model.get_layer(name).kernel_initializer
        assert type(initializer).__name__ == "GlorotNormal"


@pytest.mark.parametrize(
    ("width", "units"),
    [(1.0, (300, 100)), (0.5, (150, 50)), (0.02, (6, 10)), (0.001, (1, 10))],
)
def test_width(keras, width, units):
    model = mlp.lenet_300_100(keras, width=width)
    actual = tuple(model.get_layer(name).units for name in ("fc1", "fc2"))
    assert actual == units
