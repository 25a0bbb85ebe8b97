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


def run(code, *arguments):
    """The lines that a program prints in a process of its own."""
    return support.run_python("-c", code, *arguments).splitlines()


def saved(keras, folder):
    """A sparse model in each format, and the names of the files."""
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, name="out")]
    )
    tf_rigl.sparsify(model, 0.5)
    paths = [folder / "model.keras", folder / "model.h5"]
    for path in paths:
        model.save(path)
    return paths


def test_import_brings_no_tensorflow():
    printed = run(
        "import sys, tf_rigl, tf_rigl.results\n"
        "dir(tf_rigl), tf_rigl.__version__, tf_rigl.ERK(power=0.5)\n"
        "print(sorted({'tensorflow', 'keras', 'tf_keras', 'numpy', 'rich',\n"
        "    'matplotlib', 'tensorflow_datasets',\n"
        "    'tensorflow_model_optimization'} & set(sys.modules)))\n"
        "tf_rigl.RigL()\n"
        "print('tensorflow' in sys.modules, 'tf_rigl.export' in sys.modules)\n"
    )
    assert printed == ["[]", "True False"]


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
        # TensorFlow imports Keras 3 while it is itself half imported.
        ("keras", "import tf_rigl\nimport tensorflow\nimport keras"),
        pytest.param(
            "keras", "import keras\nimport tf_rigl", marks=pytest.mark.slow
        ),
        ("tf_keras", "import tf_keras as keras\nimport tf_rigl"),
    ],
)
def test_loading_after_import(name, imports, tmp_path):
    """In other orders than `tests/masking/saving_test.py` does."""
    paths = saved(importlib.import_module(name), tmp_path)
    assert run(LOAD.format(imports=imports), *paths) == ["16 16"] * 2


@support.one_keras("keras")
def test_loading_without_import_says_what_is_missing(keras, tmp_path):
    printed = run(
        "import sys\n"
        f"import {keras.__name__} as keras\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        keras.models.load_model(path)\n"
        "    except (TypeError, ValueError) as error:\n"
        "        print('import tf_rigl before loading' in str(error))\n"
        "    else:\n"
        # Keras 3.6 imports the module that the file names.
        "        print('tf_rigl' in sys.modules)\n",
        *saved(keras, tmp_path),
    )
    assert printed == ["True"] * 2


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
