import types

import pytest

from tf_rigl.export.litert import pointwise


def graph(signature, shape=(1, 4, 5)):
    tensors = [
        None,
        types.SimpleNamespace(shape=shape, shapeSignature=signature),
    ]
    operator = types.SimpleNamespace(inputs=[0, 0, 2], outputs=[1])
    return types.SimpleNamespace(tensors=tensors), [(operator, 1)]


@pytest.mark.parametrize(
    ("signature", "possible"),
    [
        (None, True),
        ((-1, 5), True),
        ((-1, 4, 5), True),
        ((1, -1, 5), True),
        # Batch and time: a reshape can leave one size open.
        ((-1, -1, 5), False),
    ],
)
def test_one_open_size(signature, possible):
    assert pointwise.is_possible(*graph(signature)) is possible


def test_a_bias_takes_bytes_where_there_is_none():
    subgraph, users = graph(None)
    del subgraph
    weight = types.SimpleNamespace(shape=(100, 30))
    with_bias = pointwise.added_bytes(weight, users)
    users[0][0].inputs = [0, 0, -1]
    assert pointwise.added_bytes(weight, users) - with_bias == 1600
    users[0][0].inputs = [0, 0]
    assert pointwise.added_bytes(weight, users * 2) == 2 * (with_bias + 1600)
