"""Operations of sequences that no plan can hold, and rounded tables."""

import numpy as np
import pytest

from tests.native import cases
from tf_rigl.native import Plan
from tf_rigl.native import plan_file
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation


def graph_of(kind, inputs, output, attributes=None, **arrays):
    count = len(inputs)
    operation = Operation(
        kind, "one", tuple(range(count)), count, attributes or {}, arrays
    )
    shapes = (*inputs, output)
    inputs = tuple(range(count)) or (0,)
    return Graph(shapes, inputs, (count,), (operation,))


HEADS = {"heads": 2, "key_heads": 1, "scale": 0.5, "is_causal": False}
NORM = {"epsilon": 1e-3, "is_centered": True}
TWO = [(3, 4), (5, 6)]
WRONG = {
    "same shape but for the axis": graph_of("concatenate", TWO, (8, 4)),
    "axis=2": graph_of("concatenate", [(3, 4)] * 2, (3, 8), {"axis": 2}),
    r"The scale must be \[4\]": graph_of(
        "normalize", [(3, 4)], (3, 4), NORM, scale=np.ones(3, "f")
    ),
    "must not be negative": graph_of(
        "normalize", [(3, 4)], (3, 4), NORM | {"epsilon": -1}
    ),
    "each axis of the input once": graph_of(
        "transpose", [(3, 4)], (3, 3), {"order": (0, 0)}
    ),
    "a start and a positive stride": graph_of(
        "slice", [(3, 4)], (1, 4), {"starts": (0,), "strides": (0,)}
    ),
    "Received: 2 from 1 by 2 of 3": graph_of(
        "slice", [(3, 4)], (2, 4), {"starts": (1,), "strides": (2,)}
    ),
    r"table must be \[rows, width\]": graph_of(
        "embedding", [(3,)], (3, 4), table=np.ones(4, "f")
    ),
    "Queries, keys and values": graph_of(
        "attention", [(3, 4), (3, 4), (3, 4)], (3, 4), HEADS
    ),
    "Received: 2 inputs": graph_of("attention", TWO, (3, 4), HEADS),
    "can be multiplied": graph_of(
        "matrix_product", TWO, (3, 6), {"is_transposed": True}
    ),
    "no 'is_transposed'": graph_of("matrix_product", TWO, (3, 6)),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_operation_of_sequences_is_an_error(message):
    with pytest.raises(ValueError, match=f"'one': .*{message}"):
        plan_file.encode(WRONG[message])


@cases.needs_library
@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("density", [1, 0.2])
def test_tables_are_rounded(precision, density):
    random = np.random.default_rng(0)
    table = random.normal(size=(9, 40)).astype(np.float32)
    table *= random.random(table.shape) < density
    graph = graph_of("embedding", [(9,)], (9, 40), table=table)
    data = plan_file.encode(graph, precision=precision)
    assert len(data) < len(plan_file.encode(graph))
    (found,) = Plan(data)(np.arange(9)[np.newaxis])
    error = np.abs(found - table).max()
    (operation,) = graph.operations
    rounding = plan_file.rounding_error(operation, precision)
    assert error == pytest.approx(rounding, 1e-5)
    assert 1e-5 < error < 0.02
    assert ((found == 0) | (table != 0)).all()
