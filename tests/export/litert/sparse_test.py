import numpy as np
import pytest

from tf_rigl.export.litert import sparse


@pytest.mark.parametrize(
    "shape",
    [(7, 5), (3, 1, 1, 300), (300, 2, 3, 4), (2, 3, 3, 70_000)],
    ids=str,
)
@pytest.mark.parametrize("density", [0.0, 0.02, 1.0])
def test_encoding_is_undone(shape, density):
    random = np.random.default_rng(0)
    array = random.normal(size=shape).astype(np.float16)
    array[random.random(shape) >= density] = 0
    encoded = sparse.encode(array)
    # A tensor without data would be no constant.
    assert len(encoded.values) == max(np.count_nonzero(array), 1)
    parameters = sparse.to_parameters(encoded)
    assert (
        sparse.position_bytes(parameters) + encoded.values.nbytes
        == encoded.bytes
    )
    decoded = sparse.decode(parameters, encoded.values, shape)
    np.testing.assert_array_equal(decoded, array)


def test_encoding_compresses_the_cheapest_dimension():
    # Positions among 200 units take one byte, among 400 inputs two.
    array = np.ones((200, 400), np.int8)
    encoded = sparse.encode(array, row_major=False)
    assert encoded.order == (1, 0)
    assert encoded.indices.dtype == np.uint8
    # 401 row beginnings of four bytes: up to 80,000.
    assert encoded.bytes == 2 * array.size + 4 * 401
