"""A stripped model is the one that was sparsified, with zeros."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights


def einsum(keras):
    layers = keras.layers
    inputs = keras.Input((7, 8))
    hidden = layers.EinsumDense(
        "abc,cde->abde",
        (7, 2, 3),
        bias_axes="de",
        kernel_constraint="max_norm",
        kernel_regularizer="l2",
    )(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(hidden)))


BUILDERS = {
    **{
        name: lambda keras, name=name: zoo.build(name, keras)
        for name in zoo.INPUT_SHAPES
        if "unbuilt" not in name
    },
    "einsum": einsum,
}
# What the others consist of is in these, too.
FEW = [
    name
    for name in BUILDERS
    if name not in ("sequential", "convolutions_3d", "time_distributed")
]
SHAPES = {**zoo.INPUT_SHAPES, "einsum": (7, 8)}


def snapshot(model, folder):
    flavor = flavor_of(model)
    optimizer = model.optimizer
    # First: it notes things on layers.
    saved = tf.train.Checkpoint(model=model).save(str(folder / "checkpoint"))
    return {
        "checkpoint": [name for name, _ in tf.train.list_variables(saved)],
        "configuration": model.get_config(),
        "compilation": model.get_compile_config(),
        "optimizer": (id(optimizer), type(optimizer), optimizer.get_config()),
        "attributes of the optimizer": sorted(vars(optimizer)),
        "layers": [
            (id(layer), type(layer), layer.name, sorted(vars(layer)))
            for layer in model._flatten_layers()
        ],
        "weights": [
            (
                id(weight),
                getattr(weight, "path", weight.name),
                tuple(weight.shape),
                weight.trainable,
                id(flavor.raw(weight).constraint)
                if flavor.name == "keras2"
                else id(weight.constraint),
            )
            for weight in model.weights
        ],
    }


def compiled(keras, name):
    model = BUILDERS[name](keras)
    model(np.zeros((2, *SHAPES[name]), "float32"))
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, support.crossentropy(keras), metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    return model


@support.keras_in_turn("name", FEW)
def test_everything_comes_back(keras, name, tmp_path):
    model = compiled(keras, name)
    before = snapshot(model, tmp_path)
    values = [np.array(one) for one in model.get_weights()]
    slots = [np.array(one) for one in model.optimizer.variables]
    tf_rigl.sparsify(model, 0.7)
    tf_rigl.attach(model.optimizer, model, tf_rigl.RigL(10))
    masks = {
        id(weight.variable): weight.mask.numpy()
        for weight in masked_weights(model)
    }
    assert model.get_config() != before["configuration"]
    assert tf_rigl.strip(model, optimizer=True) is model
    after = snapshot(model, tmp_path)
    assert after.keys() == before.keys()
    for key in before:
        assert after[key] == before[key], key
    assert masks
    for weight, now, value in zip(
        model.weights, model.get_weights(), values, strict=True
    ):
        mask = masks.get(id(weight), True)
        np.testing.assert_array_equal(now, np.where(mask, value, 0))
    support.assert_all_equal(model.optimizer.variables, slots)
    path = str(tmp_path / "plain.keras")
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.namelist():
            assert b"rigl" not in archive.read(entry), entry


@pytest.mark.parametrize("name", ["sequential_unbuilt", "subclassed_unbuilt"])
def test_what_was_not_built(keras, name):
    inputs = np.ones((2, *SHAPES[name]), "float32")
    descriptions = []
    for sparse in (False, True):
        support.fresh_keras(keras.__name__)
        model = zoo.build(name, keras)
        if sparse:
            tf_rigl.sparsify(model, 0.5)
        model(inputs)
        tf_rigl.strip(model)
        descriptions.append(
            (
                model.get_config(),
                type(model).__mro__[1:],
                [layer.name for layer in model._flatten_layers()],
                [getattr(w, "path", w.name) for w in model.weights],
            )
        )
    assert descriptions[0] == descriptions[1]


def test_no_trace_in_a_saved_model(keras, tmp_path):
    model = tf_rigl.strip(tf_rigl.sparsify(zoo.sequential(keras), 0.7))
    path = tmp_path / "exported"
    tf.saved_model.save(model, str(path))
    for file in path.rglob("*.*"):
        if file.is_file():
            assert b"rigl" not in file.read_bytes(), file


def trained(keras, optimizer="Adam", **settings):
    data = support.make_data((300,), 64)
    model = support.make_mlp(keras, (300,), 3, inputs=300)
    tf_rigl.sparsify(model, 0.9)
    optimizer = getattr(keras.optimizers, optimizer)(0.02, **settings)
    loss = support.crossentropy(keras)
    model.compile(optimizer, loss, metrics=["accuracy"])
    support.fit(model, data, tf_rigl.RigL(2, 1))
    return model, data


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    ("keras", "file"),
    [
        ("keras", "model.keras"),
        ("keras", "model.h5"),
        ("tf_keras", "model.keras"),
        ("tf_keras", "model.h5"),
        ("tf_keras", "folder"),
    ],
    indirect=["keras"],
)
def test_files_have_no_slots(keras, file, tmp_path):
    model, data = trained(keras)
    expected = model.evaluate(*data, verbose=0)
    with_slots, path = tmp_path / "slots" / file, tmp_path / file
    with_slots.parent.mkdir()
    dense_bytes = 4 * model.count_params()
    model.save(with_slots)
    assert size_of(with_slots) > 2.9 * dense_bytes

    tf_rigl.strip(model).save(path)
    assert size_of(path) < 1.2 * dense_bytes

    loaded = keras.models.load_model(path)
    assert loaded.evaluate(*data, verbose=0) == pytest.approx(expected)
    assert type(loaded.optimizer) is keras.optimizers.Adam
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.02)
    assert int(loaded.optimizer.iterations) == 0
    if (keras.__name__, file) == ("keras", "model.h5"):
        # Keras 3 builds the optimizers of such files for no variables, of
        # models that are plain as well.
        loaded.compile(keras.optimizers.Adam(0.02), support.crossentropy(keras))
    support.fit(loaded, data)
    assert int(loaded.optimizer.iterations) == 2


@support.keras_in_turn(
    "name", ["Adam", "SGD", "LossScaleOptimizer", "unbuilt", "kept"]
)
def test_the_optimizer_is_a_new_one(keras, name):
    if name == "LossScaleOptimizer":
        keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        settings = {"momentum": 0.9, "nesterov": True} if name == "SGD" else {}
        model, data = trained(keras, "SGD" if settings else "Adam", **settings)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    if name == "unbuilt":
        model.compile(keras.optimizers.Adam(0.1), support.crossentropy(keras))

    before = model.optimizer
    # tf_keras has versions of it: `LossScaleOptimizerV3`.
    is_named = type(before).__name__.startswith(name)
    assert is_named == (name not in ("unbuilt", "kept"))
    compilation, configuration = (
        model.get_compile_config(),
        before.get_config(),
    )
    tf_rigl.strip(model, optimizer=name == "kept")

    after = model.optimizer
    assert (after is before) == (name in ("unbuilt", "kept"))
    assert after.get_config() == configuration
    assert model.get_compile_config() == compilation
    # It trains as a plain model does, and the old one is forgotten.
    steps = int(before.iterations)
    support.fit(model, data)
    assert int(after.iterations) == (4 if name == "kept" else 2)
    assert int(before.iterations) == (
        steps if after is not before else steps + 2
    )
    after.learning_rate = 0.5
    told = model.get_compile_config()["optimizer"]["config"]
    told = told.get("inner_optimizer", {"config": told})["config"]
    assert told["learning_rate"] == 0.5


@support.one_keras("keras")
def test_optimizers_of_layers_are_new(keras):
    """As of models that keep one for each of their parts."""
    model, _ = trained(keras)
    model.other = keras.optimizers.Adam(0.1)
    model.other.build(model.trainable_variables)
    model.again = model.other
    before = model.other
    tf_rigl.strip(model)
    assert model.other is not before
    assert model.again is model.other
    assert len(model.other.variables) < len(before.variables)


@support.one_keras("tf_keras")
def test_an_optimizer_that_cannot_be_made(keras):
    class Odd(keras.optimizers.SGD):
        def __init__(self, needed):
            super().__init__(0.1, momentum=needed)

    model, data = trained(keras)
    model.compile(Odd(0.9), support.crossentropy(keras))
    support.fit(model, data)
    before = model.optimizer
    with pytest.warns(UserWarning, match=r"keeps its slots.*\(TypeError: "):
        tf_rigl.strip(model)
    assert model.optimizer is before


PROGRAM = """
import sys
sys.modules["tf_rigl"] = None
import numpy as np
import {package} as keras
from tests import zoo
for name in {names}:
    if hasattr(zoo, name):
        zoo.build(name, keras)  # Registers its classes.
    model = keras.models.load_model(f"{folder}/{{name}}.keras")
    data = np.load(f"{folder}/{{name}}.npz")
    outputs = np.asarray(model(data["inputs"], training=False))
    np.testing.assert_allclose(outputs, data["outputs"], rtol=1e-5, atol=1e-6)
    print(name)
"""


@pytest.mark.slow
def test_files_need_no_library(keras, tmp_path):
    """Every kind of model, where this library cannot be imported."""
    for name in BUILDERS:
        model = compiled(keras, name)
        tf_rigl.strip(tf_rigl.sparsify(model, 0.7))
        model.save(tmp_path / f"{name}.keras")
        inputs, _ = support.make_data(SHAPES[name], 4)
        outputs = np.asarray(model(inputs, training=False))
        np.savez(tmp_path / f"{name}.npz", inputs=inputs, outputs=outputs)
    program = PROGRAM.format(
        package=keras.__name__, names=list(BUILDERS), folder=tmp_path
    )
    assert support.run_python("-c", program).split() == list(BUILDERS)


@pytest.mark.parametrize("interval", [3, 2], ids=["update", "no_update"])
def test_export_of_the_last_epoch_is_exactly_sparse(keras, interval, tmp_path):
    """Also where the very last batch moves connections."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    algorithm = tf_rigl.RigL(4, interval, decay="constant")
    for step in support.take_steps(keras, model, algorithm, 4):
        is_last_update = algorithm.schedule.is_update(step)
    assert is_last_update == (interval == 3)
    masks = list(tf_rigl.masks(model).values())
    total = sum(mask.size for mask in masks)
    assert sum(int(np.sum(~mask)) for mask in masks) == round(0.8 * total)
    path = str(tmp_path / "exported.keras")
    tf_rigl.strip(model).save(path)
    loaded = keras.models.load_model(path)
    kernels = [w for w in loaded.get_weights() if w.ndim == 2]
    for kernel, mask in zip(kernels, masks, strict=True):
        assert not np.any(kernel[~mask])
