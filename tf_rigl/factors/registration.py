"""The name under which files refer to factorized layers."""

from typing import Any

PACKAGE = "tf_rigl"
# If a name is not registered, Keras's error contains only the name itself, so
# the name tells what to do.
NOTE = "import tf_rigl before loading"
NAME = f"FactorizedLayer ({NOTE})"


def register(keras: Any, cls: type) -> None:
    """Registers a class under the name that appears in saved files.

    Args:
        keras: the module of a Keras.
        cls: a class whose `from_config` returns a factorized layer.
    """
    keras.saving.register_keras_serializable(PACKAGE, NAME)(cls)
