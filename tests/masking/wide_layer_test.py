"""A layer whose dense kernel is larger than the memory that is allowed."""

import json
import pathlib

import pytest

from tests import support
from tf_rigl.backend import native_ops

PROGRAM = pathlib.Path(__file__).with_name("wide_layer.py")
LARGEST = 1.5 * 2**30


@pytest.mark.slow
@pytest.mark.skipif(not native_ops.available(), reason="no native library")
@pytest.mark.parametrize(
    "keras, width, sparsity",
    [("keras", 50_000, 0.999), ("tf_keras", 20_000, 0.998)],
)
def test_memory_follows_the_connections(keras, width, sparsity, tmp_path):
    printed = support.run_python(PROGRAM, keras, width, sparsity, tmp_path)
    peak = json.loads(printed.splitlines()[-1])
    # The dense kernel alone has 9.3 GiB, or 1.5.
    connections = width**2 * (1 - sparsity)
    assert peak < min(LARGEST, 2**28 + 500 * connections)
