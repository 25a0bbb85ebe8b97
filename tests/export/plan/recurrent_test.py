"""Recurrent layers compute in a plan what they compute in Keras."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import tf_rigl
from tests.export.plan import support
from tests.support import keras_in_turn
from tests.support import one_keras
from tf_rigl import native
from tf_rigl.export.plan import read
from tf_rigl.models import character_rnn

LAYERS = ("SimpleRNN", "GRU", "LSTM")


def few(examples):
    """Settings of tests in which each example is a model."""
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


@st.composite
def options(draw, kind):
    """Arguments of a recurrent layer."""
    drawn = {
        "units": draw(st.integers(1, 40)),
        "use_bias": draw(st.booleans()),
        "return_sequences": draw(st.booleans()),
        "go_backwards": draw(st.booleans()),
        "activation": draw(st.sampled_from(["tanh", "tanh", "relu", None])),
    }
    if kind != "SimpleRNN":
        functions = ["sigmoid", "sigmoid", "hard_sigmoid"]
        drawn["recurrent_activation"] = draw(st.sampled_from(functions))
    if kind == "GRU":
        drawn["reset_after"] = draw(st.booleans())
    return drawn


def check(keras, layer, steps, inputs, examples=2, sparsity=0.0):
    model = keras.Sequential([keras.Input((steps, inputs)), layer])
    support.randomize(model, sparsity)
    return support.assert_alike(
        model, support.batch(steps, inputs, examples=examples)
    )


@pytest.mark.parametrize("keras", ["keras", "tf_keras"], indirect=True)
@pytest.mark.parametrize("kind", LAYERS)
def test_layer(keras, kind):
    @few(6)
    @hypothesis.given(
        options(kind),
        st.integers(1, 9),
        st.integers(1, 9),
        st.sampled_from([1, 2, 5, 33]),
        st.sampled_from([0.0, 0.5, 0.9]),
    )
    def check_one(drawn, steps, inputs, examples, sparsity):
        layer = getattr(keras.layers, kind)(**drawn)
        graph = check(keras, layer, steps, inputs, examples, sparsity)
        assert support.kinds(graph) == ["dense", "recurrence"]

    check_one()


@keras_in_turn("kind", LAYERS)
def test_initial_states_and_states(keras, kind):
    """An encoder and a decoder, and outputs that nothing reads."""
    layers = keras.layers
    texts = [keras.Input((5, 3)), keras.Input((4, 2))]
    layer = getattr(layers, kind)
    _, *states = layer(7, return_state=True, return_sequences=True)(texts[0])
    outputs, *after = layer(7, return_state=True)(
        texts[1], initial_state=states
    )
    model = keras.Model(texts, [outputs, *after])
    support.randomize(model)
    given = [support.batch(5, 3, examples=3), support.batch(4, 2, examples=3)]
    graph = support.assert_alike(model, *given)
    assert support.kinds(graph).count("recurrence") == 2


@keras_in_turn("merge", ["concat", "sum", "mul", "ave"])
def test_bidirectional(keras, merge):
    layers = keras.layers
    for kind, keeps in (("GRU", True), ("LSTM", False)):
        inner = getattr(layers, kind)(6, return_sequences=keeps)
        check(keras, layers.Bidirectional(inner, merge_mode=merge), 5, 3)


@keras_in_turn("go_backwards", [False, True])
def test_cells(keras, go_backwards):
    layers = keras.layers
    cells = [
        layers.GRUCell(5, reset_after=False),
        layers.SimpleRNNCell(4),
        layers.LSTMCell(3),
    ]
    given = {"go_backwards": go_backwards, "return_sequences": True}
    check(keras, layers.RNN(cells, **given), 6, 3)
    check(keras, layers.RNN(cells[0], **given), 6, 3)
    check(keras, layers.Bidirectional(layers.RNN(cells)), 6, 3)


@one_keras("keras")
def test_both_directions_apart(keras):
    inputs = keras.Input((5, 3))
    layer = keras.layers.Bidirectional(
        keras.layers.LSTM(4, return_sequences=True), merge_mode=None
    )
    model = support.randomize(keras.Model(inputs, layer(inputs)))
    support.assert_alike(model, support.batch(5, 3))


def stack(keras, kind, steps=12):
    """A small network of its users: a stack, and a head at each position."""
    layers = keras.layers
    recurrent = getattr(layers, kind)
    return keras.Sequential(
        [
            keras.Input((steps, 24)),
            recurrent(64, return_sequences=True, name="first"),
            layers.Dropout(0.5),
            layers.BatchNormalization(),
            recurrent(48, return_sequences=True, dropout=0.3, name="second"),
            layers.Dense(32, activation="relu", name="readout"),
            layers.Dense(24, name="logits"),
        ]
    )


@pytest.mark.parametrize(
    ("kind", "storage", "keras"),
    [
        ("GRU", "masked", "keras"),
        ("LSTM", "compressed", "keras"),
        ("GRU", "compressed", "tf_keras"),
        ("LSTM", "masked", "tf_keras"),
    ],
    indirect=["keras"],
)
def test_sparse_stack(keras, kind, storage):
    model = stack(keras, kind)
    tf_rigl.sparsify(model, 0.9, "uniform", storage=storage)
    masks = list(tf_rigl.masks(model).values())
    for examples in (1, 35):
        texts = support.batch(12, 24, examples=examples)
        graph = support.assert_alike(model, texts)
    kernels = [
        one.arrays["kernel"]
        for one in graph.operations
        if "kernel" in one.arrays
    ]
    # The second layer's first kernel has a scale in it.
    for kernel, mask in zip(kernels, masks, strict=True):
        assert ((kernel != 0) == mask).all()
    support.assert_alike(tf_rigl.strip(model), texts)


@keras_in_turn("cell", ["gru", "lstm"])
def test_characters(keras, cell):
    model = character_rnn.character_rnn(keras, cell, length=9, width=0.1)
    tf_rigl.sparsify(model, 0.9, dense=[model.get_layer("embedding")])
    texts = np.random.default_rng(0).integers(0, 256, (3, 9), np.int32)
    graph = support.assert_alike(model, texts)
    assert support.kinds(graph)[:3] == ["embedding", "dense", "recurrence"]


@one_keras("keras")
def test_check(keras):
    model = stack(keras, "GRU")
    tf_rigl.sparsify(model, 0.9, "uniform", dense=[model.layers[-1]])
    check = tf_rigl.check_plan(model)
    assert check.fits
    rows = {row.path: row for row in check.rows}
    assert rows["first"].runs == "sparse"
    assert rows["first"].how == "product + recurrence"
    assert rows["first"].weights == (24 + 64) * 3 * 64
    assert rows["first"].dense_macs == 12 * rows["first"].weights
    assert rows["first"].macs == 12 * rows["first"].nonzeros
    assert rows["logits"].runs == "dense"


@one_keras("keras")
def test_check_of_the_last_output(keras):
    layer = keras.layers.LSTM(8, name="last")
    model = keras.Sequential([keras.Input((7, 5)), layer])
    (row,) = tf_rigl.check_plan(model).rows
    assert (row.runs, row.weights) == ("dense", 13 * 32)
    assert row.dense_macs == 7 * 13 * 32


@one_keras("tf_keras")
def test_open_length_is_given(keras):
    inputs = keras.Input((None, 3))
    hidden = keras.layers.Bidirectional(
        keras.layers.GRU(4, return_sequences=True)
    )(inputs)
    outputs = keras.layers.GlobalMaxPooling1D()(hidden)
    model = support.randomize(keras.Model(inputs, outputs))
    with pytest.raises(ValueError, match=r"one size.*None, 3"):
        read.graph_of(model)
    texts = support.batch(11, 3)
    graph = read.graph_of(model, (None, 11, 3))
    support.assert_computes(graph, [texts], support.expected_of(model, texts))


@one_keras("keras")
@pytest.mark.skipif(not native.available(), reason="runs the plan")
def test_rounded_kernels(keras, tmp_path):
    model = support.randomize(stack(keras, "LSTM"), 0.8)
    for precision, largest in (("float16", 2e-3), ("int8", 0.1)):
        report = tf_rigl.export_plan(
            model, tmp_path / f"{precision}.plan", precision=precision
        )
        assert 0 < report.relative_error < largest
    assert "recurrence 64×256" in str(report)


def test_factorized_layer(keras3):
    model = keras3.Sequential(
        [keras3.Input((6, 32)), keras3.layers.GRU(48, name="gru")]
    )
    model = tf_rigl.factorize(model, ranks=4)
    graph = support.assert_alike(model, support.batch(6, 32))
    assert support.kinds(graph) == ["dense", "recurrence"]


REFUSED = {
    "stateful": (
        lambda layers: layers.GRU(3, stateful=True),
        "return_state=True",
    ),
    "activation": (
        lambda layers: layers.LSTM(3, activation="softplus"),
        r"\(softplus\).*tanh",
    ),
    "softmax": (
        lambda layers: layers.SimpleRNN(3, activation="softmax"),
        r"\(softmax\).*relu6",
    ),
    "states of both": (
        lambda layers: layers.Bidirectional(layers.GRU(3, return_state=True)),
        "go_backwards=True",
    ),
    "states of cells": (
        lambda layers: layers.RNN(
            [layers.GRUCell(3), layers.GRUCell(3)], return_state=True
        ),
        "layer of each cell",
    ),
    "reversed": (
        lambda layers: layers.Bidirectional(
            layers.GRU(3, go_backwards=True), backward_layer=layers.GRU(3)
        ),
        "go_backwards=False",
    ),
}


@keras_in_turn("name", REFUSED)
def test_refused(keras, name):
    make, fix = REFUSED[name]
    inputs = keras.Input((4, 6), batch_size=2)
    outputs = make(keras.layers)(inputs)
    first = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
    with pytest.raises(ValueError, match=fix):
        read.graph_of(keras.Model(inputs, first))


@keras_in_turn("cell", ["own", "stacked twice"])
def test_other_cells_are_refused(keras, cell):
    class Own(keras.layers.GRUCell):
        """It may compute anything."""

    layers = keras.layers
    stacked = layers.StackedRNNCells([layers.GRUCell(3)])
    made = Own(3) if cell == "own" else layers.StackedRNNCells([stacked])
    model = keras.Sequential([keras.Input((4, 6)), keras.layers.RNN(made)])
    with pytest.raises(ValueError, match=r"its cell is .*Plans have GRUCell"):
        read.graph_of(model)


@keras_in_turn(
    "kind", ["Masking", "Embedding", "behind others", "nested", "pooling"]
)
def test_masks_are_refused(keras, kind):
    """They come beside tensors, which a plan does not have."""
    layers = keras.layers
    is_text = kind in ("Embedding", "nested")
    inputs = keras.Input((4,) if is_text else (4, 6))
    if is_text:
        hidden = layers.Embedding(9, 6, mask_zero=True)(inputs)
    else:
        hidden = layers.Masking()(inputs)
    if kind == "behind others":
        hidden = layers.Dropout(0.5)(layers.Dense(6)(hidden))
    last = layers.LSTM(3, name="last")
    if kind == "nested":
        last = keras.Sequential([layers.Dense(6), last], name="last")
    if kind == "pooling":
        last = layers.GlobalAveragePooling1D(name="last")
    model = keras.Model(inputs, last(hidden))
    problems = tf_rigl.check_plan(model).problems
    # Keras 3 computes the mask of a nested model beside it, which is named.
    named = "" if kind == "nested" else "last"
    assert any(
        text.startswith(named) and "mask_zero=False" in text
        for text in problems
    )


def test_a_mask_that_nothing_reads(keras3):
    inputs = keras3.Input((4, 6))
    hidden = keras3.layers.Masking(name="mask")(inputs)
    model = keras3.Model(inputs, keras3.layers.Dense(3)(hidden))
    (problem,) = tf_rigl.check_plan(model).problems
    assert problem.startswith("mask (Masking): plans do not have it")
