"""Makes fewer steps of a network that compute the same."""

from tf_rigl.export.plan import fold
from tf_rigl.export.plan import fuse
from tf_rigl.export.plan import gates
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
    fold.fold(network)
    fuse.fuse_activations(network)
    drop_unused(network)
    fuse.fuse_sums(network)


def drop_unused(network: Network) -> None:
    """Removes steps whose values nothing reads."""
    needed = set(network.outputs)
    for step in reversed(network.steps):
        if step.output in needed:
            needed.update(step.inputs)
    network.steps = [one for one in network.steps if one.output in needed]
