"""Networks whose widths were chosen by hand after filter pruning.

Filters were ranked by their L1 norms, and the numbers that are left were given
for each convolution (Li et al., "Pruning Filters for Efficient ConvNets",
arXiv:1608.08710). Liu et al., "Rethinking the Value of Network Pruning",
arXiv:1810.05270, train the same widths from scratch. `WIDTHS` has the numbers
of filters of all convolutions but those of shortcuts, for the `widths` of the
builders. In residual networks only the first convolution of a block is
narrower, so the sums stay whole. Two of VGG-16 for ImageNet are of other
criteria: ThiNet-Conv halves its first ten convolutions (Luo et al.,
arXiv:1707.06342), and five times fewer FLOPs are those of a regression (He et
al., arXiv:1707.06168).
"""

from collections.abc import Collection
from collections.abc import Sequence

from tf_rigl.models import resnet

# Filters of the networks before pruning, that of the stem first.
_SMALL = {
    56: resnet.block_filters((16, 32, 64), resnet.Blocks((9,) * 3, False)),
    110: resnet.block_filters((16, 32, 64), resnet.Blocks((18,) * 3, False)),
}
_LARGE = resnet.block_filters((64, 128, 256, 512), resnet.DEPTHS[34])
_VGG_16 = (64, 64, 128, 128, *[256] * 3, *[512] * 6)


def pruned(
    filters: Sequence[int], ratios: Sequence[float], skipped: Collection[int]
) -> tuple[int, ...]:
    """Narrows the first convolution of each block of a residual network.

    Args:
        filters: those of all convolutions, that of the stem first, in stages of
            doubling width.
        ratios: the share that each stage's first convolutions lose. What is
            left is rounded down.
        skipped: the numbers of convolutions that stay whole; the stem is 1.

    Returns:
        The numbers of filters.
    """
    stages = sorted(set(filters))
    return tuple(
        own
        if number % 2 or number in skipped
        else int(own * (1 - ratios[stages.index(own)]))
        for number, own in enumerate(filters, start=1)
    )


WIDTHS: dict[str, tuple[int, ...]] = {
    "vgg_16_a": (32, *_VGG_16[1:7], *[256] * 6),
    "vgg_16_thinet": (*(own // 2 for own in _VGG_16[:10]), *_VGG_16[10:]),
    "vgg_16_5x": (
        *(24, 22, 41, 51, 108, 89, 111, 184, 276, 228),
        *_VGG_16[10:],
    ),
    "resnet_56_a": pruned(_SMALL[56], (0.1,) * 3, (16, 20, 38, 54)),
    "resnet_56_b": pruned(
        _SMALL[56], (0.6, 0.3, 0.1), (16, 18, 20, 34, 38, 54)
    ),
    "resnet_110_a": pruned(_SMALL[110], (0.5, 0.0, 0.0), (36,)),
    "resnet_110_b": pruned(_SMALL[110], (0.5, 0.4, 0.3), (36, 38, 74)),
    "resnet_34_a": pruned(
        _LARGE, (0.3, 0.3, 0.3, 0.0), (2, 8, 14, 16, 26, 28, 30, 32)
    ),
    "resnet_34_b": pruned(
        _LARGE, (0.5, 0.6, 0.4, 0.0), (2, 8, 14, 16, 26, 28, 30, 32)
    ),
}
