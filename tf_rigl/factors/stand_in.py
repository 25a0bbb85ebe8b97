"""Registration of factorized layers for `load_model`, without a Keras import.

It works as that of masked layers does, see `masking.bindings.registration`.
"""

import importlib
from typing import Any

import wrapt

from tf_rigl.factors import registration

_PACKAGES = ("keras", "tf_keras")


def register_all() -> None:
    """Registers factorized layers with each Keras as soon as it is imported."""
    for package in _PACKAGES:
        wrapt.register_post_import_hook(_register_stand_in, package)


def _register_stand_in(keras: Any) -> None:
    """Registers a class that imports the library when it is used."""

    class StandIn:
        """Placeholder until a factorized layer is loaded or created."""

        def get_config(self) -> dict[str, Any]:
            """Required by Keras; this class has no instances."""
            raise NotImplementedError

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
            """Imports the library and rebuilds the layer."""
            layers = importlib.import_module("tf_rigl.factors.factorized_layer")
            own = layers.factorized_class(keras.layers.Layer, None)
            return own.from_config(config, custom_objects)

    registration.register(keras, StandIn)
