"""Costs by the convention of published tables of sparse networks.

The tables of RigL, SRigL and others come from the counter of the MicroNet
challenge. It counts only kernels, as if every normalization were folded into
a bias of its layer, and counts additions and multiplications separately.
"""

import math
from collections.abc import Callable
from collections.abc import Collection
from typing import NamedTuple

from tf_rigl.accounting import model_profile


class MicroNetCounts(NamedTuple):
    """Costs of a network by the convention of the MicroNet challenge."""

    parameters: int  # the number of elements of kernels and of biases
    flops: int  # FLOPs of one example
    dense_flops: int  # `flops` if all weights were dense
    bytes: int  # values, bit masks of sparse kernels, and biases
    dense_bytes: int  # `bytes` if all weights were dense

    def __str__(self) -> str:
        share = self.flops / self.dense_flops if self.dense_flops else 1.0
        return (
            f"As published tables count: {self.parameters:,} parameters, "
            f"{self.bytes / 1e6:,.3f} MB "
            f"({self.dense_bytes / 1e6:,.3f} dense), "
            f"{self.flops / 1e9:,.6f} GFLOPs ({self.dense_flops / 1e9:,.6f} "
            f"dense, {share:.4f} ×)"
        )


def micronet(
    profile: model_profile.ModelProfile, padded_again: Collection[str] = ()
) -> MicroNetCounts:
    """Counts costs by the convention of published tables.

    An output with n connections takes n multiplications, n - 1 additions, one
    addition for its bias and one multiplication for its ReLU, which the last
    layer does not have: 2 n + 1, or 2 n in the last layer. Pooling, sums of
    branches, attention and embedding look-ups do not count. Each filter has a
    bias. A depthwise kernel counts as one filter that reads all of its
    elements, because the script behind the table of MobileNet v1 treats it as
    an ordinary convolution.

    This gives ResNet-50's published 25,530,472 parameters, 102.122 MB and
    8.189482 GFLOPs. For MobileNet v1 it gives 1140.613 MFLOPs instead of the
    published 1141.544: the script pads images that a layer of the network has
    already padded, so it counts 113 × 113 outputs instead of 112 × 112, and it
    counts a ReLU after the logits. `padded_again` reproduces this.

    Args:
        profile: the profile of a model, sparse or dense.
        padded_again: paths of kernels, of layers with square outputs, to count
            with one more row and column of outputs. If there are any, the
            last layer is counted with a ReLU.

    Reference: google-research/rigl, `sparse_utils.get_stats`, and
    google-research/micronet_challenge, `counting.py`.
    """
    kernels = [
        row for row in profile.rows if len(row.shape) > 1 and row.dense_macs
    ]
    positions = [
        _positions(row, again=row.path in padded_again) for row in kernels
    ]
    outputs = [
        number * _filters(row)
        for row, number in zip(kernels, positions, strict=True)
    ]
    elementwise = sum(outputs if padded_again else outputs[:-1])
    biases = sum(_filters(row) for row in kernels)

    def total(macs_of: Callable[[model_profile.WeightProfile], int]) -> int:
        macs = sum(
            macs_of(row) * number // _positions(row)
            for row, number in zip(kernels, positions, strict=True)
        )
        return model_profile.FLOPS_PER_MAC * macs + elementwise

    return MicroNetCounts(
        parameters=sum(row.parameters for row in kernels) + biases,
        flops=total(lambda row: row.macs),
        dense_flops=total(lambda row: row.dense_macs),
        bytes=sum(row.bytes for row in kernels)
        + model_profile.BYTES_PER_VALUE * biases,
        dense_bytes=sum(row.dense_bytes for row in kernels)
        + model_profile.BYTES_PER_VALUE * biases,
    )


def _positions(row: model_profile.WeightProfile, again: bool = False) -> int:
    """Counts how often a kernel is applied to one example."""
    positions = row.dense_macs // row.parameters
    return (math.isqrt(positions) + 1) ** 2 if again else positions


def _filters(row: model_profile.WeightProfile) -> int:
    return 1 if row.layer_class.startswith("Depthwise") else row.shape[-1]
