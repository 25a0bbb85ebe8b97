"""What a traced function sums over replicas."""

from collections.abc import Iterator
from typing import Any

# How the strategies of TensorFlow sum over devices, processes and TPU cores.
_SUMS = frozenset(
    {
        "CollectiveReduce",
        "CollectiveReduceV2",
        "CollectiveReduceV3",
        "CrossReplicaSum",
        "NcclAllReduce",
        "XlaAllReduce",
    }
)


def summed_bytes(graph: Any) -> int:
    """Counts bytes that go into sums over replicas, of all devices together.

    Counted are the operations of the graph itself and of the functions that
    it calls, branches and loops among them: of a conditional all branches, of
    a loop one turn.

    Returns:
        The bytes of the first inputs of all such operations.

    Raises:
        ValueError: where the shape of a summed tensor is not known.
    """
    return sum(
        _bytes(operation)
        for operation in _operations(graph)
        if operation.type in _SUMS
    )


def _operations(graph: Any) -> Iterator[Any]:
    for operation in graph.get_operations():
        yield operation
        for name in _called(operation):
            yield from _operations(graph._get_function(name).graph)


def _called(operation: Any) -> Iterator[str]:
    """Names of the functions that an operation calls."""
    for attribute in operation.op_def.attr:
        if attribute.type == "func":
            yield operation.get_attr(attribute.name).name
        elif attribute.type == "list(func)":
            yield from (
                function.name for function in operation.get_attr(attribute.name)
            )


def _bytes(operation: Any) -> int:
    tensor = operation.inputs[0]
    if not tensor.shape.is_fully_defined():
        raise ValueError(
            "The shape of what is summed must be known. Received: "
            f"shape={tensor.shape} of {operation.name!r}. Trace the step for "
            "batches of a fixed size."
        )
    return int(tensor.shape.num_elements() * tensor.dtype.size)
