"""Makes fewer steps of a network that compute the same."""

import numpy as np

from tf_rigl.export.plan import fold
from tf_rigl.export.plan import fuse
from tf_rigl.export.plan import gates
from tf_rigl.export.plan import shapes
from tf_rigl.export.plan.steps import Network


def simplify(network: Network) -> None:
    """Simplifies a network in place.

    Gates first, while they are as written: the scale in one could be folded
    into a kernel. Residual sums last, since they take the place in which a
    convolution might have had an activation.
    """
    drop_unused(network)
    gates.recognize(network)
    fuse.merge_padding(network)
    shapes.merge_reshapes(network)
    fold.fold(network)
    fuse.fuse_activations(network)
    drop_unused(network)
    shapes.make_dense(network)
    fuse.fuse_sums(network)
    _make_outputs(network)


def _make_outputs(network: Network) -> None:
    """Lets a step make each output: nothing is one that also is an input."""
    for place, value in enumerate(network.outputs):
        if value not in network.inputs:
            continue
        shape = network.shapes[value]
        arrays = {"scale": np.ones(shape[-1:]), "offset": np.zeros(shape[-1:])}
        step = network.add("affine", "output", [value], shape, {}, arrays)
        network.outputs[place] = step.output


def drop_unused(network: Network) -> None:
    """Removes steps whose values nothing reads."""
    needed = set(network.outputs)
    for step in reversed(network.steps):
        if step.output in needed:
            needed.update(step.inputs)
    network.steps = [one for one in network.steps if one.output in needed]
