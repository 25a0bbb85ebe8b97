"""Candidates for growth, found in the backward pass of a layer.

A weight stored by its connections has no gradient elsewhere, and only its
layer's backward pass has what it takes to compute it: the inputs x and the
gradient dy of the outputs. In steps that update the masks, the backward pass
looks for the best inactive positions and leaves them in two variables of static
size, which the update rule reads in the same step.

The best of partial sums are not the best of the sum, so one backward pass of
the layer must see all examples of a step.
"""

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.backend import conditionals
from tf_rigl.backend import sparse_ops
from tf_rigl.masking.connections import Connections


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
        # The graphs of the backward passes since the last step; None if eager.
        self._graphs: list[Any] = []

        with tf.init_scope():
            self.positions = tf.Variable(
                tf.fill([number], tf.constant(-1, tf.int64)), trainable=False
            )
            self.scores = tf.Variable(tf.fill([number], -1.0), trainable=False)

    def put(self) -> None:
        """Makes the layer's backward pass look for candidates."""
        self._graphs = []
        self._connections.observer = self._observe

    def remove(self) -> None:
        """Undoes `put`."""
        if self._connections.observer == self._observe:
            self._connections.observer = None

    def check_seen_once(self) -> None:
        """Checks that one backward pass has seen all examples of this step.

        Raises:
            ValueError: if there were none or several, as far as it can be told
                when the step is traced.
        """
        graphs, self._graphs = self._graphs, []
        if len(graphs) != 1 or _is_looped(graphs[0]):
            reason = "several times" if graphs else "never"
            raise ValueError(
                "Growth by gradient needs the backward pass of a layer once a "
                "step, since the largest of partial sums are not those of the "
                f"sum. Received: {self._connections.name!r}, whose layer had "
                f"it {reason} in one optimizer step. Call "
                "`tf_rigl.store_masked(model)`, or sparsify it with "
                "storage='masked'."
            )

    def _observe(self, grow: sparse_ops.Grow) -> None:
        """Receives a backward pass and, in a step that updates, looks."""
        if tf.executing_eagerly():
            if not self._is_due():
                self._graphs = [None]
                return
            self._graphs.append(None)
            self._look(grow)
            return

        self._graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        tf.cond(
            self._is_due(),
            lambda: conditionals.as_branch(lambda: self._look(grow)),
            conditionals.no_op,
        )

    def _look(self, grow: sparse_ops.Grow) -> None:
        positions, scores = grow(self._connections.tensors(), self._number)
        self.positions.assign(positions)
        self.scores.assign(scores)


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
