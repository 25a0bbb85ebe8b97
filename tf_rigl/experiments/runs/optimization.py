"""The learning rate, the optimizer and the weight decay of a run."""

import re
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms import frobenius_decay
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.masking import tree

# Weights that decay. Depthwise kernels do not, since they have few elements.
_DECAYED = ("kernel", "recurrent_kernel", "pointwise_kernel")
# The ends of the names of factors of a kernel.
_FACTOR = re.compile("_[vmu]$")


class RateSchedule(NamedTuple):
    """The schedule of the learning rate, in optimizer steps."""

    kind: str  # one of `choices.SCHEDULES`
    peak: float
    total_steps: int
    warmup_steps: int = 0
    decay_steps: tuple[int, ...] = ()
    decay_factor: float = 0.1


def make_schedule(settings: RunSettings, plan: RunPlan) -> RateSchedule:
    """Makes the learning rate schedule of a run."""
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

    It rises linearly over `warmup_steps`, from `peak / warmup_steps` at step 0
    to the peak, and then follows the schedule of its kind. The schedule begins
    at the end of the warm-up for `"cosine"` and `"linear"`, and at step 0 for
    `"step"`. Steps are optimizer steps, counted from 0.
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
    """Makes the schedule object that optimizers of a Keras take."""

    # Registered, so that an optimizer can be made of its configuration, as a
    # snapshot does for new slots.
    @keras.saving.register_keras_serializable("tf_rigl")
    class RunSchedule(
        keras.optimizers.schedules.LearningRateSchedule  # type: ignore[name-defined]
    ):
        """The schedule as Keras calls it."""

        def __init__(self, **values: Any) -> None:
            super().__init__()
            self._schedule = RateSchedule(**values)

        def __call__(self, step: Any) -> tf.Tensor:
            return learning_rate(self._schedule, step)

        def get_config(self) -> dict[str, Any]:
            return self._schedule._asdict()

    return RunSchedule(**schedule._asdict())


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


def _own_name(variable: Any) -> str:
    return variable.name.rpartition("/")[2].partition(":")[0]


def add_weight_decay(model: Any, strength: float) -> None:
    """Adds an L2 penalty, strength / 2 · Σw² over kernels, to a model's loss.

    Its gradient, `strength` times the weight, is zero where the weight is
    masked. The loss of `evaluate` includes the penalty. The model must be
    built and is changed in place.

    Reference: google-research/rigl, which adds `tf.nn.l2_loss` of the kernels
    to its losses.
    """
    if not strength:
        return

    flavor = model_flavor(model)
    # Products of factors may have a decay of their own.
    replaced = {
        id(one)
        for group in frobenius_decay.groups_of(
            node.layer for node in tree.walk(flavor, model)
        )
        for one in group.variables
    }
    kernels = [
        one
        for one in model.trainable_variables
        if _FACTOR.sub("", _own_name(one)) in _DECAYED
        and id(one) not in replaced
    ]
    if flavor.name == "keras3":
        regularizer = flavor.keras.regularizers.L2(strength / 2)
        for kernel in kernels:
            kernel.regularizer = regularizer
        return

    # Keras 2 reads regularizers only when a layer creates its variables.
    model.add_loss(
        lambda: strength * tf.add_n([tf.nn.l2_loss(one) for one in kernels])
    )
