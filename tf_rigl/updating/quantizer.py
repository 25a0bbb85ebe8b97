"""The numbers of low-precision training, and how values are rounded to them."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_rigl.core import block_floating_point
from tf_rigl.core import random_masks

# Above all seeds of users, so that each replica has random numbers of its own.
_NEXT_REPLICA = 2**32


@dataclasses.dataclass(frozen=True)
class Quantizer:
    """Block floating point numbers and the way of rounding to them.

    Attributes:
        bits: bits of each integer.
        rounding: one of `block_floating_point.ROUNDINGS`.
        seed: seed of stochastic rounding, in [0, 2**32).
    """

    bits: int
    rounding: str
    seed: int

    def draw(self, path: str, step: Any, shape: Any, number: int) -> list[Any]:
        """Draws for several roundings of one weight, the same on all replicas.

        At once, as XLA compiles each draw for a fifth of a second.

        Args:
            path: the weight's path.
            step: number of the optimizer step, int64 scalar.
            shape: static shape of the weight.
            number: number of roundings.

        Returns:
            What `quantize` takes, for each of them.
        """
        seed = self._seed(path, step)
        if seed is None:
            return [None] * number
        return tf.unstack(random_masks.random_bits((number, *shape), seed))

    def quantize(self, values: Any, drawn: Any, axis: int = 0) -> tf.Tensor:
        """Rounds values, of which each slice along an axis is a block."""
        return block_floating_point.quantize(
            tf.convert_to_tensor(values), self.bits, axis, drawn
        )

    def read(self, values: tf.Tensor, path: str, step: Any) -> tf.Tensor:
        """Rounds what a layer reads, and in the backward pass its gradient.

        Each example, a slice along the first axis, is a block.
        """
        seeds = [
            self._seed(f"{path} {use}", step, _replica())
            for use in ("activation", "error")
        ]

        @tf.custom_gradient
        def straight_through(inputs: tf.Tensor) -> Any:
            def gradient(error: tf.Tensor) -> tf.Tensor:
                return self._read(error, seeds[1])

            return self._read(inputs, seeds[0]), gradient

        return straight_through(values)

    def _seed(self, use: str, step: Any, replica: Any = 0) -> Any:
        if self.rounding == "nearest":
            return None
        seed = random_masks.stateless_seed(self.seed, use, step)
        shift = tf.cast(replica, tf.int64) * _NEXT_REPLICA
        return seed + tf.stack([shift, tf.zeros_like(shift)])

    def _read(self, values: tf.Tensor, seed: Any) -> tf.Tensor:
        drawn = None
        if seed is not None:
            drawn = random_masks.random_bits(tf.shape(values), seed)
        return self.quantize(values, drawn)


def _replica() -> Any:
    """Returns the number of the replica that calls, 0 outside of replicas."""
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group
