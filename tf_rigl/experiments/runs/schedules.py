"""Learning rates over the steps of a run."""

from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.experiments.runs.plan import Plan
from tf_rigl.experiments.runs.settings import Settings


class Schedule(NamedTuple):
    """How the learning rate goes."""

    kind: str  # one of `settings.SCHEDULES`
    peak: float
    total_steps: int
    warmup_steps: int = 0
    decay_steps: tuple[int, ...] = ()
    decay_factor: float = 0.1


def make_schedule(settings: Settings, plan: Plan) -> Schedule:
    """The schedule of a run."""
    return Schedule(
        settings.schedule,
        settings.learning_rate,
        plan.total,
        plan.warmup_steps,
        plan.decay_steps,
        settings.decay_factor,
    )


def learning_rate(schedule: Schedule, step: Any) -> tf.Tensor:
    """The learning rate of a step.

    It rises linearly over `warmup_steps`, the first step already having its
    share, and then goes the way of its kind; what that is counts from the end
    of the warm-up for `"cosine"` and `"linear"`, from the beginning for
    `"step"`.

    Args:
        schedule: How it goes.
        step: Optimizer updates before this one, a scalar.

    Returns:
        A float32 scalar.
    """
    step = tf.cast(tf.convert_to_tensor(step), tf.float32)
    warmup = float(schedule.warmup_steps)
    rising = (step + 1) / max(warmup, 1.0)
    length = max(schedule.total_steps - warmup, 1.0)
    progress = tf.clip_by_value((step - warmup) / length, 0.0, 1.0)
    shape = {
        "constant": lambda: tf.ones(()),
        "linear": lambda: 1 - progress,
        "cosine": lambda: (1 + tf.cos(3.141592653589793 * progress)) / 2,
        "step": lambda: _steps(schedule, step),
    }[schedule.kind]()
    return schedule.peak * tf.where(step < warmup, rising, shape)


def keras_schedule(keras: ModuleType, schedule: Schedule) -> Any:
    """The schedule as an object that the optimizers of a Keras take.

    Args:
        keras: The Keras of the optimizer.
        schedule: How the learning rate goes.
    """

    class RunSchedule(
        keras.optimizers.schedules.LearningRateSchedule  # type: ignore[name-defined]
    ):
        """Calls `learning_rate`."""

        def __call__(self, step: Any) -> tf.Tensor:
            return learning_rate(schedule, step)

        def get_config(self) -> dict[str, Any]:
            return schedule._asdict()

    return RunSchedule()


def _steps(schedule: Schedule, step: tf.Tensor) -> tf.Tensor:
    boundaries = tf.constant(schedule.decay_steps, tf.float32)
    passed = tf.reduce_sum(tf.cast(step >= boundaries, tf.float32))
    return tf.pow(schedule.decay_factor, passed)
