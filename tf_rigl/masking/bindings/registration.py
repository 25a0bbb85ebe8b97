"""Registration of masked layers for `load_model`, without importing a Keras.

A saved sparse model refers to masked layers by a registered name. When a Keras
is imported, the name is registered for a stand-in, which imports the binding
once a masked layer is loaded or created. The binding is not imported earlier,
because TensorFlow imports a Keras while it is only half imported itself, and
because a process that uses one Keras would pay for both.
"""

from typing import Any

import wrapt

from tf_rigl.backend import keras_bindings

BINDINGS = {
    "keras": "tf_rigl.masking.bindings.keras3",
    "tf_keras": "tf_rigl.masking.bindings.keras2",
}
PACKAGE = "tf_rigl"
# If a name is not registered, Keras's error contains only the name itself
# ("Unknown layer: ..."), so the name tells what to do.
NOTE = "import tf_rigl before loading"
NAME = f"MaskedLayer ({NOTE})"
REGISTERED_NAME = f"{PACKAGE}>{NAME}"
# The name in files written before version 0.2.
OLD_REGISTERED_NAME = f"{PACKAGE}>MaskedLayer"


def register_bindings() -> None:
    """Registers masked layers with each Keras as soon as it is imported.

    If a Keras is already imported, this happens immediately.
    """
    for package, binding in BINDINGS.items():
        keras_bindings.announce(package, binding)
        wrapt.register_post_import_hook(_register_stand_in, package)


def register(keras: Any, cls: type) -> None:
    """Registers a class under the names that appear in saved files.

    Args:
        keras: the module of a Keras.
        cls: a class whose `from_config` returns a masked layer.
    """
    keras.saving.register_keras_serializable(PACKAGE, NAME)(cls)
    # Only for loading; the decorator would also save under the old name.
    keras.saving.get_custom_objects()[OLD_REGISTERED_NAME] = cls


def _register_stand_in(keras: Any) -> None:
    """Registers a class that imports the binding when it is used."""
    package = keras.__name__

    class StandIn:
        """Placeholder for masked layers until the binding is imported."""

        def get_config(self) -> dict[str, Any]:
            """Required by Keras; this class has no instances."""
            raise NotImplementedError

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
            """Imports the binding and rebuilds the masked layer."""
            binding = keras_bindings.load(package)
            return vars(binding)[REGISTERED_NAME].from_config(
                config, custom_objects
            )

    register(keras, StandIn)
