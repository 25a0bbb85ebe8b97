"""Puts paddings, activations and residual sums into other steps."""

import numpy as np

from tf_rigl.export.plan.steps import ACTIVATING
from tf_rigl.export.plan.steps import Network
from tf_rigl.export.plan.steps import Step

_CONVOLUTIONS = ("convolution", "depthwise")
_NOT_NEGATIVE = (
    "relu",
    "relu6",
    "sigmoid",
    "hard_sigmoid",
    "softmax",
)


def merge_padding(network: Network) -> None:
    """Lets convolutions pad by themselves what was padded before them.

    So does a maximum of what is not negative, to which zeros add nothing.
    """
    makers = network.makers()
    for step in network.steps:
        pad = makers.get(step.first)
        if pad is None or pad.kind != "pad" or not _takes(network, step, pad):
            continue
        step.attributes["padding"] = tuple(
            (before + other_before, behind + other_behind)
            for (before, behind), (other_before, other_behind) in zip(
                step.attributes["padding"],
                pad.attributes["padding"],
                strict=True,
            )
        )
        step.inputs[0] = pad.inputs[0]
        pad.into = pad.into or step
    # A pad that others read stays for them.
    uses = network.uses()
    for pad in [one for one in network.steps if one.kind == "pad"]:
        if uses[pad.output]:
            pad.into = None
        else:
            network.steps.remove(pad)


def fuse_activations(network: Network) -> None:
    """Applies activations in the steps whose results they take."""
    for step in list(network.steps):
        if step.kind != "activation":
            continue
        maker = network.makers().get(step.inputs[0])
        if (
            maker is not None
            and maker.kind in ACTIVATING
            and maker.activation == "linear"
            and network.uses()[maker.output] == 1
        ):
            maker.attributes.update(step.attributes)
            network.absorb(step, maker)


def fuse_sums(network: Network) -> None:
    """Adds the other branch of a residual block in the convolution of one.

    The convolution moves to the place of the sum, where both are known.
    """
    for step in list(network.steps):
        if step.kind != "add" or len(step.inputs) != 2:
            continue
        branch = _last_convolution(network, step)
        if branch is None:
            continue
        other = step.inputs[step.inputs[0] == branch.output]
        branch.inputs.append(other)
        branch.attributes.update(step.attributes)
        network.steps.remove(branch)
        network.steps.insert(network.steps.index(step), branch)
        network.absorb(step, branch)


def _last_convolution(network: Network, sum_of: Step) -> Step | None:
    """Returns the last convolution that only a sum reads."""
    makers, uses = network.makers(), network.uses()
    shape = network.shapes[sum_of.output]
    if any(network.shapes[value] != shape for value in sum_of.inputs):
        return None
    found = [
        maker
        for value in sum_of.inputs
        if (maker := makers.get(value)) is not None
        and maker.kind in _CONVOLUTIONS
        and maker.activation == "linear"
        and len(maker.inputs) == 1
        and uses[value] == 1
    ]
    return max(found, key=network.steps.index, default=None)


def _takes(network: Network, step: Step, pad: Step) -> bool:
    """Returns whether a step can pad what a step before it has padded."""
    if step.kind in (*_CONVOLUTIONS, "pad"):
        return True
    if step.kind != "pool" or step.attributes["mode"] != "max":
        return False
    # Each window must see something other than zeros.
    sees = all(
        before < size and behind < size
        for size, (before, behind) in zip(
            step.attributes["size"], pad.attributes["padding"], strict=True
        )
    )
    maker = network.makers().get(pad.inputs[0])
    is_plain = not np.any(step.attributes["padding"])
    return (
        sees
        and is_plain
        and maker is not None
        and maker.activation in _NOT_NEGATIVE
    )
