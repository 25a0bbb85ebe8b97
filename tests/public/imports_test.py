"""`import tf_rigl` is cheap, and enough to load sparse models."""

import importlib
import zipfile

import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.bindings import registration
from tf_rigl.version import __version__

LOAD = """
import sys
{imports}
for path in sys.argv[1:]:
    model = keras.models.load_model(path, compile=False)
    mask = tf_rigl.masks(model)["out/kernel"]
    print(mask.sum(), int((model.layers[-1].kernel.numpy() != 0).sum()))
"""

# It is cheap, and TensorFlow imports Keras 3 while it is half imported itself.
FIRST = """
import tf_rigl, tf_rigl.results
dir(tf_rigl), tf_rigl.__version__, tf_rigl.ERK(power=0.5)
heavy = {{"tensorflow", "keras", "tf_keras", "numpy", "rich", "matplotlib",
         "tensorflow_datasets", "tensorflow_model_optimization"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)

import tensorflow
import {keras} as keras
tf_rigl.RigL()
assert "tf_rigl.export" not in sys.modules
"""
# Loading before it says what is missing.
TOO_LATE = """
import {keras} as keras
for path in sys.argv[1:]:
    try:
        keras.models.load_model(path)
    except (TypeError, ValueError) as error:
        assert "import tf_rigl before loading" in str(error), error
    else:  # Keras 3.6 imports the module that the file names.
        assert "tf_rigl" in sys.modules
import tf_rigl
"""


def run(code, *arguments):
    return support.run_python("-c", code, *arguments).splitlines()


def saved(keras, folder):
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, name="out")]
    )
    tf_rigl.sparsify(model, 0.5)
    paths = [folder / "model.keras", folder / "model.h5"]
    for path in paths:
        model.save(path)
    return paths


def test_package_as_a_program():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['tf_rigl', *sys.argv[1:]]\n"
        "try:\n"
        "    runpy.run_module('tf_rigl', run_name='__main__')\n"
        "finally:\n"
        "    print('tensorflow' in sys.modules)\n"
    )
    printed = run(code, "--help")
    assert any(line.startswith("    train ") for line in printed)
    assert printed[-1] == "False"
    assert run(code, "--version") == [f"tf_rigl {__version__}", "False"]


@pytest.mark.parametrize(
    ("name", "imports"),
    [
        pytest.param("keras", FIRST, marks=pytest.mark.slow),
        ("keras", TOO_LATE),
        pytest.param("tf_keras", TOO_LATE, marks=pytest.mark.slow),
    ],
    ids=["first", "too_late-keras", "too_late-tf_keras"],
)
def test_loading_after_import(name, imports, tmp_path):
    """In other orders than `tests/masking/saving_test.py` does."""
    paths = saved(importlib.import_module(name), tmp_path)
    code = LOAD.format(imports=imports.format(keras=name))
    assert run(code, *paths) == ["16 16"] * 2


def test_files_of_older_versions_have_another_name(keras, tmp_path):
    path, _ = saved(keras, tmp_path)
    old = tmp_path / "old.keras"
    with zipfile.ZipFile(path) as new_file, zipfile.ZipFile(old, "w") as file:
        for name in new_file.namelist():
            content = new_file.read(name)
            if name == "config.json":
                assert registration.REGISTERED_NAME in content.decode()
                content = content.replace(
                    registration.REGISTERED_NAME.encode(),
                    registration.OLD_REGISTERED_NAME.encode(),
                )
            file.writestr(name, content)
    loaded = keras.models.load_model(old, compile=False)
    assert tf_rigl.masks(loaded)["out/kernel"].sum() == 16
