"""Modules that bind each Keras.

Bindings make classes of masked layers, so they stand above this folder and
announce themselves. Here nothing imports a Keras or TensorFlow: `import
tf_rigl` announces both bindings and must stay cheap.
"""

import importlib
from typing import Any

# The packages whose objects are told apart.
PACKAGES = ("keras", "tf_keras")
_modules: dict[str, str] = {}


def announce(package: str, module: str) -> None:
    """Says which module binds a package; it is imported when first needed.

    The module, by its dotted name, has a `FLAVOR` that is a `Flavor`.
    """
    _modules[package] = module


def load(package: str) -> Any:
    """Imports the module that binds a package, and returns it."""
    return importlib.import_module(_modules[package])
