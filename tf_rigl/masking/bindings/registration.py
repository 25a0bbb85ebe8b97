"""Registration of masked layers for `load_model`, without importing a Keras."""

from typing import Any

from tf_rigl.backend import keras_bindings
from tf_rigl.backend import stand_ins

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
    stand_ins.announce(register, _rebuild)


def register(keras: Any, cls: type) -> None:
    """Registers a class under the names that appear in saved files.

    Args:
        keras: the module of a Keras.
        cls: a class whose `from_config` returns a masked layer.
    """
    keras.saving.register_keras_serializable(PACKAGE, NAME)(cls)
    # Only for loading; the decorator would also save under the old name.
    keras.saving.get_custom_objects()[OLD_REGISTERED_NAME] = cls


def _rebuild(keras: Any, config: Any, custom_objects: Any) -> Any:
    binding = keras_bindings.load(keras.__name__)
    return vars(binding)[REGISTERED_NAME].from_config(config, custom_objects)
