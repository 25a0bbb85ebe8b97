"""Candidates for growth, found in the backward pass of a layer.

A weight stored by its connections has no gradient elsewhere, and only its
layer's backward pass has what it takes to compute it: the inputs x and the
gradient dy of the outputs. In steps that update the masks, the backward pass
looks for the best inactive positions and leaves them in two variables of static
size, which the update rule reads in the same step.

The best of partial sums are not the best of the sum. Where a layer is called
several times in a step, inputs and gradients of all its backward passes are
therefore taken together, in the update rule. This needs all of them in the
graph of the step.
"""

import weakref
from collections.abc import Callable
from collections.abc import Container
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import conditionals
from tf_rigl.backend import sparse_ops
from tf_rigl.masking.connections import Connections

# Operations that pass on gradients as they are.
_SUMS = ("Add", "AddN", "AddV2", "Identity", "IdentityN")


class Growth:
    """Looks for the candidates of one weight.

    Args:
        connections: the weight's connections.
        number: number of candidates k.
        is_due: returns whether the present step updates masks, bool scalar.
    """

    def __init__(
        self,
        connections: Connections,
        number: int,
        is_due: Callable[[], tf.Tensor],
    ) -> None:
        self._connections = connections
        self._number = number
        self._is_due = is_due
        # The backward passes since the last step.
        self._seen: list[_Seen] = []

        with tf.init_scope():
            self.positions = tf.Variable(
                tf.fill([number], tf.constant(-1, tf.int64)), trainable=False
            )
            self.scores = tf.Variable(tf.fill([number], -1.0), trainable=False)

    def put(self) -> None:
        """Makes the layer's backward pass look for candidates."""
        self._seen = []
        self._connections.observer = self._observe

    def remove(self) -> None:
        """Undoes `put`."""
        self._seen = []
        if self._connections.observer == self._observe:
            self._connections.observer = None

    def settle(self, gradient: tf.Tensor) -> None:
        """Makes sure that the candidates are those of a step's gradient.

        Args:
            gradient: float32 [nnz], that of the values, as the update rule has
                it.

        Raises:
            ValueError: if they are of parts of it and these cannot be taken
                together, as far as it can be told when the step is traced.
        """
        seen, self._seen = self._seen, []
        if len(seen) == 1 and not _is_looped(seen[0].graph):
            return

        summands = _summands(gradient, seen)
        if not summands:
            reason = "several times" if seen else "never"
            raise ValueError(
                "Growth by gradient needs all backward passes of a layer in "
                "the function that is the optimizer's step, and their plain "
                "sum as its gradient, since the largest of partial sums are "
                f"not those of the sum. Received: {self._connections.name!r}, "
                f"whose layer had one {reason} in one optimizer step, in a "
                "loop, in eager mode, or in parts that are scaled. Call "
                "`tf_rigl.store_masked(model)`, or sparsify it with "
                "storage='masked'."
            )
        tf.cond(
            self._is_due(),
            lambda: conditionals.as_branch(lambda: self._look(*summands)),
            conditionals.no_op,
        )

    def _observe(self, one: sparse_ops.BackwardPass) -> None:
        """Receives a backward pass and, in a step that updates, looks."""
        if tf.executing_eagerly():
            if not self._is_due():
                self._seen = [_Seen(None, None)]
                return
            self._seen.append(_Seen(None, None))
            self._look(one)
            return

        graph = tf.compat.v1.get_default_graph()
        self._seen.append(_Seen(weakref.ref(graph), one))
        # A later pass is looked at together with the first, by `settle`.
        if len(self._seen) == 1:
            tf.cond(
                self._is_due(),
                lambda: conditionals.as_branch(lambda: self._look(one)),
                conditionals.no_op,
            )

    def _look(self, *passes: sparse_ops.BackwardPass) -> None:
        index = self._connections.tensors()
        positions, scores = sparse_ops.grow_together(
            passes, index, self._number
        )
        self.positions.assign(positions)
        self.scores.assign(scores)


class _Seen(NamedTuple):
    """A backward pass that was traced, and its graph; None if eager."""

    graph: Any
    one: sparse_ops.BackwardPass | None


def _summands(
    gradient: tf.Tensor, seen: list[_Seen]
) -> list[sparse_ops.BackwardPass]:
    """Finds the backward passes whose sum a gradient is.

    A backward pass that is not a part, as the first of sharpness-aware
    minimization, is left out.

    Returns:
        The passes; none if one of them is scaled, or if it is not known, as in
        eager mode.
    """
    if tf.executing_eagerly():
        return []
    passes = {
        one.dvalues.name: one
        for _, one in seen
        if one is not None and one.dvalues.graph is gradient.graph
    }
    parts = _sources([gradient], passes, lambda one: one.op.type in _SUMS)
    found = [passes[part.name] for part in parts if part.name in passes]
    # Others are of regularizers, or scaled.
    others = [part for part in parts if part.name not in passes]
    scaled = _sources(others, passes, lambda _: True)
    return [] if any(one.name in passes for one in scaled) else found


def _sources(
    tensors: list[tf.Tensor],
    ends: Container[str],
    goes_on: Callable[[tf.Tensor], bool],
) -> list[tf.Tensor]:
    """Follows tensors back to those named `ends`, or that do not go on."""
    sources, ahead, known = [], [*tensors], set()
    while ahead:
        tensor = ahead.pop()
        if tensor.name in known:
            continue
        known.add(tensor.name)
        operation = tensor.op
        if tensor.name in ends or not goes_on(tensor) or not operation.inputs:
            sources.append(tensor)
        elif operation.type == "IdentityN":
            ahead.append(operation.inputs[tensor.value_index])
        else:
            ahead.extend(operation.inputs)
    return sources


def _is_looped(reference: Any) -> bool:
    """Returns whether a backward pass was in a loop that the step is not in."""
    seen = None if reference is None else reference()
    here: Any = tf.compat.v1.get_default_graph()
    around = []
    while here is not None:
        around.append(here)
        here = getattr(here, "outer_graph", None)

    while seen is not None and not any(seen is graph for graph in around):
        if "WhileBody" in type(seen).__name__:
            return True
        seen = getattr(seen, "outer_graph", None)
    return False
