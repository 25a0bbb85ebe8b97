"""Values that a seed determines bit for bit: scaled sums of dice.

A die is a random integer from 0 to its number of sides - 1, of the generator
Philox. A value is

    float32(2 · sum of the dice - number of dice · (sides - 1)) · scale

The sum is an integer of fewer than 24 bits, which float32 holds exactly, and a
single product is rounded in one way only. So values are the same on every
machine, in eager mode, in graphs and under XLA, where generators of
floating-point numbers and the initializers of Keras promise nothing.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# Numbers of dice and sides: of random signs, -1 or 1, and of approximately
# normal values of standard deviation `NORMAL_DEVIATION`.
SIGNS = (1, 2)
NORMAL = (12, 2**16)
NORMAL_DEVIATION = 2**17
KINDS = (SIGNS, NORMAL)


@dataclasses.dataclass(frozen=True)
class Dice:
    """How the values of a weight are drawn."""

    seed: tuple[int, int]  # a result of `stateless_seed`
    number: int  # of dice for one value
    sides: int  # of a die
    scale: float  # a float32 number

    @property
    def kind(self) -> tuple[int, int]:
        """The numbers of dice and sides, one of `KINDS` if they are known."""
        return self.number, self.sides

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values, of which `from_json` makes the same dice."""
        return {**dataclasses.asdict(self), "seed": list(self.seed)}


def from_json(content: Mapping[str, Any]) -> Dice:
    """Inverts `Dice.to_json`."""
    first, second = content["seed"]
    return Dice(**{**content, "seed": (first, second)})


def roll(dice: Dice, shape: Sequence[int]) -> tf.Tensor:
    """Draws the float32 values of a weight of the given shape."""
    seed = tf.constant(dice.seed, tf.int64)
    drawn = sums(shape, seed, *dice.kind)
    return drawn * tf.constant(dice.scale, tf.float32)


def sums(
    shape: Sequence[Any], seed: tf.Tensor, number: Any, sides: Any
) -> tf.Tensor:
    """Draws sums of dice, doubled and shifted so that their mean is 0.

    Args:
        shape: shape of the result; integers or int64 scalars.
        seed: int64 [2], a result of `stateless_seed`.
        number: number of dice for each sum, an integer or an int64 scalar.
        sides: number of sides of a die, an integer or an int32 scalar.

    Returns:
        Twice the sums minus their largest value, as float32.
    """
    dice = tf.random.stateless_uniform(
        (number, *shape), seed, 0, sides, tf.int32, alg="philox"
    )
    largest = tf.cast(number, tf.int32) * (sides - 1)
    return tf.cast(2 * tf.reduce_sum(dice, axis=0) - largest, tf.float32)
