"""Arrays of files in pieces: the same as whole ones."""

import io

import h5py
import numpy as np
import pytest

from tf_rigl.masking import stored_arrays


@pytest.mark.parametrize("shape", [(7, 9), (2, 1, 5, 6), (1, 1, 40), (3,), ()])
@pytest.mark.parametrize("chunk", [4, 10, 2**20])
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_arrays_are_written_and_read(shape, chunk, dtype, monkeypatch):
    monkeypatch.setattr(stored_arrays, "CHUNK", chunk)
    random = np.random.default_rng(0)
    array = random.integers(0, 4, shape) * (random.random(shape) < 0.2)
    array = np.asarray(array, dtype)
    positions = np.flatnonzero(array)

    with h5py.File(io.BytesIO(), "w") as group:
        stored_arrays.write(
            group, "0", shape, positions, array.reshape(-1)[positions]
        )
        np.testing.assert_array_equal(group["0"], array)
        assert group["0"].dtype == array.dtype

        stored = stored_arrays.StoredArray(group, "0")
        assert stored.shape == array.shape
        end = 0
        for start, block in stored.blocks():
            assert start == end and len(block) <= max(chunk, 1)
            np.testing.assert_array_equal(
                block, array.reshape(-1)[start : start + len(block)]
            )
            end += len(block)
        assert end == array.size


def test_other_stores_get_whole_arrays(monkeypatch):
    monkeypatch.setattr(stored_arrays, "CHUNK", 4)
    store = {}
    stored_arrays.write(
        store, "0", (2, 5), np.array([1, 7]), np.array([3.0, 4.0])
    )
    np.testing.assert_array_equal(
        store["0"], [[0, 3, 0, 0, 0], [0, 0, 4, 0, 0]]
    )
    read = stored_arrays.StoredArray(store, "0")
    np.testing.assert_array_equal(read.read(), store["0"])
    assert sum(len(block) for _, block in read.blocks()) == 10
