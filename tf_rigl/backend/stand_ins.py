"""Stand-ins for classes of saved layers whose modules are not imported yet.

A saved model refers to a layer of ours by a registered name. When a Keras is
imported, the name is registered for a stand-in, which imports what it needs
once such a layer is loaded or created. That is not imported earlier, because
TensorFlow imports a Keras while it is only half imported itself, and because a
process that uses one Keras would pay for both.
"""

import functools
from collections.abc import Callable
from typing import Any

import wrapt

from tf_rigl.backend import keras_bindings

# Called with the module of a Keras and a class.
Register = Callable[[Any, type], None]
# Called with the module of a Keras, a configuration and custom objects.
Rebuild = Callable[[Any, Any, Any], Any]


def announce(register: Register, rebuild: Rebuild) -> None:
    """Registers a stand-in with each Keras as soon as it is imported.

    If a Keras is already imported, this happens immediately.

    Args:
        register: registers a class under the names that appear in saved files.
        rebuild: imports what is needed and returns the layer.
    """
    for package in keras_bindings.PACKAGES:
        hook = functools.partial(_register, register, rebuild)
        wrapt.register_post_import_hook(hook, package)


def _register(register: Register, rebuild: Rebuild, keras: Any) -> None:
    class StandIn:
        """Placeholder until such a layer is loaded or created."""

        def get_config(self) -> dict[str, Any]:
            """Required by Keras; this class has no instances."""
            raise NotImplementedError

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
            """Imports what is needed and rebuilds the layer."""
            return rebuild(keras, config, custom_objects)

    register(keras, StandIn)
