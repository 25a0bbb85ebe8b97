"""What version 0.1 wrote is loaded, bit for bit, and trained further.

The data and the goldens were written by tf_rigl 0.1 at commit 0c5720f, with
TensorFlow 2.21, Keras 3.15 and tf_keras 2.21, by `write.py` of this folder in
commit cb0b7cc. They are not to be written anew when the code changes: that
files of 0.1 still load is what they show.
"""

import json
import pathlib
import shutil
import tarfile

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.compatibility import cases

DATA = pathlib.Path(__file__).resolve().parent / "data"
FLAVORS = {"keras": "keras3", "tf_keras": "keras2"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The files of both Kerases, in a folder each."""
    folder = tmp_path_factory.mktemp("written")
    for name in support.FLAVORS:
        with tarfile.open(DATA / f"{name}.tar.xz") as file:
            file.extractall(folder / name, filter="data")
    return folder


@pytest.fixture
def written(keras, unpacked):
    return unpacked / keras.__name__


def read(path):
    with np.load(path) as content:
        return {name: content[name] for name in content.files}


def of_kinds(arrays, *kinds):
    return {
        name: array
        for name, array in arrays.items()
        if name.partition(":")[0] in kinds
    }


def assert_same(found, expected, *kinds):
    expected = of_kinds(expected, *kinds)
    assert list(of_kinds(found, *kinds)) == list(expected)
    assert expected
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def assert_loaded(case, model, expected, optimizer=True, records=True):
    found = cases.snapshot(case, model)
    assert_same(found, expected, "mask", "weight")
    if records:
        # Norms of gradients are float32 sums, those of the file.
        assert_same(found, expected, "record")
    if optimizer:
        assert_same(cases.optimizer_state(model), expected, "slot")
    np.testing.assert_allclose(
        found["outputs"], expected["outputs"], rtol=1e-4, atol=1e-5
    )


def assert_goes_on(case, model, expected):
    """Two more steps, one of them a mask update, are those of version 0.1."""
    cases.train(case, model, cases.BEFORE, cases.AFTER)
    found = cases.pack_masks(tf_rigl.masks(model), "after_mask")
    assert_same(found, expected, "after_mask")
    np.testing.assert_allclose(
        cases.outputs(case, model),
        expected["after_outputs"],
        rtol=1e-3,
        atol=1e-4,
    )


def assert_same_counts(model, expected):
    counts = [int(mask.sum()) for mask in tf_rigl.masks(model).values()]
    packed = of_kinds(expected, "mask").values()
    assert counts == [int(np.unpackbits(mask).sum()) for mask in packed]


@pytest.mark.parametrize("name", cases.MODEL_FILES)
def test_model_file(keras, written, name):
    model = keras.models.load_model(written / f"{name}.keras")
    assert_loaded(cases.CASES[name], model, read(written / f"{name}.npz"))


# Loops over time take long to trace.
@pytest.mark.parametrize(
    ("name", "flavor"),
    support.in_turn(cases.MODEL_FILES, lambda name: name == "recurrent"),
)
def test_model_file_goes_on(unpacked, name, flavor):
    folder = unpacked / flavor
    keras = cases.load_keras(flavor)
    model = keras.models.load_model(folder / f"{name}.keras")
    assert_goes_on(cases.CASES[name], model, read(folder / f"{name}.npz"))


@pytest.mark.parametrize("name", cases.LEGACY_FILES)
def test_legacy_file(unpacked, name):
    """Keras 3 has replaced this format."""
    folder = unpacked / "tf_keras"
    case = cases.CASES[name]
    keras = cases.load_keras("tf_keras")
    model = keras.models.load_model(folder / f"{name}.h5")
    expected = read(folder / f"{name}.npz")
    assert_loaded(case, model, expected)
    assert_goes_on(case, model, expected)


@pytest.mark.parametrize("name", cases.WEIGHTS_FILES)
def test_weights_file(keras, written, name):
    case = cases.CASES[name]
    model = cases.make(case, keras)
    if name == "initial":
        # The sum of gradients, which the file has, is made with the method.
        tf_rigl.UpdateMasks(case.algorithm).set_model(model)
    model.load_weights(written / f"{name}.weights.h5")
    expected = read(written / f"{name}.npz")
    assert_loaded(case, model, expected, optimizer=False)


@pytest.mark.parametrize(("name", "kind"), cases.TF_CHECKPOINTS)
def test_tensorflow_checkpoint(keras, written, name, kind):
    case = cases.CASES[name]
    model = cases.optimizer_is_built(cases.make(case, keras))
    path = written / f"{name}_{kind}" / "checkpoint"
    status = cases.checkpoint(model, kind).read(str(path))
    status.assert_existing_objects_matched()
    expected = read(written / f"{name}.npz")
    assert_loaded(case, model, expected)
    if name == "branching":
        assert_goes_on(case, model, expected)


@pytest.mark.parametrize(
    ("name", "keras"), support.in_turn(cases.PACKED), indirect=["keras"]
)
def test_packed_model(keras, written, name):
    case = cases.CASES[name]
    path = written / f"{name}_saved_model"
    expected = read(written / f"{name}.npz")
    loaded = tf.saved_model.load(str(path))
    served = loaded.serve(cases.fixed_inputs(case))
    np.testing.assert_allclose(
        served, expected["outputs"], rtol=1e-4, atol=1e-5
    )
    # A plain model gets the masks; diagnostics are not exported.
    model = tf_rigl.load_packed_weights(case.build(keras), path)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    assert_loaded(case, model, expected, optimizer=False, records=False)
    if name == "rigl":
        cases.train(case, model, cases.BEFORE, cases.AFTER)
        assert_same_counts(model, expected)


@pytest.mark.parametrize("name", cases.LITERT)
def test_litert_file(unpacked, name):
    case = cases.CASES[name]
    inputs = cases.fixed_inputs(case)
    path = unpacked / "keras" / f"{name}.tflite"
    interpreter = tf.lite.Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    (argument,) = runner.get_input_details()
    (result,) = runner(**{argument: inputs}).values()
    expected = read(unpacked / "keras" / f"{name}.npz")
    np.testing.assert_allclose(
        result, expected["outputs"], rtol=1e-4, atol=1e-5
    )


def test_checkpoints_of_the_callback(keras, written, tmp_path):
    """The run goes on and ends as the one that nobody interrupted."""
    case = cases.CASES["snfs"]
    shutil.copytree(written / "callback", tmp_path / "run")
    checkpoints = tf_rigl.Checkpoints(tmp_path / "run")
    assert checkpoints.step == cases.EPOCHS_BEFORE * cases.RUN_STEPS
    model = cases.train_with_checkpoints(
        case, keras, tmp_path / "run", cases.RUN_EPOCHS
    )
    found = cases.snapshot(case, model)
    expected = read(written / "callback.npz")
    assert_same(found, expected, "mask")
    for name, array in expected.items():
        np.testing.assert_allclose(
            found[name], array, rtol=1e-3, atol=1e-4, err_msg=name
        )


def run_program(program, *arguments, cwd):
    path = support.BIN / program
    return support.run_python(path, *arguments, cwd=cwd)


def train(flavor, run):
    """Goes on with a run of version 0.1; returns what was printed."""
    return run_program(
        "train_mlp.py",
        *cases.RUN_FLAGS,
        f"--keras={FLAVORS[flavor]}",
        "--checkpoint_every=3",
        "--data=mnist_small",
        f"--output_dir={run.name}",
        cwd=run.parent,
    )


@pytest.mark.slow
@support.one_keras("keras")
def test_interrupted_run_goes_on(keras, written, tmp_path):
    """To the end of the finished one, which had the same settings."""
    run = tmp_path / "interrupted"
    shutil.copytree(written / "interrupted", run)
    assert not (run / "results.json").exists()
    train(keras.__name__, run)
    results, expected = (
        json.loads((folder / "results.json").read_text("utf-8"))
        for folder in (run, written / "finished")
    )
    assert results["connections"] == expected["connections"]
    assert results["files"]["matches"]
    assert results["steps"] == expected["steps"]
    assert results["measures"] == pytest.approx(expected["measures"], rel=1e-3)
    found, other = (
        tf_rigl.masks(keras.models.load_model(folder / "model.keras"))
        for folder in (run, written / "finished")
    )
    assert found.keys() == other.keys()
    support.assert_same_masks(found, other)


@pytest.mark.slow
def test_finished_run(keras, written, tmp_path):
    run = tmp_path / "finished"
    shutil.copytree(written / "finished", run)
    before = {path: path.read_bytes() for path in run.rglob("*.npz")}
    assert "matches the trained model" in train(keras.__name__, run)
    assert before == {path: path.read_bytes() for path in run.rglob("*.npz")}

    expected = json.loads((run / "results.json").read_text("utf-8"))
    for what in ("finished", "finished/saved_model"):
        output = run_program(
            "evaluate.py",
            what,
            "--data=mnist_small",
            "--batch_size=32",
            "--steps=2",
            "--json",
            cwd=tmp_path,
        )
        evaluated = json.loads(output.splitlines()[-1])
        assert evaluated.pop("examples") == 64
        assert evaluated == pytest.approx(expected["measures"], rel=1e-3)
    run_program("report.py", "finished", cwd=tmp_path)
    assert (run / "report.html").stat().st_size > 0
