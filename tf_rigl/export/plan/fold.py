"""Puts scales and offsets, those of BatchNormalization, into kernels.

Only where that is exact but for rounding: an offset before a convolution is
not part of the zeros that the convolution pads with. Products are taken in
double precision and rounded once.
"""

import numpy as np

from tf_rigl.export.plan.steps import KERNELS
from tf_rigl.export.plan.steps import Network
from tf_rigl.export.plan.steps import Step


def fold(network: Network) -> None:
    """Folds affine steps into what is before them, or else behind them."""
    for step in _affine_steps(network):
        _drop_identity(network, step)
    for step in _affine_steps(network):
        _fold_back(network, step)
    # From the end, so that what reads a scale may be a kernel by then.
    for step in reversed(_affine_steps(network)):
        _fold_ahead(network, step)


def _affine_steps(network: Network) -> list[Step]:
    return [one for one in network.steps if one.kind == "affine"]


def _drop_identity(network: Network, step: Step) -> None:
    """Removes a step that changes nothing, as a Rescaling by 1."""
    scale, offset = _factors(step)
    maker = network.makers().get(step.inputs[0])
    changes = (scale != 1).any() or offset.any()
    if changes or (maker is None and step.output in network.outputs):
        return
    network.steps.remove(step)
    network.replace(step.output, step.inputs[0])
    step.into = maker


def _fold_back(network: Network, step: Step) -> None:
    """Folds an affine step into the one before it, if that is possible."""
    scale, offset = _factors(step)
    maker = network.makers().get(step.inputs[0])
    if (
        maker is None
        or maker.kind not in (*KERNELS, "affine")
        or maker.activation != "linear"
        or network.uses()[maker.output] != 1
    ):
        return

    if maker.kind == "affine":
        before, constant = _factors(maker)
        arrays = {"scale": before * scale, "offset": constant * scale + offset}
    else:
        kernel = maker.arrays["kernel"]
        bias = maker.arrays.get("bias", np.float32(0)).astype(np.float64)
        # The outputs of a depthwise kernel are its last two dimensions.
        outputs = kernel.shape[-2:] if maker.kind == "depthwise" else -1
        arrays = {
            "kernel": _product(kernel, scale.reshape(outputs)),
            "bias": bias * scale + offset,
        }
    _set(maker, arrays)
    maker.attributes.update(step.attributes)
    network.absorb(step, maker)


def _fold_ahead(network: Network, step: Step) -> None:
    """Folds an affine step into all kernels that read it."""
    readers = [one for one in network.steps if step.output in one.inputs]
    scale, offset = _factors(step)
    is_folded = (
        step.activation == "linear"
        and step.output not in network.outputs
        and bool(readers)
        and all(
            one.kind in KERNELS and (not offset.any() or not _is_padded(one))
            for one in readers
        )
    )
    if not is_folded:
        return

    for reader in readers:
        kernel = reader.arrays["kernel"]
        arrays = {"kernel": _product(kernel, _along_inputs(reader, scale))}
        if offset.any():
            bias = reader.arrays.get("bias", np.float32(0)).astype(np.float64)
            summed = kernel * _along_inputs(reader, offset)
            # Each input of a depthwise kernel has outputs of its own.
            kept = 2 if reader.kind == "depthwise" else 1
            summed = summed.sum(tuple(range(kernel.ndim - kept)))
            arrays["bias"] = bias + summed.ravel()
        _set(reader, arrays)
        reader.inputs = [
            step.inputs[0] if one == step.output else one
            for one in reader.inputs
        ]
    network.steps.remove(step)
    step.into = readers[0]


def _product(kernel: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns a product in float32, rounded once.

    Kernels may have hundreds of megabytes: none is copied in double precision.
    """
    product: np.ndarray = np.empty_like(kernel)
    np.multiply(
        kernel, scale, out=product, dtype=np.float64, casting="same_kind"
    )
    return product


def _along_inputs(step: Step, values: np.ndarray) -> np.ndarray:
    """Returns values [inputs] in a shape that multiplies a kernel.

    The groups of a convolution share rows of its kernel: their outputs stand
    beside one another.
    """
    if step.kind == "depthwise":
        return values[:, np.newaxis]
    groups = step.attributes.get("groups", 1)
    rows = values.reshape(groups, -1).T  # [inputs / groups, groups]
    outputs = step.arrays["kernel"].shape[-1]
    return np.repeat(rows, outputs // groups, axis=1)


def _is_padded(step: Step) -> bool:
    return bool(np.any(step.attributes.get("padding", 0)))


def _factors(step: Step) -> tuple[np.ndarray, np.ndarray]:
    """Returns scale and offset in double precision."""
    scale, offset = (step.arrays[name] for name in ("scale", "offset"))
    return scale.astype(np.float64), offset.astype(np.float64)


def _set(step: Step, arrays: dict[str, np.ndarray]) -> None:
    """Sets arrays of a step; others may share those that it has."""
    step.arrays = {
        **step.arrays,
        **{
            name: np.ascontiguousarray(one, np.float32)
            for name, one in arrays.items()
        },
    }
