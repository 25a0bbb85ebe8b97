"""Training of the weights: learning rate, optimizer, weight decay."""

from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.settings import RunSettings

# Kernels of depthwise convolutions are not among them: they have few weights.
_DECAYED = ("kernel", "recurrent_kernel", "pointwise_kernel")


class RateSchedule(NamedTuple):
    """The course of the learning rate."""

    kind: str  # one of `settings.SCHEDULES`
    peak: float
    total_steps: int
    warmup_steps: int = 0
    decay_steps: tuple[int, ...] = ()
    decay_factor: float = 0.1


def make_schedule(settings: RunSettings, plan: RunPlan) -> RateSchedule:
    """Makes the schedule of a run."""
    return RateSchedule(
        settings.schedule,
        settings.learning_rate,
        plan.total,
        plan.warmup_steps,
        plan.decay_steps,
        settings.decay_factor,
    )


def learning_rate(schedule: RateSchedule, step: Any) -> tf.Tensor:
    """Computes the learning rate of a step, a float32 scalar.

    It rises linearly over `warmup_steps`, the first step already having its
    share, and then goes the way of its kind, which begins at the end of the
    warm-up for `"cosine"` and `"linear"` and with the run for `"step"`. Steps
    are optimizer updates, counted from 0.
    """
    step = tf.cast(tf.convert_to_tensor(step), tf.float32)
    warmup = float(schedule.warmup_steps)
    rising = (step + 1) / max(warmup, 1.0)

    boundaries = tf.constant(schedule.decay_steps, tf.float32)
    passed = tf.reduce_sum(tf.cast(step >= boundaries, tf.float32))
    length = max(schedule.total_steps - warmup, 1.0)
    progress = tf.clip_by_value((step - warmup) / length, 0.0, 1.0)
    shape = {
        "constant": lambda: tf.ones(()),
        "linear": lambda: 1 - progress,
        "cosine": lambda: (1 + tf.cos(3.141592653589793 * progress)) / 2,
        "step": lambda: tf.pow(schedule.decay_factor, passed),
    }[schedule.kind]()
    return schedule.peak * tf.where(step < warmup, rising, shape)


def keras_schedule(keras: ModuleType, schedule: RateSchedule) -> Any:
    """Makes an object of a schedule that the optimizers of a Keras take."""

    class RunSchedule(
        keras.optimizers.schedules.LearningRateSchedule  # type: ignore[name-defined]
    ):
        """Calls `learning_rate`."""

        def __call__(self, step: Any) -> tf.Tensor:
            return learning_rate(schedule, step)

        def get_config(self) -> dict[str, Any]:
            return schedule._asdict()

    return RunSchedule()


def make_optimizer(keras: ModuleType, settings: RunSettings, rate: Any) -> Any:
    """Makes the optimizer of a run."""
    clip_norm = settings.clip_norm or None
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=clip_norm)
    return keras.optimizers.SGD(
        rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        global_clipnorm=clip_norm,
    )


def add_weight_decay(model: Any, strength: float) -> None:
    """Adds half the sum of squares of all kernels to the loss of a model.

    The gradient of a weight gains `strength` times the weight, which is 0
    where there is no connection. The loss of `evaluate` has it, too. The model
    is built, and changed in place.

    Reference: google-research/rigl, which adds `tf.nn.l2_loss` of the kernels
    to its losses.
    """
    if not strength:
        return

    flavor = model_flavor(model)
    kernels = [
        one
        for one in model.trainable_variables
        if one.name.rpartition("/")[2].partition(":")[0] in _DECAYED
    ]
    if flavor.name == "keras3":
        regularizer = flavor.keras.regularizers.L2(strength / 2)
        for kernel in kernels:
            kernel.regularizer = regularizer
        return

    # Keras 2 reads regularizers when a layer makes its variables only.
    model.add_loss(
        lambda: strength * tf.add_n([tf.nn.l2_loss(one) for one in kernels])
    )
