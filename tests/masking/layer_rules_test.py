"""Inputs and units of every kind of kernel, in both Keras."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tf_rigl.masking import layer_rules
from tf_rigl.masking.layer_rules import Axes
from tf_rigl.masking.layer_rules import LayerRule
from tf_rigl.masking.layer_rules import kernel_layout

# Layer, shape of its input, positions, inputs and units.
CASES = {
    "dense": (lambda k: k.Dense(7), (2, 5), (1, 5, 7)),
    "conv1d": (lambda k: k.Conv1D(7, 3), (2, 6, 5), (3, 5, 7)),
    "conv2d": (lambda k: k.Conv2D(7, (3, 2)), (2, 6, 6, 5), (6, 5, 7)),
    "conv3d": (lambda k: k.Conv3D(7, 2), (2, 4, 4, 4, 5), (8, 5, 7)),
    "grouped_conv": (
        lambda k: k.Conv2D(6, 3, groups=2),
        (2, 6, 6, 4),
        (9, 2, 6),
    ),
    "conv1d_transpose": (
        lambda k: k.Conv1DTranspose(7, 3),
        (2, 6, 5),
        (3, 5, 7),
    ),
    "conv2d_transpose": (
        lambda k: k.Conv2DTranspose(7, (3, 2)),
        (2, 6, 6, 5),
        (6, 5, 7),
    ),
    "conv3d_transpose": (
        lambda k: k.Conv3DTranspose(7, 2),
        (2, 4, 4, 4, 5),
        (8, 5, 7),
    ),
    "separable_conv1d": (
        lambda k: k.SeparableConv1D(7, 3, depth_multiplier=2),
        (2, 6, 5),
        (1, 10, 7),
    ),
    "separable_conv2d": (
        lambda k: k.SeparableConv2D(7, 3),
        (2, 6, 6, 5),
        (1, 5, 7),
    ),
    "depthwise_conv1d": (
        lambda k: k.DepthwiseConv1D(3, depth_multiplier=2),
        (2, 6, 5),
        (3, 1, 10),
    ),
    "depthwise_conv2d": (
        lambda k: k.DepthwiseConv2D(3, depth_multiplier=2),
        (2, 6, 6, 5),
        (9, 1, 10),
    ),
    "embedding": (lambda k: k.Embedding(9, 4), (2, 3), (1, 9, 4)),
    "einsum_query": (
        lambda k: k.EinsumDense("abc,cde->abde", (None, 3, 4)),
        (2, 6, 5),
        (1, 5, 12),
    ),
    "einsum_output": (
        lambda k: k.EinsumDense("abcd,cde->abe", (None, 7)),
        (2, 6, 3, 4),
        (1, 12, 7),
    ),
    "einsum_swapped": (
        lambda k: k.EinsumDense("abc,dc->abd", (None, 7)),
        (2, 6, 5),
        (1, 5, 7),
    ),
    "einsum_ellipsis": (
        lambda k: k.EinsumDense("...x,yx->...y", 7),
        (2, 6, 5),
        (1, 5, 7),
    ),
    "einsum_batched": (
        lambda k: k.EinsumDense("abc,bcd->abd", (6, 7)),
        (2, 6, 5),
        (1, 5, 42),
    ),
    "simple_rnn_cell": (lambda k: k.SimpleRNN(4), (2, 3, 5), (1, 5, 4)),
    "gru_cell": (lambda k: k.GRU(4), (2, 3, 5), (1, 4, 12)),
    "lstm_cell": (lambda k: k.LSTM(4), (2, 3, 5), (1, 5, 16)),
}
# Where it is not `kernel`, in the words of Keras 2.
ATTRIBUTES = {
    "separable_conv1d": "pointwise_kernel",
    "separable_conv2d": "pointwise_kernel",
    "depthwise_conv1d": "depthwise_kernel",
    "depthwise_conv2d": "depthwise_kernel",
    "embedding": "embeddings",
    "simple_rnn_cell": "cell.kernel",
    "gru_cell": "cell.recurrent_kernel",
    "lstm_cell": "cell.kernel",
}
# Those whose outputs, along the last axes, are the units in order.
LINEAR = [
    name
    for name in CASES
    if not name.startswith(("separable", "simple", "gru", "lstm", "embedding"))
]


def built(keras, name):
    make, shape, view = CASES[name]
    layer = make(keras.layers)
    layer(np.zeros(shape, "float32"))
    *parents, attribute = ATTRIBUTES.get(name, "kernel").split(".")
    owner = layer
    for parent in parents:
        owner = getattr(owner, parent)
    if not hasattr(owner, attribute):
        attribute = "kernel"  # Keras 3's name of `depthwise_kernel`.
    return layer, owner, getattr(owner, attribute), view


@pytest.mark.parametrize("name", CASES)
def test_views(keras, name):
    _, owner, variable, view = built(keras, name)
    layout = kernel_layout(owner, variable)
    assert layout.shape == view
    assert layout.kernel_shape == tuple(variable.shape)


@pytest.mark.parametrize("name", LINEAR)
def test_each_output_is_of_one_unit(keras, name):
    """Weights of one unit alone give an output in its place and no other."""
    layer, owner, variable, (positions, inputs, units) = built(keras, name)
    layout = kernel_layout(owner, variable)
    data = np.ones(CASES[name][1], "float32")
    for unit in range(units):
        view = np.zeros((positions, inputs, units), "float32")
        view[:, :, unit] = 1
        variable.assign(layout.unview(tf.constant(view)))
        output = np.asarray(layer(data))
        # Positions of the output come before, units after.
        output = output.reshape(-1, units).any(0)
        assert np.flatnonzero(output).tolist() == [unit]


@pytest.mark.parametrize(
    "name",
    [n for n in LINEAR if "depthwise" not in n and n != "grouped_conv"],
)
def test_each_input_is_of_one_input(keras, name):
    """Without its weights an input has no influence, with them it has."""
    layer, owner, variable, (positions, inputs, units) = built(keras, name)
    layout = kernel_layout(owner, variable)
    for one in range(inputs):
        data = np.zeros(CASES[name][1], "float32")
        if name == "einsum_output":
            data.reshape(*data.shape[:2], -1)[..., one] = 1
        else:
            data[..., one] = 1
        view = np.ones((positions, inputs, units), "float32")
        view[:, one, :] = 0
        variable.assign(layout.unview(tf.constant(view)))
        assert not np.asarray(layer(data)).any()
        variable.assign(layout.unview(tf.constant(1 - view)))
        assert np.asarray(layer(data)).any()


def test_projections_of_attention(keras):
    attention = keras.layers.MultiHeadAttention(3, 4, value_dim=5)
    data = np.zeros((2, 6, 7), "float32")
    attention(data, data)
    found = {
        name: kernel_layout(layer, layer.kernel).shape
        for name in ("query", "key", "value", "output")
        for layer in [getattr(attention, f"_{name}_dense")]
    }
    assert found == {
        "query": (1, 7, 12),
        "key": (1, 7, 12),
        "value": (1, 7, 15),
        "output": (1, 15, 7),
    }


def test_every_known_class_is_here(keras):
    seen = set()
    for name in CASES:
        _, owner, _, _ = built(keras, name)
        seen |= {cls.__name__ for cls in type(owner).__mro__}
    # `locally_connected_test` has those of tf_keras only.
    known = {n for n in layer_rules.RULES if not n.startswith("Locally")}
    assert known <= seen


@pytest.mark.parametrize(
    ("shape", "view"),
    [
        ((5, 7), (1, 5, 7)),
        ((2, 3, 5, 7), (6, 5, 7)),
        ((5,), (1, 5, 1)),
        ((), (1, 1, 1)),
    ],
    ids=str,
)
def test_weights_of_other_layers(keras, shape, view):
    layer = keras.layers.Layer()
    variable = layer.add_weight(name="w", shape=shape, initializer="zeros")
    layout = kernel_layout(layer, variable)
    assert layout.shape == view
    assert layout.permutation == tuple(range(len(shape)))


def test_subclasses_count_as_their_base(keras):
    class Upsampling(keras.layers.Conv2DTranspose):
        def build(self, input_shape):
            super().build(input_shape)
            self.scale = self.add_weight(
                name="scale", shape=(5, 7), initializer="zeros"
            )

    layer = Upsampling(7, 3)
    layer.build((None, 6, 6, 5))
    assert kernel_layout(layer, layer.kernel).shape == (9, 5, 7)
    # A weight of its own follows the rule.
    assert kernel_layout(layer, layer.scale).shape == (1, 5, 7)


def transposed_dense(keras, **methods):
    """A class of layers whose kernel is [units, inputs]."""

    def __init__(self, units, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(self.units, shape[-1])
        )
        keras.layers.Layer.build(self, shape)

    def call(self, inputs):
        return tf.matmul(inputs, self.kernel, transpose_b=True)

    own = {"__init__": __init__, "build": build, "call": call}
    return type("TransposedDense", (keras.layers.Layer,), {**own, **methods})


ROW = LayerRule(("kernel",), Axes(inputs=[1], units=[0]))


def sequential(keras, layer):
    model = keras.Sequential([keras.Input((8,)), layer])
    return model, model.layers[-1]


def test_a_row_of_ones_own(keras):
    cls = transposed_dense(keras)
    layer_rules.register(cls, ROW)
    model, layer = sequential(keras, cls(6, name="t"))
    tf_rigl.sparsify(model, 0.5, structure=tf_rigl.NByM(2, 4))
    mask = tf_rigl.masks(model)["t/kernel"]
    # Two of four inputs of each unit.
    assert (mask.reshape(6, 2, 4).sum(2) == 2).all()
    assert kernel_layout(layer, layer.kernel).shape == (1, 8, 6)


def test_a_subclass_has_the_row_of_its_base(keras):
    base = type("OwnDense", (keras.layers.Dense,), {})
    layer_rules.register(base, ROW)
    model, layer = sequential(keras, type("OwnToo", (base,), {})(6))
    assert layer_rules.rule_of(layer) == ROW
    # A masked layer is of a subclass, too.
    tf_rigl.sparsify(model, 0.5)
    assert layer_rules.rule_of(layer) == ROW
    # Keras's own class is as it was.
    other = keras.layers.Dense(6)
    assert layer_rules.rule_of(other) == layer_rules.RULES["Dense"]


def test_a_protocol_names_weights_and_a_row_their_axes(keras):
    cls = transposed_dense(
        keras, get_prunable_weights=lambda self: [self.kernel]
    )
    model, layer = sequential(keras, cls(6, name="t"))
    assert kernel_layout(layer, layer.kernel).shape == (1, 6, 8)
    # Opt-in is no matter of layers that name their weights by themselves.
    layer_rules.register(cls, ROW._replace(opt_in=True))
    assert kernel_layout(layer, layer.kernel).shape == (1, 8, 6)
    tf_rigl.sparsify(model, 0.5)
    assert list(tf_rigl.masks(model)) == ["t/kernel"]


def test_an_opt_in_row(keras):
    cls = transposed_dense(keras)
    layer_rules.register(cls, ROW._replace(opt_in=True))
    model, _ = sequential(keras, cls(6, name="t"))
    model.add(keras.layers.Dense(3, name="d"))
    model.build((None, 8))
    options = tf_rigl.SparsifyOptions(include=["t"])
    tf_rigl.sparsify(model, 0.5, options=options)
    assert list(tf_rigl.masks(model)) == ["t/kernel", "d/kernel"]
    model, _ = sequential(keras, cls(6, name="t"))
    model.add(keras.layers.Dense(3, name="d"))
    with pytest.warns(UserWarning, match="Large weights stay dense"):
        tf_rigl.sparsify(model, 0.5)
    assert list(tf_rigl.masks(model)) == ["d/kernel"]


@pytest.mark.parametrize(
    ("make", "rule", "message"),
    [
        (lambda keras: int, ROW, "must be a layer class"),
        (lambda keras: keras.optimizers.SGD, ROW, "must be a layer class"),
        (lambda keras: keras.layers.Dense(2), ROW, "must be a layer class"),
        (lambda keras: transposed_dense(keras), ("kernel",), "LayerRule"),
        (lambda keras: transposed_dense(keras), LayerRule("kernel"), "tuple"),
    ],
    ids=["no_keras", "no_layer", "no_class", "no_rule", "one_name"],
)
def test_what_is_no_row(keras, make, rule, message):
    with pytest.raises(TypeError, match=message):
        layer_rules.register(make(keras), rule)
