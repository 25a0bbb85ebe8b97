"""RigL: drop the weakest connections, grow where the gradient is largest."""

import dataclasses
import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import soft_bound
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import StepInfo
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import WeightView
from tf_rigl.algorithms.connections import ConnectionsUpdate
from tf_rigl.algorithms.connections import ConnectionsView
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import schedules
from tf_rigl.core import selection
from tf_rigl.core.checks import check_at_least
from tf_rigl.core.checks import check_choice
from tf_rigl.core.checks import check_integer
from tf_rigl.core.random_masks import random_normal
from tf_rigl.core.random_masks import shuffle
from tf_rigl.core.random_masks import stateless_seed

# Details that the paper leaves open and two repositories decide differently.
# Each is also an argument of its own.
PRESETS: dict[str, Mapping[str, Any]] = {
    "paper": {
        "update_at_start": True,
        "include_stop": False,
        "updates_advance_step": True,
        "skip_weight_update": True,
        "multiples_of_interval": False,
        "rounding": "floor",
        "gradient_steps": 1,
    },
    "tf1": {
        "update_at_start": True,
        "include_stop": True,
        "updates_advance_step": False,
        "skip_weight_update": True,
        "multiples_of_interval": False,
        "rounding": "floor",
        "gradient_steps": 1,
    },
    "jaxpruner": {
        "update_at_start": True,
        "include_stop": True,
        "updates_advance_step": True,
        "skip_weight_update": True,
        "multiples_of_interval": True,
        "rounding": "nearest",
        "gradient_steps": 1,
    },
}
# Ours: the paper's, but connections grow by the mean gradient of 20 steps.
STEADY_STEPS = 20
PRESETS["steady"] = {**PRESETS["paper"], "gradient_steps": STEADY_STEPS}
GROW_INITS = ("zeros", "gradient", "random", "initial", "shuffled")
ROUNDINGS = ("floor", "nearest")
GRADIENT_DTYPES = ("float32", "bfloat16")
# The batch size at which the paper's experiments use ΔT = 100.
REFERENCE_BATCH_SIZE = 4096


@dataclasses.dataclass(frozen=True)
class RigL(Algorithm):
    """RigL, the rigged lottery.

    At each mask update, a weight with nnz connections drops those K of smallest
    magnitude, K = floor(f(t) · nnz), and grows K connections where the dense
    gradient of the same batch is largest in magnitude. New connections start at
    0. f decays from `drop_fraction` to 0.

    Attributes:
        stop_step: end of the mask updates, in optimizer steps; by default three
            quarters of the steps that `fit` announces, counted from its first.
            `"never"` updates as long as training lasts, at a constant fraction.
        update_interval: ΔT, optimizer steps between two updates. The paper uses
            100 with 4,096 images per step; see `batch_size`.
        drop_fraction: α, the fraction of a weight's connections that the first
            update moves, in [0, 1].
        start_step: first step that may update the masks, in optimizer steps.
        decay: `"cosine"`, `"constant"`, `"linear"`, `"inverse_power"` (k = 3)
            or a function of (α, t / stop_step).
        preset: sets the arguments below that are None: `"paper"`; `"tf1"`, the
            step pattern of google-research/rigl; `"jaxpruner"`, that of
            google-research/jaxpruner; or `"steady"`, which is of this library
            and of no paper: `gradient_steps` of 20, or of all steps of a
            shorter interval, for one batch's gradient is a noisy guide. If
            `start_step > 0`, the decays of the TF1 repository end `start_step`
            steps earlier than here.
        update_at_start: whether `start_step` itself updates the masks.
        include_stop: whether `stop_step` itself may update the masks.
        updates_advance_step: whether a batch that updates the masks advances
            the step t. The optimizer's own counter always advances.
        skip_weight_update: whether a batch that updates the masks leaves all
            weights unchanged, masked or not; otherwise the weight update comes
            first.
        multiples_of_interval: whether updates fall on multiples of
            `update_interval` instead of being counted from `start_step`.
        rounding: `"floor"`; or `"nearest"`: nnz - K is (1 - f) · nnz rounded to
            the nearest integer, at least 1.
        grow_init: initial values of new connections: `"zeros"`; `"gradient"`,
            `grow_scale` · g; `"random"`, normal with `grow_scale` times the
            standard deviation of the weight's active values; `"initial"`, the
            initial value; `"shuffled"`, `grow_scale` times the weight's initial
            values in a new random order at each update. The last two require
            `SparsifyOptions(keep_initial_values=True)`.
        grow_scale: see `grow_init`. `grad_scale_d` and `initial_dist_d` of the
            TF1 repository are 1 / d. With `"gradient"`, a negative scale is a
            descent step.
        slot_scale: initializes the momentum of SGD, Adam, Adamax, Nadam and
            Lion at new connections as if a gradient of `slot_scale` · g had
            been accumulated; `initial_acc_scale` of the TF1 repository. Other
            slots always start at 0.
        drop_noise: standard deviation of the noise added to the magnitudes
            before dropping; 1e-5 in the TF1 repository.
        gradient_steps: growth uses the mean gradient over this many steps up to
            the update, at most the interval (fewer at the beginning of
            training). This mean is also the g of `grow_scale` and `slot_scale`.
            More than 1 takes as many bytes as the weight in
            `gradient_dtype`, and a pass over it in each of these steps.
        drop_delay: optimizer steps by which an update drops later than it
            grows, less than the interval: the soft memory bound of MEST (Yuan
            et al., arXiv:2110.14032). In between, a weight has K extra
            connections, which are trained before they compete. Takes one byte
            per element; not supported with structured masks.
        gradient_dtype: dtype of the sum of these gradients, `"float32"` or
            `"bfloat16"`, which takes half of the memory and grows nearly the
            same connections.
        batch_size: if given, scales the paper's interval to the same number of
            images: `update_interval` · 4,096 / batch_size, at least 1.
        seed: seed of the noise and of random values.

    Raises:
        ValueError: if an argument is out of range, at construction.
        TypeError: if a number of steps is not an integer.

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    ICML 2020, arXiv:1911.11134, Algorithm 1 and equation 1.
    """

    name = "rigl"

    stop_step: StopStep = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | schedules.DropFraction = "cosine"
    preset: str = "paper"
    update_at_start: bool | None = None
    include_stop: bool | None = None
    updates_advance_step: bool | None = None
    skip_weight_update: bool | None = None
    multiples_of_interval: bool | None = None
    rounding: str | None = None
    grow_init: str = "zeros"
    grow_scale: float = 1.0
    slot_scale: float = 0.0
    drop_noise: float = 0.0
    gradient_steps: int | None = None
    batch_size: int | None = None
    seed: int = 0
    drop_delay: int = 0
    gradient_dtype: str = "float32"

    def __post_init__(self) -> None:
        check_choice("preset", self.preset, PRESETS)
        given = self.gradient_steps
        for field, value in PRESETS[self.preset].items():
            if getattr(self, field) is None:
                object.__setattr__(self, field, value)

        check_choice("rounding", self.rounding, ROUNDINGS)
        check_choice("grow_init", self.grow_init, GROW_INITS)
        check_choice("gradient_dtype", self.gradient_dtype, GRADIENT_DTYPES)
        check_at_least("drop_noise", self.drop_noise, 0, "a standard deviation")
        soft_bound.check_delay(self.drop_delay)
        if self.batch_size is not None:
            check_at_least("batch_size", self.batch_size, 1, unit=" example")

        _ = self.drop_schedule  # checks the arguments of both schedules
        if given is None:
            steps = min(self._averaged, self.interval)
            object.__setattr__(self, "gradient_steps", steps)
            return
        check_integer("gradient_steps", given, "a number of optimizer steps")
        if not 1 <= given <= self.interval:
            raise ValueError(
                "`gradient_steps` must be from 1 to the update interval. "
                f"Received: gradient_steps={given} with an interval of "
                f"{self.interval} steps. Average fewer, or pass a longer "
                "`update_interval`."
            )

    @property
    def _averaged(self) -> int:
        """Number of steps whose gradients are averaged, never None."""
        return self.gradient_steps or 1

    @property
    def interval(self) -> int:
        """Optimizer steps between two updates, scaled to the batch size."""
        if self.batch_size is None:
            return self.update_interval
        # A single division, so that only one rounding precedes `round`.
        images = self.update_interval * REFERENCE_BATCH_SIZE
        return max(1, round(images / self.batch_size))

    @property
    def requirements(self) -> Requirements:
        """Uses the dense gradients of the last `gradient_steps` steps."""
        return Requirements(
            structures=("unstructured",) if self.drop_delay else None,
            dense_gradient_steps=self._averaged,
            observes=self._averaged > 1,
            observed_steps=self._averaged,
            initial_values=self.grow_init in ("initial", "shuffled"),
            skips_step=bool(self.skip_weight_update),
            initializes_slots=bool(self.slot_scale),
            needs_dense=bool(
                self._averaged > 1
                or self.grow_init != "zeros"
                or self.slot_scale
                or self.drop_noise
                or self.drop_delay
            ),
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `interval` steps, with the details of the preset."""
        return MaskSchedule(
            self._schedule_until, self.stop_step, self.start_step
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction of connections that each update moves."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    def _schedule_until(self, stop_step: int) -> schedules.UpdateSchedule:
        schedule = schedules.UpdateSchedule(
            self.start_step,
            stop_step,
            self.interval,
            update_at_start=bool(self.update_at_start),
            include_stop=bool(self.include_stop),
            updates_advance_step=bool(self.updates_advance_step),
        )

        if self.multiples_of_interval:
            # If the first multiple is after the stop, nothing is updated.
            first = -(-self.start_step // self.interval) * self.interval
            schedule = dataclasses.replace(
                schedule,
                start_step=first,
                stop_step=max(first, stop_step),
                include_stop=bool(self.include_stop) and first <= stop_step,
            )
        return soft_bound.delayed(schedule, self.drop_delay)

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Gradient sum if averaged; surplus connections of a delayed drop."""
        averaged = {"gradient_sum": tf.as_dtype(self.gradient_dtype)}
        return {
            **(averaged if self._averaged > 1 else {}),
            **(soft_bound.STATE if self.drop_delay else {}),
        }

    def observe(
        self, weight: WeightView, when: StepInfo
    ) -> Mapping[str, tf.Tensor]:
        """Accumulates the gradients of the last steps before an update."""
        until = self.mask_schedule.close().steps_until_update(when.time)
        gradient = tf.cast(weight.gradient, tf.float32)
        # The schedule may begin in the middle of an averaging window.
        first = tf.equal(until, self._averaged - 1) | tf.equal(when.time, 0)
        old = weight.state["gradient_sum"]
        total = tf.cast(old, tf.float32) + gradient
        # Of a scalar condition, `tf.where` would make as many as elements.
        total = tf.raw_ops.Select(condition=first, x=gradient, y=total)
        return {"gradient_sum": tf.cast(total, old.dtype)}

    def update(
        self, weights: Sequence[WeightView], when: StepInfo
    ) -> list[WeightUpdate]:
        """Drops and grows by Algorithm 1, weight by weight."""
        return [self._update_one(weight, when) for weight in weights]

    def _update_one(self, weight: WeightView, when: StepInfo) -> WeightUpdate:
        gradient = weight.gradient
        if self._averaged > 1:
            summed = tf.minimum(when.time + 1, self._averaged)
            total = tf.cast(weight.state["gradient_sum"], tf.float32)
            mean = total / tf.cast(summed, tf.float32)
            gradient = tf.cast(mean, gradient.dtype)

        masks, state = soft_bound.move(
            weight,
            self._drop_scores(weight, when),
            gradient,
            self._count(selection.count_true(weight.mask), when),
            when,
        )
        if self._averaged > 1:
            # The first step of a window, which begins anew, may be skipped.
            # A delayed drop may be in the window of the next growth.
            keeps = tf.equal(when.update % 2, 1) & bool(self.drop_delay)
            old = weight.state["gradient_sum"]
            zeros = tf.zeros_like(old)
            new = tf.raw_ops.Select(condition=keeps, x=old, y=zeros)
            state = {**state, "gradient_sum": new}

        values = self._grown_values(weight, gradient, when)
        if values is not None:
            values = tf.where(masks.grown, values, weight.values)
        slots = None
        if self.slot_scale:
            slots = self.slot_scale * gradient
        return WeightUpdate(masks, values, slots, state)

    def num_candidates(self, nonzeros: int) -> int:
        """Returns the most connections that an update grows."""
        return self.drop_schedule.most(nonzeros)

    def update_connections(
        self, weight: ConnectionsView, when: StepInfo
    ) -> ConnectionsUpdate:
        """Drops and grows among connections and the best candidates."""
        nonzeros = tf.constant(weight.values.shape[0], tf.int64)
        return ConnectionsUpdate(
            weight.gradient,
            weight.candidates,
            weight.candidate_scores,
            self._count(nonzeros, when),
        )

    def _count(self, nonzeros: tf.Tensor, when: StepInfo) -> tf.Tensor:
        if self.rounding == "floor":
            return self.drop_schedule.count_of(nonzeros, when.update)
        kept = schedules.kept_to_nearest(
            self.drop_schedule.fractions, when.update, nonzeros
        )
        return nonzeros - tf.maximum(kept, 1)

    def _drop_scores(self, weight: WeightView, when: StepInfo) -> tf.Tensor:
        """Returns the values, by whose magnitude weights drop, with noise."""
        if not self.drop_noise:
            return weight.values
        noise = random_normal(
            weight.values.shape, self._random_seed(weight, when, "drop")
        )
        noisy = tf.abs(tf.cast(weight.values, tf.float32))
        # A negative score would be ranked by its magnitude.
        return tf.maximum(noisy + self.drop_noise * noise, 0)

    def _grown_values(
        self, weight: WeightView, gradient: tf.Tensor, when: StepInfo
    ) -> tf.Tensor | None:
        """Returns the initial values of new connections; None for zeros."""
        if self.grow_init == "zeros":
            return None
        if self.grow_init == "gradient":
            return self.grow_scale * gradient
        if self.grow_init == "initial":
            return weight.state["initial_values"]

        seed = self._random_seed(weight, when, "grow")
        if self.grow_init == "shuffled":
            shuffled = shuffle(weight.state["initial_values"], seed)
            return self.grow_scale * shuffled
        normal = random_normal(weight.values.shape, seed)
        scale = self.grow_scale * _standard_deviation(weight)
        return tf.cast(scale * normal, weight.values.dtype)

    def _random_seed(
        self, weight: WeightView, when: StepInfo, purpose: str
    ) -> tf.Tensor:
        return stateless_seed(self.seed, f"{weight.key}/{purpose}", when.step)


def _standard_deviation(weight: WeightView) -> tf.Tensor:
    values = tf.cast(weight.values, tf.float32)  # zeros where masked
    count = tf.cast(selection.count_true(weight.mask), tf.float32)
    mean = tf.math.divide_no_nan(tf.reduce_sum(values), count)
    deviations = tf.where(weight.mask, values - mean, tf.zeros_like(values))
    return tf.sqrt(
        tf.math.divide_no_nan(tf.reduce_sum(tf.square(deviations)), count)
    )
