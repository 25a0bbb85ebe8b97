"""Refuses layers that would leave out masked positions of sequences."""

import inspect
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.surgery.channel_rules import is_operation
from tf_rigl.surgery.features import Operand


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
        raise Unsupported(
            "it would leave out masked positions",
            "Plans have no masks: build the model with mask_zero=False, "
            "without Masking, and give it whole sequences.",
        )


def _reads_masks(layer: Any) -> bool:
    if flavors.is_container(layer):
        return any(map(_reads_masks, layer.layers))
    cls: Any = flavors.plain_class(layer)
    return any(
        "mask" in name for name in inspect.signature(cls.call).parameters
    )
