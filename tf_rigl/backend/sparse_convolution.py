"""Convolutions with sparse weights: by the native library or by TensorFlow.

The functions are those of `native_ops`. Without the library, what each output
sees is a row of a matrix, and the convolution is a product of `sparse_ops`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import native_ops
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.native_ops import SparseIndex


class Window(NamedTuple):
    """What an output of a convolution sees; rows first."""

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    padding: str = "valid"  # or "same" or, for the columns, "causal"


def convolve(
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    bias: tf.Tensor,
    window: Window,
    observer: sparse_ops.Observer | None = None,
) -> tf.Tensor:
    """Convolves images with a sparse weight and adds a bias.

    Args:
        x: float32 [B, height, width, channels].
        values: float32 [nnz].
        index: where the values are; its inputs are the rows of the window, its
            columns and the channels, in this order.
        bias: float32 [N]; zeros where there is none.
        window: the window of the convolution.
        observer: see `sparse_ops.spmm`.

    Returns:
        float32 [B, height, width, N].
    """
    (rows, top), (columns, left) = (
        _along(x, axis, window, axis) for axis in (0, 1)
    )
    if native_ops.available():
        multiplied = _multiply(
            x, values, index, bias, window, (rows, columns, top, left), observer
        )
    else:
        seen = _patches(x, window, (rows, columns), (top, left))
        multiplied = sparse_ops.spmm(seen, values, index, bias, observer)
    shape = [tf.shape(x)[0], rows, columns, bias.shape[0]]
    outputs = tf.reshape(multiplied, shape)
    outputs.set_shape(
        [
            x.shape[0],
            *(one if isinstance(one, int) else None for one in (rows, columns)),
            bias.shape[0],
        ]
    )
    return outputs


def _along(
    x: tf.Tensor, axis: int, window: Window, number: int
) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Returns the outputs along rows or columns, and the zeros before them."""
    size = x.shape[axis + 1]
    if size is None:
        size = tf.shape(x)[axis + 1]
    stride = window.strides[number]
    reach = (window.size[number] - 1) * window.dilations[number] + 1
    if window.padding == "valid" or (window.padding == "causal" and not number):
        return (size - reach) // stride + 1, 0
    outputs = (size - 1) // stride + 1
    if window.padding == "causal":
        return outputs, reach - 1
    around = (outputs - 1) * stride + reach - size
    if isinstance(around, int):
        return outputs, max(around, 0) // 2
    return outputs, tf.maximum(around, 0) // 2


def _multiply(
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    bias: tf.Tensor,
    window: Window,
    outputs: Sequence[int | tf.Tensor],
    observer: sparse_ops.Observer | None,
) -> tf.Tensor:
    rows, columns, top, left = outputs
    height, width, channels = (
        known if known is not None else tf.shape(x)[1 + axis]
        for axis, known in enumerate(x.shape[1:])
    )
    sizes = tf.stack(
        [
            *(height, width, channels, *window.size, rows, columns),
            *(*window.strides, *window.dilations, top, left),
        ]
    )
    flat = tf.reshape(x, [tf.shape(x)[0], height * width * channels])
    needs_dx = sparse_ops.needs_gradient(x)

    @tf.custom_gradient
    def multiply(x: tf.Tensor, values: tf.Tensor, bias: tf.Tensor) -> tuple:
        def gradients(dy: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            differentiate = functools.partial(
                native_ops.convolve_gradients, dy, x, values, index, sizes
            )
            found = sparse_ops.needed_gradients(differentiate, needs_dx)
            if observer is not None:
                shape = (height, width, channels)
                seen = _ConvolutionPass(
                    x, dy, found[1], sizes, shape, window, tuple(outputs)
                )
                observer(seen)
            return found

        y = native_ops.convolve(x, values, index, bias, sizes)
        y.set_shape([None, bias.shape[0]])
        return y, gradients

    return multiply(flat, values, bias)


@dataclasses.dataclass(frozen=True)
class _ConvolutionPass(sparse_ops.BackwardPass):
    """One backward pass of a convolution.

    Args:
        x: float32 [B, height · width · channels].
        dy: float32 [B · rows · columns, N], of all outputs.
        sizes: int32 [13], as `native_ops.convolve` takes them.
        shape: height, width and channels of an image.
        window: the window of the convolution.
        outputs: rows and columns of outputs, zeros above and to the left.
    """

    sizes: tf.Tensor
    shape: tuple[int | tf.Tensor, ...]
    window: Window
    outputs: tuple[int | tf.Tensor, ...]

    def grow(
        self, index: SparseIndex, number: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds where the gradient is largest, block by block of the images."""
        like = tf.zeros([number], tf.int32)
        return native_ops.convolve_grow(
            self.x, self.dy, index, like, self.sizes
        )

    def factors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what each output sees, whatever the size of the images."""
        rows, columns, top, left = self.outputs
        images = tf.reshape(self.x, [-1, *self.shape])
        seen = _patches(images, self.window, (rows, columns), (top, left))
        return seen, self.dy


def _patches(
    x: tf.Tensor,
    window: Window,
    outputs: Sequence[int | tf.Tensor],
    before: Sequence[int | tf.Tensor],
) -> tf.Tensor:
    """Returns what each output sees, [B · height · width, K]."""
    sizes = [tf.shape(x)[1], tf.shape(x)[2]]
    after = [
        tf.maximum(
            (one - 1) * stride + (length - 1) * step + 1 - size - zeros, 0
        )
        for one, stride, length, step, size, zeros in zip(
            outputs,
            window.strides,
            window.size,
            window.dilations,
            sizes,
            before,
            strict=True,
        )
    ]
    around = [[0, 0], *([a, b] for a, b in zip(before, after, strict=True))]
    seen = tf.image.extract_patches(
        tf.pad(x, [*around, [0, 0]]),
        [1, *window.size, 1],
        [1, *window.strides, 1],
        [1, *window.dilations, 1],
        "VALID",
    )
    inputs = window.size[0] * window.size[1] * x.shape[-1]
    return tf.reshape(seen, [-1, inputs])
