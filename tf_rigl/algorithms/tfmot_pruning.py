"""Gradual pruning that reproduces TFMOT's schedules exactly."""

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import StepInfo
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import WeightView
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.core import schedules
from tf_rigl.core.checks import check_above_zero

# TFMOT's counter t starts at 1 and its masks change before batch t, that is,
# after the weight update of the batch before it, which is step t - 2 here.
AHEAD = 2


@dataclasses.dataclass(frozen=True)
class TFMOTPruning(Algorithm):
    """Magnitude pruning at the steps and counts of a TFMOT schedule.

    At TFMOT's pruning steps t = begin_step, begin_step + frequency, ... up to
    and including end_step, which are counted from 1, the connections of
    smallest magnitude are removed until

        s_t = s_f + (s_i - s_f) · (1 - (t - t_0) / (t_n - t_0))^power
        k_t = max(round(n · (1 - s_t)), 1)

    are left, computed in float32 as TFMOT does on a CPU. For blocks, n and k
    count blocks. The forward pass of every batch thus has the same number of
    connections as with TFMOT.

    `GradualPruning` is the same method in exact arithmetic, with the numbers
    of connections that `sparsify` allots.

    Unlike in TFMOT, pruned connections never return. In TFMOT a pruned weight
    competes in the next update with the value that one optimizer step gave it.

    Attributes:
        initial_sparsity: s_i, a fraction in [0, 1).
        final_sparsity: s_f, a fraction in [0, 1), at least s_i.
        begin_step: t_0, in TFMOT's pruning steps, which count batches from 1.
        end_step: t_n, in the same steps; -1 never ends, for constant sparsity
            only.
        frequency: pruning steps between two updates.
        power: exponent of the polynomial.
        offset: TFMOT's pruning step minus the optimizer's counter; 0 if both
            count the same training.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if a number of steps is not an integer.

    Reference: Zhu and Gupta, arXiv:1710.01878, equation 1; the arithmetic is
    that of TensorFlow Model Optimization Toolkit 0.8, `PolynomialDecay`.
    """

    name = "tfmot_pruning"
    requirements = Requirements(start="any", prunes_during_training=True)

    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    frequency: int = 100
    power: float = 3.0
    offset: int = 0

    def __post_init__(self) -> None:
        _check_integers(self)
        _check_sparsities(self.initial_sparsity, self.final_sparsity)

        if self.begin_step < 0 or self.frequency < 1:
            raise ValueError(
                "`begin_step` must be at least 0 and `frequency` at least 1. "
                f"Received: begin_step={self.begin_step}, "
                f"frequency={self.frequency}."
            )
        check_above_zero("power", self.power)

        if self.is_constant:
            is_ended = self.end_step == -1 or self.end_step >= self.begin_step
        else:
            is_ended = self.end_step > self.begin_step
        if not is_ended:
            raise ValueError(
                "`end_step` must be after `begin_step`, or -1 for a constant "
                f"sparsity without end. Received: begin_step={self.begin_step},"
                f" end_step={self.end_step}. To prune once, pass a constant "
                "sparsity."
            )

    @property
    def is_constant(self) -> bool:
        """True if all updates prune to the same sparsity."""
        return self.initial_sparsity == self.final_sparsity

    @property
    def mask_schedule(self) -> schedules.UpdateSchedule:
        """Remaining updates, in optimizer steps from 0."""
        first = self._first_time
        last = schedules.FOREVER if self.end_step == -1 else self.end_step
        step = first - AHEAD - self.offset
        return schedules.UpdateSchedule(
            step, step + max(last + 1 - first, 0), self.frequency
        )

    @property
    def _first_time(self) -> int:
        """First pruning step whose update follows a weight update."""
        earliest = max(AHEAD + self.offset, 1)
        missed = max(-(-(earliest - self.begin_step) // self.frequency), 0)
        return self.begin_step + missed * self.frequency

    def is_due(self, time: int) -> bool:
        """Returns whether TFMOT updates masks at pruning step `time`."""
        since = time - self.begin_step
        return (
            time >= 1
            and since >= 0
            and since % self.frequency == 0
            and (self.end_step == -1 or time <= self.end_step)
        )

    def density(self, times: Any) -> np.ndarray:
        """Returns 1 - s_t, bit for bit as in TFMOT's training step.

        Computed in float32 in the order that TensorFlow's graph optimizer
        produces: a division by a constant is a multiplication, 1 - (c + x) is
        (1 - c) - x, and a cube is x · x². Run eagerly, TFMOT may differ in the
        last bit, which is one connection in a weight of millions.

        Args:
            times: TFMOT's pruning steps, integers of shape [updates].

        Returns:
            float32 array of the same shape, fractions in (0, 1].
        """
        since = np.asarray(times, np.int64) - self.begin_step
        least = np.float32(1) - np.float32(self.final_sparsity)
        if self.is_constant:
            return np.full(since.shape, least)
        reciprocal = np.float32(1) / np.float32(self.end_step - self.begin_step)
        done = np.clip(since.astype(np.float32) * reciprocal, 0, 1)
        change = np.float32(self.initial_sparsity - self.final_sparsity)
        return least - _scaled_power(change, np.float32(1) - done, self.power)

    def kept(self, units: int, times: Any) -> np.ndarray:
        """Returns the number of elements or blocks that TFMOT keeps.

        Args:
            units: number of elements, or of blocks.
            times: TFMOT's pruning steps, integers of shape [updates].

        Returns:
            int64 array of shape [updates], each from 1 to `units`.
        """
        kept = np.round(np.float32(units) * self.density(times))
        return np.clip(kept.astype(np.int64), 1, units)

    def connections(self, size: int, units: int, times: Any) -> np.ndarray:
        """Returns a weight's connections at pruning steps, int64 [updates].

        Args:
            size: number of elements of the weight.
            units: number of units of its structure: elements or blocks.
            times: TFMOT's pruning steps, integers of shape [updates].
        """
        return self.kept(units, times) * size // units

    def final_connections(self, size: int, units: int) -> int:
        """Returns the connections of a weight after the last update."""
        last = self.begin_step
        if not self.is_constant:
            updates = (self.end_step - self.begin_step) // self.frequency
            last += updates * self.frequency
        return int(self.connections(size, units, [last])[0])

    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Prunes to the sparsity of the current update."""
        index = tf.maximum(when.update, 0)
        if self.is_constant:
            index = tf.zeros_like(index)
        counts = [
            tf.gather(tf.constant(self._table(weight)), index)
            for weight in weights
        ]
        return pruning.keep_largest(weights, counts=counts)

    def _table(self, weight: WeightView) -> np.ndarray:
        shape = tuple(weight.mask.shape)
        units = weight.structure.units(shape)
        return self.connections(math.prod(shape), units, self._times)

    @property
    def _times(self) -> np.ndarray:
        """Pruning step of each update; only one if the sparsity is constant."""
        if self.is_constant:
            return np.array([self._first_time])
        updates = np.arange(self.mask_schedule.num_updates)
        return self._first_time + updates * self.frequency


def _scaled_power(
    scale: np.float32, base: np.ndarray, exponent: float
) -> np.ndarray:
    """Returns scale · base ** exponent, rounded as in TFMOT's graph."""
    if exponent == 3:
        return (scale * base) * (base * base)
    # TensorFlow's scalar `pow`; other implementations differ in the last bit.
    with tf.init_scope(), tf.device("CPU:0"):
        powers = [tf.math.pow(tf.constant(x), exponent) for x in base]
        return scale * np.array([x.numpy() for x in powers], np.float32)


def _check_integers(algorithm: TFMOTPruning) -> None:
    for name in ("begin_step", "end_step", "frequency", "offset"):
        value = getattr(algorithm, name)
        if not isinstance(value, numbers.Integral) or isinstance(value, bool):
            raise TypeError(
                f"`{name}` must be an integer, a number of steps. "
                f"Received: {name}={value!r}."
            )


def _check_sparsities(initial: float, final: float) -> None:
    if not 0 <= initial <= final < 1:
        raise ValueError(
            "`initial_sparsity` and `final_sparsity` must be in [0, 1), and "
            "the final one not below the initial one, because what is pruned "
            f"stays pruned. Received: initial_sparsity={initial}, "
            f"final_sparsity={final}."
        )
