"""Attention, and products of matrices that are computed."""

import hypothesis
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tf_rigl
from tests.export.plan import support
from tests.support import keras_in_turn
from tf_rigl.export.plan import read

SIZES = st.integers(1, 9)


def check(keras, layer, shapes, **options):
    inputs = [keras.Input(shape) for shape in shapes]
    given = inputs * 2 if len(inputs) == 1 else inputs
    outputs = layer(*given, **options)
    model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)
    support.randomize(model)
    batches = [
        support.batch(*shape, examples=3, seed=seed)
        for seed, shape in enumerate(shapes)
    ]
    return support.assert_alike(model, *batches)


@keras_in_turn("inputs", [1, 2, 3], lambda inputs: inputs == 2)
def test_multi_head_attention(keras, inputs):
    """Of a sequence with itself, and with one or two others."""

    @support.few(6)
    @hypothesis.given(
        st.tuples(SIZES, st.integers(1, 40), SIZES, st.integers(1, 4)),
        st.sampled_from([None, 5]),
        st.booleans(),
        st.booleans(),
    )
    def check_one(sizes, value_dim, is_causal, use_bias):
        queries, keys, channels, heads = sizes
        layer = keras.layers.MultiHeadAttention(
            heads, 3, value_dim, use_bias=use_bias, dropout=0.1
        )
        shapes = [(queries, channels), (keys, 6), (keys, 4)][:inputs]
        graph = check(keras, layer, shapes, use_causal_mask=is_causal)
        expected = ["dense"] * 3 + ["attention", "dense"]
        assert support.kinds(graph) == expected

    check_one()


@keras_in_turn("positions", [33, 70])
def test_many_positions(keras, positions):
    """More than one block of queries, the last of them not whole."""
    layer = keras.layers.MultiHeadAttention(2, 8, output_shape=5)
    for is_causal in (True, False):
        check(keras, layer, [(positions, 12)], use_causal_mask=is_causal)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_grouped_query_attention(keras3, key_heads):
    layer = keras3.layers.GroupQueryAttention(5, 4, key_heads)
    check(keras3, layer, [(7, 6)], use_causal_mask=key_heads == 2)


@keras_in_turn("storage", ["masked", "compressed"])
def test_sparse_attention(keras, storage):
    inputs = keras.Input((9, 16))
    layer = keras.layers.MultiHeadAttention(2, 8, name="attention")
    model = keras.Model(inputs, layer(inputs, inputs))
    tf_rigl.sparsify(model, 0.8, storage=storage)
    graph = support.assert_alike(model, support.batch(9, 16))
    (row,) = tf_rigl.check_plan(model).rows
    assert (row.runs, row.how) == ("sparse", "product + attention")
    assert row.weights == 4 * 16 * 16
    found = sum(
        np.count_nonzero(one.arrays["kernel"])
        for one in graph.operations
        if "kernel" in one.arrays
    )
    assert row.nonzeros == found < 0.25 * row.weights
    assert row.macs == 9 * found


@keras_in_turn(
    "case",
    [
        ((4, 6), "abc,cd->abd", (None, 5), "d"),
        ((4, 6), "abc,cde->abde", (None, 2, 5), "de"),
        ((3, 4, 6), "abcd,cde->abe", (None, 5), "e"),
        ((6,), "...x,xy->...y", (5,), None),
    ],
)
def test_einsum_dense(keras, case):
    shape, equation, output_shape, bias_axes = case
    layer = keras.layers.EinsumDense(
        equation, output_shape, bias_axes=bias_axes, activation="gelu"
    )
    inputs = keras.Input(shape)
    model = support.randomize(keras.Model(inputs, layer(inputs)))
    graph = support.assert_alike(model, support.batch(*shape))
    assert "dense" in support.kinds(graph)


@keras_in_turn("function", ["rows", "columns"])
def test_product_of_two(keras, function):
    inputs = [keras.Input((3, 5, 7)), keras.Input((3, 7, 4))]
    first, second = inputs
    if keras is keras3:
        if function == "rows":
            second = keras3.ops.transpose(second, (0, 1, 3, 2))
            second = keras3.ops.swapaxes(second, 2, 3)
        outputs = keras3.ops.matmul(first, second)
    elif function == "rows":
        second = tf.transpose(second, (0, 1, 3, 2))
        outputs = tf.matmul(first, second, transpose_b=True)
    else:
        outputs = first @ second
    batches = [support.batch(3, 5, 7), support.batch(3, 7, 4, seed=1)]
    graph = support.assert_alike(keras.Model(inputs, outputs), *batches)
    assert support.kinds(graph)[-1] == "matrix_product"


@keras_in_turn("heads", [1, 3])
def test_attention_that_is_written_out(keras, heads):
    """Of functions, as in blocks of one's own."""

    def split(x, last):
        if keras is keras3:
            parts = keras3.ops.reshape(x, (-1, 6, heads, 4))
            return keras3.ops.transpose(parts, (0, 2, *last))
        return tf.transpose(tf.reshape(x, (-1, 6, heads, 4)), (0, 2, *last))

    layers = keras.layers
    inputs = keras.Input((6, 5))
    query, key, value = (
        split(layers.Dense(heads * 4)(inputs), last)
        for last in ((1, 3), (3, 1), (1, 3))
    )
    scores = layers.Softmax()(query @ key * 0.5)
    made = scores @ value
    if keras is keras3:
        made = keras3.ops.transpose(made, (0, 2, 1, 3))
        made = keras3.ops.reshape(made, (-1, 6, heads * 4))
    else:
        made = tf.reshape(tf.transpose(made, (0, 2, 1, 3)), (-1, 6, heads * 4))
    model = support.randomize(keras.Model(inputs, layers.Dense(3)(made)))
    support.assert_alike(model, support.batch(6, 5))


@pytest.mark.parametrize("is_causal", [True, False])
def test_dot_product_attention(keras3, is_causal):
    queries = 7 if is_causal else 5
    shapes = [(queries, 2, 3), (7, 2, 3), (7, 2, 4)]
    inputs = [keras3.Input(shape) for shape in shapes]
    outputs = keras3.ops.dot_product_attention(*inputs, is_causal=is_causal)
    batches = [
        support.batch(*shape, seed=seed) for seed, shape in enumerate(shapes)
    ]
    graph = support.assert_alike(keras3.Model(inputs, outputs), *batches)
    assert "attention" in support.kinds(graph)

    first = inputs[0]
    outputs = keras3.ops.dot_product_attention(first, first, first, scale=0.5)
    support.assert_alike(keras3.Model(first, outputs), batches[0])
    outputs = keras3.ops.dot_product_attention(
        first, first, first, mask=np.tri(queries, dtype=bool)[None, None]
    )
    with pytest.raises(ValueError, match="has a mask or a bias"):
        read.graph_of(keras3.Model(first, outputs))


@keras_in_turn(
    "case",
    [
        ("mask", "has an attention_mask.*use_causal_mask=True"),
        ("scores", "return_attention_scores"),
        ("axes", "only dimension"),
    ],
)
def test_what_attention_is_refused(keras, case):
    name, reason = case
    shape = (2, 3, 4) if name == "axes" else (3, 4)
    axes = (2,) if name == "axes" else None
    inputs = keras.Input(shape)
    layer = keras.layers.MultiHeadAttention(2, 3, attention_axes=axes)
    if name == "mask":
        mask = keras.Input((3, 3))
        outputs = layer(inputs, inputs, attention_mask=mask)
        model = keras.Model([inputs, mask], outputs)
    else:
        options = {"return_attention_scores": True} if name == "scores" else {}
        model = keras.Model(inputs, layer(inputs, inputs, **options))
    with pytest.raises(ValueError, match=reason):
        read.graph_of(model)


def test_gates_are_refused():
    layer = keras3.layers.GroupQueryAttention(3, 2, 1, use_gate=True)
    inputs = keras3.Input((3, 4))
    model = keras3.Model(inputs, layer(inputs, inputs))
    with pytest.raises(ValueError, match="use_gate=True"):
        read.graph_of(model)
