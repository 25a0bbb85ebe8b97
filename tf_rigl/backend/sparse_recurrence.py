"""Products by a sparse recurrent weight, in all steps of one call of a layer.

A loop over time would add up gradients of the values step by step, and show
growth one step at a time. Here the steps compute outputs and gradients of the
states alone. The gradient of the products by inputs comes for all steps
together, and is that of the products by states as well, except where a gate is
between: there a zero is added, whose gradient is the rest. With it and the
states before, the gradient of the values is one product, and growth one search.
"""

import tensorflow as tf

from tf_rigl.backend import native_ops
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.native_ops import SparseIndex


class Recurrence:
    """The products of one call.

    Args:
        values: float32 [nnz].
        index: where the values are; K inputs and N outputs.
        bias: float32 [N], added to the products by states.
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
        bias: tf.Tensor,
        observer: sparse_ops.Observer | None,
    ) -> None:
        self._values = values
        self._index = index
        self._observer = observer
        # Outside of the loop, once.
        fixed = tf.stop_gradient(values)
        self._bias = bias
        self._fixed_bias = tf.stop_gradient(bias)
        if not native_ops.available():
            self._dense = sparse_ops.dense(fixed, index)
            return
        self._fixed = fixed
        self._transposed = SparseIndex(
            index.t_ptr, index.t_cols, index.row_ptr, index.cols, index.t_perm
        )
        self._t_values = tf.gather(fixed, index.t_perm)
        self._t_bias = tf.zeros([sparse_ops.shape_of(index)[0]])

    def watch(self, products: tf.Tensor, gated: int) -> tf.Tensor:
        """Returns what the loop reads, whose gradient is that of the values.

        Args:
            products: float32 [B, steps, N], the products by the inputs, to
                which those by states are added.
            gated: number of the last outputs to which they are added through
                a gate.

        Returns:
            [B, steps, N + gated], the products and then zeros, to be added to
            the products by states before they pass the gate.
        """
        inputs, outputs = sparse_ops.shape_of(self._index)

        @tf.custom_gradient
        def read(
            products: tf.Tensor, values: tf.Tensor, bias: tf.Tensor
        ) -> tuple:
            def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
                dproducts, repeated = dy, dy
                if gated:
                    dproducts = dy[..., :outputs]
                    repeated = tf.concat(
                        [dy[..., : outputs - gated], dy[..., outputs:]], -1
                    )
                return dproducts, *self._differentiate(
                    tf.reshape(self.before, [-1, inputs]),
                    tf.reshape(repeated, [-1, outputs]),
                    values,
                )

            if not gated:
                return tf.identity(products), gradient
            return tf.pad(products, [[0, 0], [0, 0], [0, gated]]), gradient

        return read(products, self._values, self._bias)

    def _differentiate(
        self, x: tf.Tensor, dy: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns gradients of values and bias, and shows where to grow."""
        if native_ops.available():
            _, dvalues, dbias = native_ops.spmm_gradients(
                dy, x, values, self._index, input_gradient=False
            )
        else:
            _, dvalues, dbias = sparse_ops.spmm_gradients(
                dy, x, values, self._index
            )
        if self._observer is not None:
            self._observer(sparse_ops.BackwardPass(x, dy, dvalues))
        return dvalues, dbias

    def multiply(self, states: tf.Tensor) -> tf.Tensor:
        """Multiplies states [B, K] and adds the bias.

        The result is differentiable by the states alone.
        """
        if not native_ops.available():
            return tf.matmul(states, self._dense) + self._fixed_bias

        @tf.custom_gradient
        def product(states: tf.Tensor) -> tuple:
            def gradient(dy: tf.Tensor) -> tf.Tensor:
                return native_ops.spmm(
                    dy, self._t_values, self._transposed, self._t_bias
                )

            return (
                native_ops.spmm(
                    states, self._fixed, self._index, self._fixed_bias
                ),
                gradient,
            )

        return product(states)
