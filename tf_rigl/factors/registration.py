"""The name under which files refer to factorized layers."""

from typing import Any

from tf_rigl.masking.bindings.registration import NOTE as NOTE
from tf_rigl.masking.bindings.registration import PACKAGE

NAME = f"FactorizedLayer ({NOTE})"


def register(keras: Any, cls: type) -> None:
    """Registers a class under the name that appears in saved files.

    Args:
        keras: the module of a Keras.
        cls: a class whose `from_config` returns a factorized layer.
    """
    keras.saving.register_keras_serializable(PACKAGE, NAME)(cls)
