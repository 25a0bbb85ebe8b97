"""N:M sparsity: n connections in each group of m inputs."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import tensorflow as tf

from tf_rigl.core.structures.rowwise import Rowwise
from tf_rigl.core.structures.structure import check_positive


@dataclasses.dataclass(frozen=True)
class NByM(Rowwise):
    """N active of each M consecutive inputs of a unit, at each position.

    2:4 is what the sparse tensor cores of NVIDIA's GPUs accept. A number of
    connections above n / m asks for a mask on the way there, as gradual
    pruning does: clip(ceil(nonzeros / groups), n, m) in each group.

    `drop_and_grow` keeps the largest |weight| of the whole weight and fills
    each group up to its number by the largest |score|, as SRigL does with
    the fan-in of units (Lasby et al., arXiv:2305.02299, section 3.1).

    Attributes:
        n: active connections of a group.
        m: consecutive inputs of a group; the weight's inputs must be a
            multiple.

    Raises:
        TypeError: for an argument that is no integer.
        ValueError: unless 1 <= n <= m.

    Reference: Mishra et al., "Accelerating Sparse Deep Neural Networks",
    arXiv:2104.08378; Zhou et al., "Learning N:M Fine-grained Structured
    Sparse Neural Networks From Scratch", ICLR 2021 (arXiv:2102.04010).
    """

    name: ClassVar[str] = "n_by_m"

    n: int
    m: int

    def __post_init__(self) -> None:
        check_positive("n", self.n)
        check_positive("m", self.m)
        if self.n > self.m:
            raise ValueError(
                "`n` of `m` connections are active and must not be more. "
                f"Received: n={self.n}, m={self.m}. For 2:4 pass n=2, m=4."
            )

    def check(self, shape: Sequence[int], path: str) -> None:
        """The inputs must be a multiple of m."""
        super().check(shape, path)
        if shape[1] % self.m:
            raise ValueError(
                f"{self.n}:{self.m} sparsity needs a multiple of {self.m} "
                f"inputs. Received: {shape[1]} inputs for {path!r} of "
                f"[positions, inputs, units] = {list(shape)}. Leave this "
                "weight out or choose an `m` that divides them."
            )

    def row_size(self, shape: Sequence[int]) -> int:
        """A group of m."""
        del shape
        return self.m

    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """Allows from n:m to dense."""
        del shape
        return self.n, self.m

    def share(self, nonzeros: Any, rows: int) -> Any:
        """Rounded up."""
        return -(-nonzeros // rows)

    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """The groups in the order of positions, inputs and units."""
        positions, inputs, units = tensor.shape
        groups = [positions, inputs // self.m, self.m, units]
        tensor = tf.transpose(tf.reshape(tensor, groups), [0, 1, 3, 2])
        return tf.reshape(tensor, [-1, self.m])

    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """The inverse of `to_rows`."""
        positions, inputs, units = shape
        groups = [positions, inputs // self.m, units, self.m]
        tensor = tf.transpose(tf.reshape(rows, groups), [0, 1, 3, 2])
        return tf.reshape(tensor, shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain JSON values."""
        return dataclasses.asdict(self)
