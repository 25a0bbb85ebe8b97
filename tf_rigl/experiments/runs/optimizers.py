"""The optimizers of a Keras, by the names that the command line uses."""

from types import ModuleType
from typing import Any

from tf_rigl.experiments.runs.settings import Settings


def make_optimizer(
    keras: ModuleType, settings: Settings, learning_rate: Any
) -> Any:
    """Makes the optimizer of a run.

    Args:
        keras: The Keras of the model.
        settings: The run.
        learning_rate: A number, or a schedule of that Keras.
    """
    clip_norm = settings.clip_norm or None
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(learning_rate, global_clipnorm=clip_norm)
    return keras.optimizers.SGD(
        learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        global_clipnorm=clip_norm,
    )
