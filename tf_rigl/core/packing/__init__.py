"""Packing of sparse weights to bytes: masks and the values they keep.

Each `encoding` of masks is one file and one row of `ENCODINGS`; `smallest`
chooses among them. `values` packs the values of kept elements.

>>> mask = np.zeros((3, 3), bool)
>>> mask[1] = True
>>> data = ENCODINGS["bit_mask"].encode(mask)
>>> data.hex()
'3800'
>>> ENCODINGS["bit_mask"].decode(data, (3, 3)).sum()
3
"""

from tf_rigl.core.packing.bit_mask import BitMask
from tf_rigl.core.packing.block_mask import BlockMask
from tf_rigl.core.packing.corruption import CorruptDataError as CorruptDataError
from tf_rigl.core.packing.dense import Dense
from tf_rigl.core.packing.encoding import MaskEncoding as MaskEncoding
from tf_rigl.core.packing.gaps import Gaps
from tf_rigl.core.packing.n_by_m import NByMIndices

ENCODINGS: dict[str, MaskEncoding] = {
    encoding.name: encoding
    for encoding in (BitMask(), Gaps(), BlockMask(), NByMIndices(), Dense())
}
