"""Products by a sparse recurrent weight, in all steps of one call of a layer.

A loop over time would add up gradients of the values step by step, and show
growth one step at a time. Here the steps compute outputs and gradients of the
states alone. To each product a zero is added, whose gradient the loop returns
for all steps together: with it and the states before, the gradient of the
values is one product, and growth is one search.
"""

import functools

import tensorflow as tf

from tf_rigl.backend import native_ops
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.native_ops import SparseIndex


class Recurrence:
    """The products of one call.

    Args:
        values: float32 [nnz].
        index: where the values are; K inputs and N outputs.
        observer: see `sparse_ops.spmm`.

    Attributes:
        before: float32 [B, steps, K], what was multiplied. Set it after the
            loop and before gradients are taken.
    """

    before: tf.Tensor

    def __init__(
        self,
        values: tf.Tensor,
        index: SparseIndex,
        observer: sparse_ops.Observer | None,
    ) -> None:
        self._values = values
        self._index = index
        self._observer = observer
        # Outside of the loop, once.
        fixed = tf.stop_gradient(values)
        self._bias = tf.zeros([sparse_ops.shape_of(index)[1]])
        if not native_ops.available():
            self._dense = sparse_ops.dense(fixed, index)
            return
        self._fixed = fixed
        self._transposed = SparseIndex(
            index.t_ptr, index.t_cols, index.row_ptr, index.cols, index.t_perm
        )
        self._t_values = tf.gather(fixed, index.t_perm)
        self._t_bias = tf.zeros([sparse_ops.shape_of(index)[0]])

    def zeros(self, batch: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """Returns [B, steps, N], to be added to the products of each step."""
        inputs, outputs = sparse_ops.shape_of(self._index)

        @tf.custom_gradient
        def watch(values: tf.Tensor) -> tuple:
            def gradient(dy: tf.Tensor) -> tf.Tensor:
                x = tf.reshape(self.before, [-1, inputs])
                dy = tf.reshape(dy, [-1, outputs])
                if self._observer is not None:
                    self._observer(functools.partial(sparse_ops.grow, x, dy))
                if not native_ops.available():
                    return sparse_ops.spmm_gradients(
                        dy, x, values, self._index
                    )[1]
                return native_ops.spmm_gradients(
                    dy, x, values, self._index, input_gradient=False
                )[1]

            return tf.zeros([batch, steps, outputs]), gradient

        return watch(self._values)

    def multiply(self, states: tf.Tensor) -> tf.Tensor:
        """Multiplies states [B, K]; differentiable by them alone."""
        if not native_ops.available():
            return tf.matmul(states, self._dense)

        @tf.custom_gradient
        def product(states: tf.Tensor) -> tuple:
            def gradient(dy: tf.Tensor) -> tf.Tensor:
                return native_ops.spmm(
                    dy, self._t_values, self._transposed, self._t_bias
                )

            return (
                native_ops.spmm(states, self._fixed, self._index, self._bias),
                gradient,
            )

        return product(states)
