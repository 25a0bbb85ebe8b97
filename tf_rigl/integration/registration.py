"""Makes `load_model` know masked layers, without importing a Keras."""

import importlib
from typing import Any

import wrapt

from tf_rigl.integration.flavour import BINDINGS


def register_bindings() -> None:
    """Imports each Keras's binding as soon as that Keras is imported.

    A binding registers the classes that saved sparse models name. Where the
    Keras is imported already, that happens now.
    """
    for package, binding in BINDINGS.items():

        def import_binding(module: Any, binding: str = binding) -> None:
            del module
            importlib.import_module(binding)

        wrapt.register_post_import_hook(import_binding, package)
