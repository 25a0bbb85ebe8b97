"""Drops changes of shape, and convolutions over images of one position."""

import numpy as np

from tf_rigl.export.plan.steps import Network


def merge_reshapes(network: Network) -> None:
    """Reshapes once where a model reshapes twice.

    The mean of an image keeps dimensions of 1 where it is given them later, as
    in squeeze-and-excitation.
    """
    for step in list(network.steps):
        if step.kind != "reshape":
            continue
        maker = network.makers().get(step.inputs[0])
        if maker is None:
            continue
        if maker.kind == "reshape":
            step.inputs = list(maker.inputs)
            if not network.uses()[maker.output]:
                network.steps.remove(maker)
                maker.into = step
        elif maker.kind == "global_pool" and network.uses()[maker.output] == 1:
            rank = len(network.shapes[maker.inputs[0]])
            *space, _ = shape = network.shapes[step.output]
            if len(shape) != rank or any(size != 1 for size in space):
                continue
            maker.attributes["keep_dimensions"] = True
            network.shapes[maker.output] = shape
            network.absorb(step, maker)


def make_dense(network: Network) -> None:
    """Puts a dense step for a 1×1 convolution over an image of 1×1."""
    for step in network.steps:
        if step.kind != "convolution":
            continue
        *space, _ = network.shapes[step.inputs[0]]
        kernel = step.arrays["kernel"]
        *size, inputs, outputs = kernel.shape
        if (
            {*space, *size} == {1}
            and step.attributes["groups"] == 1
            and not np.any(step.attributes["padding"])
        ):
            step.kind = "dense"
            step.arrays["kernel"] = kernel.reshape(inputs, outputs)
            for name in ("strides", "padding", "dilation", "groups"):
                del step.attributes[name]
