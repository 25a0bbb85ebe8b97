"""Packed files of other versions: old ones load, newer ones raise an error."""

import json
import pathlib
import shutil

import numpy as np
import pytest

import tf_rigl
from tf_rigl.core.packing import CorruptDataError
from tf_rigl.export.saved_model import packed_file
from tf_rigl.export.saved_model.packed_file import read_weights
from tf_rigl.export.saved_model.restore import load_packed_weights

# The two files of an artifact that tf_rigl 0.1.0 wrote at commit 0c5720f, with
# compression="gaps" and values="int8". Active weights count from 1 and biases
# from 0.
FORMAT_1 = pathlib.Path(__file__).with_name("format_1")


def make_model(keras):
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, name="hidden"),
            keras.layers.Dense(8, name="logits"),
        ]
    )


def copy_with(folder, **changes):
    path = folder / "copy"
    shutil.copytree(FORMAT_1, path)
    file = path / "assets.extra" / "weights.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))
    return path


def test_format_1_loads(keras3):
    model = load_packed_weights(make_model(keras3), FORMAT_1)
    masks = tf_rigl.masks(model)
    assert {path: mask.sum() for path, mask in masks.items()} == {
        "hidden/kernel": 205,
        "logits/kernel": 26,
    }

    for layer in model.layers:
        mask = masks[f"{layer.name}/kernel"]
        kernel = np.asarray(layer.kernel)
        counted = np.arange(1, mask.sum() + 1)
        # 127 steps of the largest magnitude, halves rounded.
        np.testing.assert_allclose(kernel[mask], counted, atol=205 / 254)
        assert not kernel[~mask].any()
        bias = np.asarray(layer.bias)
        np.testing.assert_array_equal(bias, np.arange(bias.size))


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"tf_rigl": "0.7.0"}, "pip install --upgrade 'tf_rigl>=0.7.0'"),
        ({}, "the tf_rigl that wrote it or a later one"),
        ({"tf_rigl": "$(rm)"}, "the tf_rigl that wrote it or a later one"),
    ],
    ids=["named", "not named", "no version"],
)
def test_a_newer_format_says_what_to_install(tmp_path, changes, fix):
    newer = packed_file.FORMAT + 1
    path = copy_with(
        tmp_path, format=f"tf_rigl weights {newer}", fields=[], **changes
    )
    with pytest.raises(ValueError, match=f"in format {newer}. Install") as info:
        read_weights(path)
    assert fix in str(info.value)
    assert not isinstance(info.value, CorruptDataError)


def test_what_is_read_next(tmp_path, monkeypatch):
    """A version with a new format keeps reading the old one."""
    newer = packed_file.FORMAT + 1
    monkeypatch.setattr(packed_file, "FORMAT", newer)
    monkeypatch.setattr(packed_file, "READABLE_FORMATS", range(1, newer + 1))
    assert len(read_weights(FORMAT_1)) == 4
    again = copy_with(tmp_path, format=f"tf_rigl weights {newer}")
    assert len(read_weights(again)) == 4
