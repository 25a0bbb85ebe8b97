"""Recognizes activations that a model writes out as several steps."""

import numpy as np

from tf_rigl.export.plan.steps import Network
from tf_rigl.export.plan.steps import Step

# The activation that a function makes when its argument is multiplied by it.
_GATED = {"sigmoid": "swish", "hard_sigmoid": "hard_swish"}


def recognize(network: Network) -> None:
    """Puts one activation for each that is written out."""
    _hard_sigmoids(network)
    _gates(network)


def _hard_sigmoids(network: Network) -> None:
    """Finds `relu6(x + 3) / 6`, as in MobileNet v3 of keras.applications."""
    makers, uses = network.makers(), network.uses()
    for last in list(network.steps):
        middle = makers.get(last.first)
        first = middle and makers.get(middle.first)
        if not (middle and first) or (uses[first.output], 1) != (
            1,
            uses[middle.output],
        ):
            continue
        is_gate = (
            _is_affine(first, 1, 3)
            and (middle.kind, middle.activation) == ("activation", "relu6")
            and _is_affine(last, 1 / 6, 0)
        )
        if not is_gate:
            continue
        gate = Step(
            "activation",
            last.name,
            list(first.inputs),
            last.output,
            {"activation": "hard_sigmoid"},
            {},
        )
        network.steps[network.steps.index(last)] = gate
        makers[last.output] = gate
        for step in (first, middle):
            network.steps.remove(step)
        for step in (first, middle, last):
            step.into = gate


def _gates(network: Network) -> None:
    """Finds `x · sigmoid(x)`, and with the hard sigmoid."""
    makers, uses = network.makers(), network.uses()
    for step in list(network.steps):
        if step.kind != "multiply" or len(step.inputs) != 2:
            continue
        for x, y in (step.inputs, reversed(step.inputs)):
            gate = makers.get(y)
            is_gate = (
                gate is not None
                and gate.kind == "activation"
                and gate.inputs == [x]
                and gate.activation in _GATED
                and uses[y] == 1
            )
            if gate is not None and is_gate:
                step.kind, step.inputs = "activation", [x]
                step.attributes = {"activation": _GATED[gate.activation]}
                network.steps.remove(gate)
                gate.into = step
                break


def _is_affine(step: Step, scale: float, offset: float) -> bool:
    return (
        step.kind == "affine"
        and step.activation == "linear"
        and np.allclose(step.arrays["scale"], scale, 1e-6, 0)
        and np.allclose(step.arrays["offset"], offset, 1e-6, 0)
    )
