"""Layers that read a dense kernel without memory, to trace what they compute.

A function that is traced reads a variable's shape and dtype only. So layers
that compute with their connections can be traced as the plain layers that they
are without this library, and no dense kernel is made.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import compressed_layer
from tf_rigl.masking import tree
from tf_rigl.masking.connections import of_layer
from tf_rigl.masking.deferred import complete


@contextlib.contextmanager
def kernels_aside(model: Any) -> Iterator[None]:
    """Puts kernels without values in place of connections in a `with` block.

    Within it, functions of the model can be traced and not run. Records of the
    weights have the kernel without memory as their variable, and their
    connections as ever.
    """
    flavor = flavors.model_flavor(model)
    complete(model, required=False)
    with contextlib.ExitStack() as stack:
        for node in list(tree.walk(flavor, model)):
            if of_layer(node.layer):
                stack.enter_context(
                    compressed_layer.with_unset_kernels(node.layer)
                )
        yield
