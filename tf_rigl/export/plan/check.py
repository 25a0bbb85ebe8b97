"""Checks what a plan would compute for each layer of a model."""

import math
from typing import Any

import numpy as np

from tf_rigl.export.plan import read
from tf_rigl.export.plan import report
from tf_rigl.export.plan.steps import WEIGHTED
from tf_rigl.export.plan.steps import Step
from tf_rigl.export.plan.walk import LayerCall
from tf_rigl.export.plan.walk import Walk

# Zeros of kernels below this density are skipped (plan_convolution.cc).
_SPARSE_BELOW = 0.5


def check_plan(model: Any, *, inputs: Any = None) -> report.PlanCheck:
    """Says what a plan computes for each layer of a model, and how.

    A layer may run by a kernel whose zeros are skipped or by a dense one; it
    may be folded into another, as BatchNormalization into the convolution
    before it; it may do nothing, as Dropout at inference; or plans may not have
    it, and then the report says what to do.

    The model is not changed, and nothing is written.

    Args:
        model: a Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras, sparse or dense, trained or not.
        inputs: the inputs of its call, as for `export_plan`.

    Returns:
        A report of all layers; `str()` of it is a table.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model leaves the size of an input open.

    Example:
        >>> print(tf_rigl.check_plan(model))
    """
    walk = read.walk_of(model, inputs)
    return report.PlanCheck(tuple(_row(walk, call) for call in walk.calls))


def _row(walk: Walk, call: LayerCall) -> report.LayerCheck:
    live = {id(step) for step in walk.network.steps}
    own = [step for step in call.steps if id(step) in live]
    kernels = [step for step in own if step.kind in WEIGHTED]
    runs, how = _verdict(call, own, kernels)
    weights = sum(step.arrays["kernel"].size for step in kernels)
    return report.LayerCheck(
        call.path,
        call.layer,
        runs,
        how,
        weights,
        sum(map(_nonzeros, kernels)),
        sum(_positions(walk, step) * _nonzeros(step) for step in kernels),
        sum(
            _positions(walk, step) * step.arrays["kernel"].size
            for step in kernels
        ),
        call.problem,
        call.fix,
    )


def _verdict(
    call: LayerCall, own: list[Step], kernels: list[Step]
) -> tuple[str, str]:
    """Returns how a layer runs, and the steps of it."""
    if call.problem:
        return report.REFUSED, ""
    kinds = " + ".join(
        dict.fromkeys(report.SHOWN.get(step.kind, step.kind) for step in own)
    )
    if kernels:
        weights = sum(step.arrays["kernel"].size for step in kernels)
        is_sparse = sum(map(_nonzeros, kernels)) < _SPARSE_BELOW * weights
        return (report.SPARSE if is_sparse else report.DENSE), kinds
    if own:
        return report.PLAIN, kinds
    into = [step.last().name for step in call.steps if step.into is not None]
    if into:
        return report.FOLDED, f"in {into[-1]}"
    return report.NOTHING, ""


def _nonzeros(step: Step) -> int:
    return int(np.count_nonzero(step.arrays["kernel"]))


def _positions(walk: Walk, step: Step) -> int:
    """Returns how often a step uses each element of its kernel."""
    # Of a sequence, a recurrent layer may return the last output alone.
    value = step.inputs[0] if step.kind == "recurrence" else step.output
    return math.prod(walk.network.shapes[value][:-1])
