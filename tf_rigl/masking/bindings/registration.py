"""Makes `load_model` know masked layers, without importing a Keras."""

import importlib
from typing import Any

import wrapt

from tf_rigl.backend import flavor

BINDINGS = {
    "keras": "tf_rigl.masking.bindings.keras3",
    "tf_keras": "tf_rigl.masking.bindings.keras2",
}


def register_bindings() -> None:
    """Imports each Keras's binding as soon as that Keras is imported.

    A binding registers the classes that saved sparse models name. Where the
    Keras is imported already, that happens now.
    """
    for package, binding in BINDINGS.items():
        flavor.announce_binding(package, binding)

        def import_binding(module: Any, binding: str = binding) -> None:
            del module
            importlib.import_module(binding)

        wrapt.register_post_import_hook(import_binding, package)
