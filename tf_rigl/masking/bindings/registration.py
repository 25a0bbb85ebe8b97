"""Makes `load_model` know masked layers, without importing a Keras.

A saved sparse model names its masked layers by a registered name. As soon as
a Keras is imported, that name gets a class that stands for the binding, which
is only imported when a masked layer is loaded or made. Not at once: TensorFlow
imports a Keras while it is itself half imported, where a binding cannot be,
and a process that uses one Keras would pay for both.
"""

from typing import Any

import wrapt

from tf_rigl.backend import keras_bindings

BINDINGS = {
    "keras": "tf_rigl.masking.bindings.keras3",
    "tf_keras": "tf_rigl.masking.bindings.keras2",
}
PACKAGE = "tf_rigl"
# All that Keras says of a name that is not registered is the name itself
# ("Unknown layer: ..."), so that says what is missing.
NOTE = "import tf_rigl before loading"
NAME = f"MaskedLayer ({NOTE})"
REGISTERED_NAME = f"{PACKAGE}>{NAME}"
# In files of versions before 0.2.
OLD_REGISTERED_NAME = f"{PACKAGE}>MaskedLayer"


def register_bindings() -> None:
    """Registers masked layers with each Keras as soon as that is imported.

    If the Keras is imported already, that happens now.
    """
    for package, binding in BINDINGS.items():
        keras_bindings.announce(package, binding)
        wrapt.register_post_import_hook(_register_stand_in, package)


def register(keras: Any, cls: type) -> None:
    """Registers a class under the names that files have.

    Args:
        keras: the module of a Keras.
        cls: a class whose `from_config` makes a masked layer.
    """
    keras.saving.register_keras_serializable(PACKAGE, NAME)(cls)
    # For loading only, whereas the decorator is for both ways.
    keras.saving.get_custom_objects()[OLD_REGISTERED_NAME] = cls


def _register_stand_in(keras: Any) -> None:
    package = keras.__name__

    class StandIn:
        """Stands for masked layers until the binding registers a class."""

        def get_config(self) -> dict[str, Any]:
            """Keras asks for it, but nothing is an instance of this class."""
            raise NotImplementedError

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
            """Makes the masked layer of a configuration."""
            binding = keras_bindings.load(package)
            return vars(binding)[REGISTERED_NAME].from_config(
                config, custom_objects
            )

    register(keras, StandIn)
