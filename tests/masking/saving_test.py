"""A saved sparse model in another process, which only imports the library."""

import subprocess
import sys

import pytest

import tf_rigl
from tests import support

PROGRAM = """
import sys
import tf_rigl
assert "tf_keras" not in sys.modules
import {package} as keras
model = keras.models.load_model({path!r})
print(sum(int(mask.sum()) for mask in tf_rigl.masks(model).values()))
import numpy as np
inputs = np.random.default_rng(0).normal(size=(64, 20)).astype("float32")
algorithm = tf_rigl.RigL(stop_step=99, update_interval=1)
model.fit(inputs, np.arange(64) % 10, verbose=0,
          callbacks=[tf_rigl.UpdateMasks(algorithm)])
print(sum(int(np.count_nonzero(w)) for w in model.get_weights()
          if w.ndim == 2 and w.dtype == np.float32))
"""


@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
def test_load_model_needs_nothing_but_the_import(keras, tmp_path, suffix):
    """Even where the Keras is imported after `tf_rigl`."""
    if keras.__name__ == "keras" and suffix != ".keras":
        pytest.skip("Keras 3 has replaced this format")
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    support.train(keras, model, tf_rigl.RigL(update_interval=2))
    connections = sum(support.counts(model).values())
    path = str(tmp_path / f"model{suffix}")
    model.save(path)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM.format(package=keras.__name__, path=path),
        ],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, trained = map(int, done.stdout.split())
    assert loaded == connections
    # A connection that has just grown is still 0.
    assert 0 < trained <= connections


def test_plain_file_needs_no_library(keras, tmp_path):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    path = str(tmp_path / "plain.keras")
    tf_rigl.strip(model).save(path)
    program = f"""
import sys
sys.modules["tf_rigl"] = None
import {keras.__name__} as keras
print(len(keras.models.load_model({path!r}).weights))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "4"
