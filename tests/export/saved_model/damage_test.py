"""Damaged files raise errors or load correctly; nothing else happens."""

import dataclasses
import json
import shutil
import tracemalloc

import numpy as np
import pytest

from tests import zoo
from tests.core.packing.support import damage
from tests.export import support
from tf_rigl.core.packing import CorruptDataError
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.export.saved_model.packed_file import read_weights
from tf_rigl.export.saved_model.packed_weight import compute_hash
from tf_rigl.export.saved_model.packed_weight import spec_from_json
from tf_rigl.export.saved_model.restore import load_packed_weights

# Far more than the artifact needs, far less than a lie may ask for.
LARGEST = 64 << 20  # bytes


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    import keras

    path = tmp_path_factory.mktemp("artifact") / "model"
    model = support.sparse_model(keras, "convolutions")
    export_saved_model(model, path, "gaps", values="int8")
    return path


def files(path):
    return path / "assets" / "weights.bin", path / "assets.extra/weights.json"


def arrays_of(path):
    return {one.spec.path: one.array() for one in read_weights(path)}


def check_files(artifact, folder, cases, seed=0):
    """Damages the files of a copy; returns the number of errors."""
    path = folder / "copy"
    shutil.copytree(artifact, path)
    expected = arrays_of(artifact)
    random = np.random.default_rng(seed)
    errors = 0

    tracemalloc.start()
    for _ in range(cases):
        file = files(path)[random.integers(2)]
        original = file.read_bytes()
        file.write_bytes(damage(original, random))
        try:
            found = arrays_of(path)
        except ValueError as error:
            assert "Received: " in str(error)
            errors += 1
        else:
            support.assert_same(found, expected)
        finally:
            file.write_bytes(original)
    assert tracemalloc.get_traced_memory()[1] < LARGEST
    tracemalloc.stop()
    return errors


def check_lies(artifact, cases, seed=0):
    """Falsifies metadata, with right hashes; returns the number of errors."""
    weights = read_weights(artifact)
    random = np.random.default_rng(seed)
    errors = 0

    tracemalloc.start()
    for _ in range(cases):
        weight = weights[random.integers(len(weights))]
        content = json.loads(json.dumps(weight.spec.to_json()))
        for name in random.choice([*content], random.integers(1, 3)):
            content[name] = _lie(content[name], random)
        data = weight.data
        if random.random() < 0.5:
            data = damage(data, random)
        try:
            spec = spec_from_json(content)
            lie = dataclasses.replace(
                weight,
                spec=dataclasses.replace(spec, hash=compute_hash(spec, data)),
                data=data,
            )
            lie.check_hash()
            array, mask = lie.array(), lie.mask()
        except CorruptDataError as error:
            assert "Received: " in str(error)
            errors += 1
        else:
            assert array.shape == mask.shape == spec.shape
    assert tracemalloc.get_traced_memory()[1] < 16 * LARGEST
    tracemalloc.stop()
    return errors


def _lie(value, random):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        lies = [-1, 0, value + 1, 1 << 31, 1 << 60, 1 << 200, 0.5, None, "1"]
        return lies[random.integers(len(lies))]
    if isinstance(value, list):
        lies = [
            [*value, 1 << 40],
            [1 << 20, 1 << 20],
            value[1:],
            [-1, *value[1:]],
            value[::-1],
            [],
            [1] * 300,
            {},
            None,
        ]
        return lies[random.integers(len(lies))]

    lies = ["bit_mask", "block_mask", "dense", "float16", "int64", "string", 7]
    return lies[random.integers(len(lies))]


def test_damaged_files(artifact, tmp_path):
    assert check_files(artifact, tmp_path, 120) > 100


def test_lies_with_right_hashes(artifact):
    assert check_lies(artifact, 300) > 150


@pytest.mark.slow
def test_ten_thousand_damaged_files(artifact, tmp_path):
    assert check_files(artifact, tmp_path, 5_000, seed=1) > 4_500
    assert check_lies(artifact, 5_000, seed=1) > 2_500


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"format": "tf_rigl weights 0", "bytes": 0, "weights": []}',
        b'{"format": "tf_rigl weights", "bytes": 0, "weights": []}',
        b'{"format": 1, "bytes": 0, "weights": []}',
        b'{"format": "tf_rigl weights 1", "bytes": 0, "fields": [], "weights": '
        b"[]}",
        b'{"format": "tf_rigl weights 1", "bytes": -1, "weights": []}',
        b'{"format": "tf_rigl weights 1", "bytes": 1e9, "weights": [1]}',
        b'{"format": "tf_rigl weights 1", "bytes": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
    ],
)
def test_metadata_that_are_none(artifact, tmp_path, metadata):
    shutil.copytree(artifact, tmp_path / "copy")
    files(tmp_path / "copy")[1].write_bytes(metadata)
    with pytest.raises(CorruptDataError, match="Received: "):
        read_weights(tmp_path / "copy")


def test_a_model_is_changed_by_intact_files_only(artifact, tmp_path):
    import keras

    shutil.copytree(artifact, tmp_path / "copy")
    blob, _ = files(tmp_path / "copy")
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    model = zoo.build("convolutions", keras)
    before = support.weights_of(model)
    with pytest.raises(CorruptDataError, match="hash"):
        load_packed_weights(model, tmp_path / "copy")
    support.assert_same(support.weights_of(model), before)
