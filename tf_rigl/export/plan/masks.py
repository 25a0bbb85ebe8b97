"""Refuses layers that would leave out masked positions of sequences."""

import inspect
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.surgery.channel_rules import is_operation
from tf_rigl.surgery.features import Operand

REFUSED = (
    "it would leave out masked positions",
    "Plans have no masks: build the model with mask_zero=False, without "
    "Masking, and give it whole sequences.",
)
# Layers that have an argument for masks, but do not read it at inference.
_UNMASKED = ("BatchNormalization",)


def check(call: Call) -> None:
    """Checks that no mask reaches a layer that reads it.

    Masks come beside tensors, from Embedding and Masking, or are passed.

    Raises:
        Unsupported: if one does.
    """
    if is_operation(call.layer):
        return
    is_passed = isinstance(call.arguments[1].get("mask"), Operand)
    if (call.is_masked or is_passed) and _reads_masks(call.layer):
        raise Unsupported(*REFUSED)


def comparison(call: Call) -> int:
    """Reads what finds the inputs that are masked."""
    raise Unsupported(*REFUSED)


def has_mask(tensor: Any) -> bool:
    """Returns whether a layer before has said which positions count."""
    return getattr(tensor, "_keras_mask", None) is not None


def passes_mask(call: Call) -> bool:
    """Returns whether the mask of an input comes with what a call makes.

    Symbolic tensors within code of one's own, or within a nested model, do not
    have those of its inputs.
    """
    return call.is_masked and getattr(call.layer, "supports_masking", False)


def _reads_masks(layer: Any) -> bool:
    if flavors.is_container(layer):
        return any(map(_reads_masks, layer.layers))
    cls: Any = flavors.plain_class(layer)
    return cls.__name__ not in _UNMASKED and any(
        "mask" in name for name in inspect.signature(cls.call).parameters
    )
