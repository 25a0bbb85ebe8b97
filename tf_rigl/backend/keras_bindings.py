"""Registry of the modules that implement each Keras flavor.

The implementations define masked layers, so they belong to a package above this
one and announce themselves. This module imports neither a Keras nor TensorFlow:
`import tf_rigl` announces both and must stay fast.
"""

import importlib
from typing import Any

# The packages of the two Keras flavors.
PACKAGES = ("keras", "tf_keras")
_modules: dict[str, str] = {}


def is_of_keras(defined: Any) -> bool:
    """Returns whether a class or function is one of either Keras."""
    return package_of(defined.__module__) in PACKAGES


def package_of(module: str) -> str:
    """Returns the package that a module of a dotted name lies in."""
    return module.partition(".")[0]


def announce(package: str, module: str) -> None:
    """Registers the module for a package; `load` imports it on demand.

    `module` is a dotted name. The module must define `FLAVOR`, a `Flavor`.
    """
    _modules[package] = module


def load(package: str) -> Any:
    """Imports and returns the module announced for a package."""
    return importlib.import_module(_modules[package])
