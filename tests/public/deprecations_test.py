"""Old names and arguments work as before, with a warning."""

import functools
import re

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl import _deprecations
from tf_rigl.masking.masked_layer import variables_beside

NAMES = {
    "ExportReport": "results.ExportReport",
    "LiteRTReport": "results.LiteRTReport",
    "MaskUpdate": "results.MaskUpdate",
    "ModelDiagnostics": "results.ModelDiagnostics",
    "ModelProfile": "results.ModelProfile",
    "ShrinkReport": "results.ShrinkReport",
    "Shrunk": "results.Shrunk",
    "dense_by_policy": "tfmot.dense_layers",
    "from_tfmot": "tfmot.convert",
    "pruning_from_tfmot": "tfmot.pruning",
    "sparsify_like_tfmot": "tfmot.prepare",
}
OPTIONS = tf_rigl.SparsifyOptions
# Positional arguments, old keywords, and the new ones that they stand for.
SPARSIFY = [
    (
        (),
        {"budget": "reference"},
        {"distribution": tf_rigl.ERK(1.0, "reference")},
    ),
    ((), {"power": 0.5}, {"distribution": tf_rigl.ERK(power=0.5)}),
    (
        ("er",),
        {"power": 0.5, "budget": "reference"},
        {"distribution": tf_rigl.ER(0.5, "reference")},
    ),
    # The power has always been one of ER and ERK only.
    (
        ("uniform",),
        {"power": 0.5, "budget": "reference"},
        {"distribution": tf_rigl.Uniform("reference")},
    ),
    (
        ({"last": 0.75},),
        {"budget": "reference"},
        {"distribution": tf_rigl.PerLayer({"last": 0.75}, "reference")},
    ),
    ((), {"include": ["table"]}, {"options": OPTIONS(include=["table"])}),
    ((), {"scale": "unit"}, {"options": OPTIONS(scale="unit")}),
    (
        (),
        {"keep_initial_values": True, "diagnostics": False},
        {"options": OPTIONS(keep_initial_values=True, diagnostics=False)},
    ),
]


def everything(model):
    beside = [one for layer in model.layers for one in variables_beside(layer)]
    return [*model.weights, *beside]


def make_model(keras):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Embedding(9, 8, name="table"),
            layers.Flatten(),
            layers.Dense(16, name="first"),
            layers.Dense(8, name="last"),
            layers.Dense(2, name="out"),
        ]
    )


@pytest.mark.parametrize("name", NAMES)
def test_names_that_have_moved(name):
    new = f"tf_rigl.{NAMES[name]}"
    with pytest.warns(
        DeprecationWarning,
        match=f"^`tf_rigl.{name}` is deprecated since version 0.2: use `{new}`",
    ) as warned:
        found = getattr(tf_rigl, name)
    assert warned[0].filename == __file__
    assert found is functools.reduce(getattr, NAMES[name].split("."), tf_rigl)


def test_each_use_of_an_old_name_warns():
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match="results.Shrunk"):
            from tf_rigl import Shrunk  # noqa: F401


@pytest.mark.parametrize(
    ("case", "keras"), support.in_turn(SPARSIFY), indirect=["keras"]
)
def test_old_arguments_of_sparsify(keras, case):
    args, old, new = case
    with pytest.warns(DeprecationWarning) as warned:
        before = tf_rigl.sparsify(
            make_model(keras), 0.5, *args, dense=["out"], seed=5, **old
        )
    assert {one.filename for one in warned} == {__file__}
    told = " ".join(str(one.message) for one in warned)
    for name in old:
        assert f"`tf_rigl.sparsify({name}=...)` is deprecated since " in told
    after = tf_rigl.sparsify(
        make_model(keras), 0.5, dense=["out"], seed=5, **new
    )
    support.assert_same_masks(tf_rigl.masks(before), tf_rigl.masks(after))
    support.assert_all_equal(everything(before), everything(after))


@support.one_keras("tf_keras")
def test_options_change_something(keras):
    """Else the test above could not fail."""
    plain = tf_rigl.sparsify(make_model(keras), 0.5, dense=["out"], seed=5)
    for _, _, new in SPARSIFY:
        other = tf_rigl.sparsify(
            make_model(keras), 0.5, dense=["out"], seed=5, **new
        )
        there, here = everything(other), everything(plain)
        assert len(there) != len(here) or any(
            not np.array_equal(one, two)
            for one, two in zip(here, there, strict=True)
        ), new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"budget": "global"}, {"distribution": tf_rigl.ERK()}),
        ({"power": 1.0}, {"distribution": tf_rigl.Uniform()}),
        ({"scale": None}, {"options": OPTIONS()}),
    ],
)
def test_old_and_new_arguments_together(keras, old, new):
    model = make_model(keras)
    with (
        pytest.warns(DeprecationWarning, match="is deprecated"),
        pytest.raises(ValueError, match=r"Received: .* and .*Move them into"),
    ):
        tf_rigl.sparsify(model, 0.5, **old, **new)
    assert not tf_rigl.masks(model)


def test_old_arguments_of_export_litert(tmp_path):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    tf_rigl.sparsify(model, 0.9)
    old = {
        "sparse": False,
        "select_tf_ops": True,
        "verification_data": np.ones((2, 64), np.float32),
        "tolerance": 0.5,
    }
    with pytest.warns(DeprecationWarning) as warned:
        before = tf_rigl.export_litert(model, tmp_path / "old", **old)
    assert [str(one.message).split("(")[1] for one in warned] == [
        f"{name}=...)` is deprecated since version 0.2: pass "
        "`options=tf_rigl.LiteRTOptions"
        for name in old
    ]
    options = tf_rigl.LiteRTOptions(**old)
    after = tf_rigl.export_litert(model, tmp_path / "new", options=options)
    assert not any(row.sparse for row in before.rows)
    assert (tmp_path / "old").read_bytes() == (tmp_path / "new").read_bytes()
    assert before.relative_error == after.relative_error


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ({"int8_io": True}, {}, "int8 only where activations are"),
        (
            {"int8_io": True},
            {"options": tf_rigl.LiteRTOptions()},
            r"a field of `options` is .*LiteRTOptions\(.*\['int8_io'\]",
        ),
    ],
)
def test_old_arguments_of_export_litert_refused(old, new, message, tmp_path):
    with (
        pytest.warns(DeprecationWarning, match=r"LiteRTOptions\(int8_io=True"),
        pytest.raises(ValueError, match=message),
    ):
        tf_rigl.export_litert(None, tmp_path / "model", **old, **new)


def test_decorated_functions_look_like_themselves():
    @_deprecations.moved_arguments(
        {"size": "box=Box(size=...)"},
        "9.1",
        _deprecations.fold_into("box", dict),
    )
    def pack(thing, box=None):
        """Packs."""
        return thing, box

    assert (pack.__name__, pack.__doc__) == ("pack", "Packs.")
    assert pack("a", {"size": 1}) == ("a", {"size": 1})
    with pytest.warns(
        DeprecationWarning,
        match=re.escape(
            "`tf_rigl.pack(size=...)` is deprecated since version 9.1: pass "
            "`box=Box(size=...)`."
        ),
    ):
        assert pack("a", size=2) == ("a", {"size": 2})
    with pytest.raises(TypeError, match="unexpected keyword argument 'sizes'"):
        pack("a", sizes=2)
