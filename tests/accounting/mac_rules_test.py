"""Each kind of layer against another way to count."""

import pytest

import tf_rigl
from tests import support
from tests.accounting import oracles
from tests.accounting.support import chain

BARE = {"use_bias": False}

# Linear layers without bias; a convolution without padding multiplies no
# zeros.
LINEAR = {
    "dense": (lambda L: L.Dense(3, **BARE), (5,)),
    "dense_on_sequence": (lambda L: L.Dense(3, **BARE), (4, 6, 5)),
    "einsum": (lambda L: L.EinsumDense("ab,bc->ac", 3), (5,)),
    "einsum_heads": (
        lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 3)),
        (7, 5),
    ),
    "einsum_contracts_two": (
        lambda L: L.EinsumDense("abcd,cde->abe", (None, 4)),
        (3, 2, 5),
    ),
    "einsum_ellipsis": (lambda L: L.EinsumDense("...x,xy->...y", 3), (4, 5)),
    "einsum_sums_a_dimension": (
        lambda L: L.EinsumDense("abc,cd->ad", (3,)),
        (4, 5),
    ),
    "conv1d": (lambda L: L.Conv1D(3, 2, strides=2, **BARE), (9, 2)),
    "conv1d_dilated": (
        lambda L: L.Conv1D(3, 2, dilation_rate=2, **BARE),
        (9, 2),
    ),
    "conv2d": (lambda L: L.Conv2D(3, (2, 3), **BARE), (7, 6, 2)),
    "conv2d_strides": (lambda L: L.Conv2D(3, 3, 2, **BARE), (9, 8, 2)),
    "conv2d_groups": (lambda L: L.Conv2D(4, 3, groups=2, **BARE), (6, 6, 4)),
    "conv3d": (lambda L: L.Conv3D(2, 2, **BARE), (4, 5, 3, 2)),
    "conv1d_transpose": (lambda L: L.Conv1DTranspose(3, 3, 2, **BARE), (5, 2)),
    "conv2d_transpose": (
        lambda L: L.Conv2DTranspose(3, 3, 2, **BARE),
        (4, 5, 2),
    ),
    "conv3d_transpose": (
        lambda L: L.Conv3DTranspose(2, 2, strides=2, **BARE),
        (3, 2, 4, 2),
    ),
    "depthwise1d": (lambda L: L.DepthwiseConv1D(3, **BARE), (7, 2)),
    "depthwise2d": (
        lambda L: L.DepthwiseConv2D(3, depth_multiplier=2, **BARE),
        (6, 7, 2),
    ),
}
# Those that `sparsify` masks, one of each rule.
SPARSE = (
    "dense_on_sequence",
    "einsum_contracts_two",
    "einsum_sums_a_dimension",
    "conv2d_strides",
    "conv2d_groups",
    "conv2d_transpose",
)


def build(keras, make_layer, shape):
    return chain(keras, shape, make_layer(keras.layers))


@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers(keras, name):
    make_layer, shape = LINEAR[name]
    model = build(keras, make_layer, shape)
    profile = tf_rigl.profile(model)
    assert profile.uncounted == ()
    assert profile.macs == profile.dense_macs > 0
    assert profile.macs == oracles.sum_of_ones(model, shape)


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_linear_layers(keras, name):
    make_layer, shape = LINEAR[name]
    model = build(keras, make_layer, shape)
    dense = tf_rigl.profile(model)
    profile = tf_rigl.profile(tf_rigl.sparsify(model, 0.4))
    assert profile.dense_macs == dense.macs
    assert profile.nonzeros < profile.parameters
    plain = tf_rigl.strip(model)
    assert profile.macs == oracles.sum_of_ones(plain, shape)


@pytest.mark.parametrize("rank", [1, 2])
def test_separable_is_depthwise_and_pointwise(keras, rank):
    layers = keras.layers
    shape = (9,) * rank + (2,)
    separable = getattr(layers, f"SeparableConv{rank}D")
    depthwise = getattr(layers, f"DepthwiseConv{rank}D")
    pointwise = getattr(layers, f"Conv{rank}D")
    options = {"strides": 2, "padding": "same", "depth_multiplier": 2}

    both = chain(keras, shape, depthwise(3, **options), pointwise(5, 1))
    one = chain(keras, shape, separable(5, 3, **options))
    found = tf_rigl.profile(one)
    assert found.macs == tf_rigl.profile(both).macs
    assert [row.macs for row in found.rows] == [
        5**rank * 3**rank * 4,
        5**rank * 4 * 5,
        0,
    ]


def test_padding_is_multiplied(keras):
    model = build(keras, lambda L: L.Conv2D(3, 3, padding="same"), (5, 5, 2))
    assert tf_rigl.profile(model).macs == (5 * 5) * (3 * 3 * 2) * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Conv2D", 5 * 4 * 9 * 2 * 4), ("Conv2DTranspose", 7 * 6 * 9 * 2 * 4)],
)
def test_channels_first(keras, name, expected):
    # Nothing is computed, so what the processor supports does not matter.
    make_layer = getattr(keras.layers, name)
    layer = make_layer(4, 3, data_format="channels_first")
    model = chain(keras, (2, 7, 6), layer)
    assert tf_rigl.profile(model).macs == expected


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_recurrent_layers(keras, name, return_sequences):
    def build_recurrent(**options):
        make_layer = getattr(keras.layers, name)
        options["return_sequences"] = return_sequences
        return chain(keras, (6, 3), make_layer(4, **options))

    profile = tf_rigl.profile(build_recurrent())
    unrolled = build_recurrent(unroll=True)
    assert profile.flops == oracles.profiler_flops(unrolled, (6, 3))
    assert tf_rigl.profile(unrolled).macs == profile.macs
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[name]
    assert profile.macs == 6 * (3 + 4) * gates * 4


def test_stacked_cells(keras):
    layers = keras.layers
    cells = [layers.LSTMCell(4), layers.GRUCell(5), layers.SimpleRNNCell(2)]
    model = build(keras, lambda L: L.RNN(cells), (6, 3))
    profile = tf_rigl.profile(model)
    assert profile.uncounted == ()
    assert profile.macs == 6 * (7 * 16 + 9 * 15 + 7 * 2)


def test_bidirectional(keras):
    one = build(keras, lambda L: L.LSTM(4), (6, 3))
    both = build(keras, lambda L: L.Bidirectional(L.LSTM(4)), (6, 3))
    assert tf_rigl.profile(both).macs == 2 * tf_rigl.profile(one).macs


def test_cell_called_by_hand(keras):
    cell = keras.layers.SimpleRNNCell(4)
    inputs = keras.Input((3,))
    state = keras.Input((4,))
    first, _ = cell(inputs, state)
    outputs, _ = cell(inputs, first)
    model = keras.Model([inputs, state], outputs)
    assert tf_rigl.profile(model).macs == 2 * 7 * 4


def test_time_distributed(keras):
    layers = keras.layers
    inner = chain(
        keras, (8, 8, 2), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(4)
    )
    model = build(keras, lambda L: L.TimeDistributed(inner), (5, 8, 8, 2))
    assert tf_rigl.profile(model).macs == 5 * tf_rigl.profile(inner).macs


def test_nested_time_distributed(keras):
    distributed = keras.layers.TimeDistributed
    layer = distributed(distributed(keras.layers.Dense(4)))
    model = chain(keras, (5, 6, 3), layer)
    assert tf_rigl.profile(model).macs == 5 * 6 * 3 * 4


def attention_model(keras, query_shape, value_shape, **options):
    query = keras.Input(query_shape)
    value = keras.Input(value_shape)
    layer = keras.layers.MultiHeadAttention(2, 3, value_dim=5, **options)
    return keras.Model([query, value], layer(query, value))


def test_multi_head_attention(keras):
    model = attention_model(keras, (4, 7), (6, 8))
    profile = tf_rigl.profile(model)
    macs = {row.path.split("/", 1)[1]: row.macs for row in profile.rows}
    assert macs == {
        "products": 2 * 4 * 6 * (3 + 5),
        "query/kernel": 4 * 7 * 2 * 3,
        "query/bias": 0,
        "key/kernel": 6 * 8 * 2 * 3,
        "key/bias": 0,
        "value/kernel": 6 * 8 * 2 * 5,
        "value/bias": 0,
        "attention_output/kernel": 4 * 2 * 5 * 7,
        "attention_output/bias": 0,
    }

    products = profile.rows[0]
    assert products.shape == ()
    assert products.parameters == products.bytes == 0
    assert products.layer_class == "MultiHeadAttention"


def test_attention_products_stay_where_weights_go(keras):
    model = tf_rigl.sparsify(attention_model(keras, (4, 7), (6, 8)), 0.5)
    profile = tf_rigl.profile(model)
    products = profile.rows[0]
    assert products.macs == products.dense_macs == 2 * 4 * 6 * 8
    assert profile.macs < profile.dense_macs


@pytest.mark.parametrize(
    ("query", "value", "options", "expected"),
    [
        ((3, 4, 7), (3, 6, 7), {"attention_axes": (2,)}, 3 * 2 * 4 * 6 * 8),
        ((3, 4, 7), (2, 5, 7), {}, 2 * 12 * 10 * 8),
    ],
    ids=["one", "two"],
)
def test_attention_over_axes(keras, query, value, options, expected):
    model = attention_model(keras, query, value, **options)
    assert tf_rigl.profile(model).rows[0].macs == expected


def test_grouped_query_attention(keras):
    if not hasattr(keras.layers, "GroupQueryAttention"):
        pytest.skip("Keras 2 has no such layer")
    inputs = keras.Input((6, 8))
    layer = keras.layers.GroupQueryAttention(5, 4, 2, use_bias=False)
    model = keras.Model(inputs, layer(inputs, inputs))
    profile = tf_rigl.profile(model)
    assert profile.uncounted == ()
    weights = sum(row.macs for row in profile.rows if row.parameters)
    assert weights == 6 * (8 * 20 + 2 * 8 * 10 + 20 * 8)
    assert profile.macs - weights == 4 * 6 * 6 * (5 + 5)


def test_weightless_attention_and_dot(keras):
    layers = keras.layers
    query, value = keras.Input((4, 7)), keras.Input((6, 7))
    outputs = [
        layers.Attention(name="dot_score")([query, value]),
        layers.AdditiveAttention(name="additive")([query, value]),
        layers.Dot(axes=2, name="dot")([query, value]),
    ]

    profile = tf_rigl.profile(keras.Model([query, value], outputs))
    assert profile.uncounted == ()
    assert {row.path: row.macs for row in profile.rows} == {
        "dot_score/products": 4 * 6 * (7 + 7),
        "additive/scale": 4 * 6 * 7,
        "additive/products": 4 * 6 * 7,
        "dot/products": 4 * 6 * 7,
    }


def test_concat_score_is_not_counted(keras):
    inputs = keras.Input((4, 7))
    layer = keras.layers.Attention(score_mode="concat", name="concat")
    profile = tf_rigl.profile(keras.Model(inputs, layer([inputs, inputs])))
    reasons = [layer.reason for layer in profile.uncounted]
    assert reasons == ["score_mode='concat' is not counted, only 'dot' is"]


def test_reversible_embedding(keras):
    if not hasattr(keras.layers, "ReversibleEmbedding"):
        pytest.skip("Keras 2 has no such layer")
    inputs = keras.Input((6,), dtype="int32")
    for tied in (True, False):
        layer = keras.layers.ReversibleEmbedding(11, 4, tie_weights=tied)
        model = keras.Model(inputs, layer(layer(inputs), reverse=True))
        assert tf_rigl.profile(model).macs == 6 * 4 * 11


def test_layers_without_products(keras):
    layers = keras.layers
    model = chain(
        keras,
        (6,),
        layers.Embedding(11, 4),
        layers.LayerNormalization(),
        layers.BatchNormalization(),
        layers.PReLU(),
        layers.Dropout(0.5),
        layers.UpSampling1D(2),
        layers.AveragePooling1D(2),
        layers.GlobalAveragePooling1D(),
        layers.Activation("gelu"),
        dtype="int32",
    )

    profile = tf_rigl.profile(model)
    assert profile.uncounted == ()
    assert profile.macs == 0
    assert profile.parameters == model.count_params() == 44 + 8 + 16 + 24


@support.keras_in_turn("name", ["MobileNet"])
def test_application_against_the_profiler(keras, name):
    shape = (64, 64, 3)
    builder = getattr(keras.applications, name)
    model = builder(weights=None, input_shape=shape)
    profile = tf_rigl.profile(model)
    assert profile.uncounted == ()
    assert profile.flops == oracles.profiler_flops(model, shape)


def test_subclass_counts_as_its_base(keras):
    class Scaled(keras.layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = build(keras, lambda L: Scaled(3), (5,))
    profile = tf_rigl.profile(model)
    assert profile.macs == 15
    assert profile.rows[0].layer_class == "Scaled"


def test_mixed_precision(keras):
    model = build(keras, lambda L: L.Dense(3, dtype="mixed_bfloat16"), (5,))
    assert tf_rigl.profile(model).macs == 15
