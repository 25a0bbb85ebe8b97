"""Which activations treat each unit by itself."""

from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor

# Functions of `keras.activations`, by name.
ELEMENTWISE = frozenset(
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu "
    "hard_swish hard_tanh leaky_relu linear log_sigmoid mish relu relu6 "
    "selu sigmoid silu soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid squareplus swish tanh tanh_shrink threshold".split()
)


def is_elementwise(flavor: Flavor, function: Any) -> bool:
    """Returns whether an activation is known to treat each unit by itself."""
    name = getattr(function, "__name__", None)
    if name not in ELEMENTWISE:
        return function is None
    known = (getattr(flavor.keras.activations, name, None),)
    return function in (*known, getattr(tf.nn, name, None))
