"""The distances from one kept element to the next.

A gap is the number of elements between two neighbours. Its lowest `width`
bits are stored as they are; what is above them, the escapes, is stored in
unary: that many zeros and a one. This is the code of Rice. Random masks of 80
to 99 % sparsity take 0.4 to 2.3 % more than the entropy of their positions,
where gaps of one width with an escape value take 5 to 9 % more (both at their
best width). And it is read without a loop: the ones of the unary part say
where each gap ends.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import bits
from tf_rigl.core.packing.corruption import check
from tf_rigl.core.packing.encoding import MaskEncoding
from tf_rigl.core.packing.encoding import mask_of_positions

_HEADER = np.dtype([("width", "<i8"), ("count", "<i8")])


class Gaps(MaskEncoding):
    """Gaps in the code of Rice, at the width that takes the fewest bytes.

    int64 width and count; the lowest bits, as `bits.pack_fields` gives them;
    the unary part, padded with zeros to whole bytes.

    Reference: Rice and Plaunt, "Adaptive Variable-Length Coding for
    Efficient Compression of Spacecraft Television Data", 1971.
    """

    name = "gaps"
    graph_bytes = 9000

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes:
        """Expresses any mask."""
        del layout
        positions = np.flatnonzero(mask)
        gaps = np.diff(positions, prepend=-1) - 1
        width = best_width(gaps)
        header = np.array([(width, gaps.size)], _HEADER).tobytes()
        low = bits.pack_fields(gaps & ((1 << width) - 1), width)
        return header + low + bits.pack_bits(_unary(gaps >> width))

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Checks lengths before anything is unpacked, then each gap."""
        return mask_of_positions(
            decode_positions(data, math.prod(shape)), shape
        )

    def graph_positions(self, data: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """Sums up the gaps."""
        del kept
        return graph_positions(data)


def best_width(gaps: np.ndarray) -> int:
    """The number of low bits at which gaps take the fewest bytes.

    Args:
        gaps: int64 [count], none negative.
    """
    best, width = math.inf, 0
    most = min(gaps.max(initial=0).item().bit_length(), bits.WIDEST)
    for candidate in range(most + 1):
        low = candidate * bits.plane_bytes(gaps.size)
        if low >= best:
            break
        unary = bits.plane_bytes(int((gaps >> candidate).sum()) + gaps.size)
        if low + unary < best:
            best, width = low + unary, candidate
    return width


def decode_positions(data: bytes, elements: int) -> np.ndarray:
    """The positions that `Gaps.encode` has packed.

    Args:
        data: the packed gaps.
        elements: number of elements of the mask.

    Returns:
        int64 [count], increasing, all below `elements`.

    Raises:
        CorruptDataError: where the data are no gaps of such a mask.
    """
    check(
        len(data) >= _HEADER.itemsize,
        f"Gaps must begin with {_HEADER.itemsize} bytes.",
        f"{len(data)} bytes",
    )
    width, count = np.frombuffer(data, _HEADER, 1)[0].item()
    check(
        0 <= width <= min(elements.bit_length(), bits.WIDEST)
        and 0 <= count <= elements,
        f"Gaps in {elements} elements must be at most as many and as wide.",
        f"width={width}, count={count}",
    )
    begin = _HEADER.itemsize
    end = begin + width * bits.plane_bytes(count)
    check(
        end <= len(data),
        f"{count} gaps of {width} bits must have {end} bytes.",
        f"{len(data)} bytes",
    )
    ends = np.flatnonzero(bits.unpack_bits(data[end:]))
    check(
        ends.size == count,
        f"{count} gaps must end with as many ones.",
        f"{ends.size} ones",
    )
    low = bits.unpack_fields(data[begin:end], width, count)
    high = np.diff(ends, prepend=-1) - 1
    # In Python's integers and in floats, which do not overflow.
    fits = int(high.max(initial=0)) << width <= elements
    gaps = (high << width) + low if fits else low
    check(
        fits and gaps.sum(dtype=np.float64) + count <= elements,
        f"Gaps must end within {elements} elements.",
        "gaps that lead beyond",
    )
    return np.cumsum(gaps + 1) - 1


def graph_positions(data: tf.Tensor) -> tf.Tensor:
    """`decode_positions` as graph ops.

    Args:
        data: uint8 [bytes].

    Returns:
        int64 tensor of shape [count].
    """
    width, count = bits.graph_integers(data, 2)
    low_bytes = width * ((count + 7) // 8)
    _, low, unary = tf.split(data, [_HEADER.itemsize, low_bytes, -1])
    low = bits.graph_unpack_fields(low, width, count)
    ends = tf.squeeze(tf.where(bits.graph_unpack_bits(unary)), 1)
    index = tf.range(count)
    # Before the i-th one stand i ones and the zeros of all gaps so far.
    high = tf.bitwise.left_shift(ends - index, width)
    return high + tf.cumsum(low) + index


def _unary(numbers: np.ndarray) -> np.ndarray:
    """Each number as that many zeros and a one: bool [sum + count]."""
    ends = np.cumsum(numbers + 1) - 1
    unary = np.zeros(int(numbers.sum()) + numbers.size, bool)
    unary[ends] = True
    return unary
