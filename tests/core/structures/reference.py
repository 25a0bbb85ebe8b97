"""The structures in plain NumPy: what the TensorFlow code must agree with."""

import itertools

import numpy as np

from tests.core import oracle
from tf_rigl.core.structures import Block
from tf_rigl.core.structures import Channel
from tf_rigl.core.structures import ConstantFanIn
from tf_rigl.core.structures import NByM
from tf_rigl.core.structures import Unstructured

# Each structure with shapes [positions, inputs, units] that it divides and
# that it does not, of size 1, and narrower than its block.
CASES = [
    (Unstructured(), (2, 5, 7)),
    (Block(2, 2), (1, 4, 6)),
    (Block(2, 2), (2, 5, 7)),
    (Block(3, 2, "max"), (2, 5, 7)),
    (Block(4, 3), (3, 1, 2)),
    (Block(1, 1), (1, 1, 1)),
    (NByM(2, 4), (2, 8, 3)),
    (NByM(1, 3), (1, 3, 1)),
    (NByM(1, 1), (2, 1, 3)),
    (ConstantFanIn(), (2, 5, 7)),
    (ConstantFanIn(), (1, 1, 4)),
    (Channel("units"), (2, 5, 7)),
    (Channel("inputs"), (2, 5, 7)),
    (Channel("inputs", "max"), (2, 5, 7)),
    (Channel("units", "max"), (1, 1, 1)),
]
IDS = [f"{structure}-{'x'.join(map(str, shape))}" for structure, shape in CASES]


def groups(structure, shape):
    """Flat indices of each unit of a tiled, each row of a rowwise structure.

    In the order in which ties are broken.
    """
    index = np.arange(np.prod(shape)).reshape(shape)
    positions, inputs, units = shape

    match structure:
        case Block(height, width):
            boxes = itertools.product(
                range(positions),
                range(0, inputs, height),
                range(0, units, width),
            )
            found = [
                index[p, i : i + height, u : u + width] for p, i, u in boxes
            ]
        case Channel("units"):
            found = [index[:, :, unit] for unit in range(units)]
        case Channel("inputs"):
            found = [index[:, one, :] for one in range(inputs)]
        case NByM(_, m):
            boxes = itertools.product(
                range(positions), range(0, inputs, m), range(units)
            )
            found = [index[p, i : i + m, u] for p, i, u in boxes]
        case ConstantFanIn():
            found = [index[:, :, unit] for unit in range(units)]
    return [group.ravel() for group in found]


def is_tiled(structure):
    return isinstance(structure, Block | Channel)


def is_rowwise(structure):
    return isinstance(structure, NByM | ConstantFanIn)


def _whole(structure, shape):
    """Elements along positions, inputs and units of a tile not cut off."""
    positions, inputs, units = shape
    match structure:
        case Block(height, width):
            return (1, min(height, inputs), min(width, units))
        case Channel("units"):
            return (positions, inputs, 1)
    return (positions, 1, units)


def pooled(structure, values):
    """The score of each tile, in the order of `groups`."""
    shape = values.shape
    if structure.pooling == "max":
        # NaN wins, as it does among elements.
        magnitudes = np.abs(oracle.to_float64(values)).ravel()
        return np.array([magnitudes[g].max() for g in groups(structure, shape)])

    with np.errstate(all="ignore"):
        dtype = values.dtype if values.dtype == np.float64 else np.float32
        values = np.abs(values.astype(dtype))
        values[values < np.finfo(dtype).tiny] = 0
        return np.array(
            [
                _average(structure, values, group)
                for group in groups(structure, shape)
            ]
        )


def _average(structure, values, group):
    """The sum in pairs, as if the tile were whole."""
    whole = _whole(structure, values.shape)
    real = np.zeros(values.shape, values.dtype)
    real.flat[group] = values.flat[group]
    # The tile's first corner, then zeros where it is cut off.
    corner = np.unravel_index(group[0], values.shape)
    box = np.zeros(whole, values.dtype)
    end = [c + w for c, w in zip(corner, whole, strict=True)]
    cut = real[tuple(slice(c, e) for c, e in zip(corner, end, strict=True))]
    box[tuple(slice(0, size) for size in cut.shape)] = cut
    terms = box.ravel()

    while terms.size > 1:
        half = -(-terms.size // 2)
        second = np.zeros(half, values.dtype)
        second[: terms.size - half] = terms[half:]
        terms = terms[:half] + second
    return terms[0] * values.dtype.type(box.size / group.size)


def spread(structure, active, shape):
    mask = np.zeros(np.prod(shape), bool)
    for is_active, group in zip(active, groups(structure, shape), strict=True):
        mask[group] = is_active
    return mask.reshape(shape)


def largest(structure, scores, nonzeros, candidates=None):
    shape = scores.shape
    if candidates is None:
        candidates = np.ones(shape, bool)
    if not is_tiled(structure) and not is_rowwise(structure):
        return oracle.largest(scores, candidates, nonzeros)
    if is_tiled(structure):
        active = structure.active_units(shape, nonzeros)
        those = [candidates.flat[g].any() for g in groups(structure, shape)]
        chosen = oracle.largest(pooled(structure, scores), those, active)
        return spread(structure, chosen, shape)
    rows = groups(structure, shape)
    share = structure.connections(shape, nonzeros) // len(rows)
    return _largest_in_rows(rows, scores, candidates, [share] * len(rows))


def _largest_in_rows(rows, scores, candidates, counts):
    mask = np.zeros(scores.shape, bool)
    for row, count in zip(rows, counts, strict=True):
        mask.flat[row] = oracle.largest(
            scores.flat[row], candidates.flat[row], count
        )
    return mask


def drop_and_grow(structure, weights, mask, scores, count):
    shape = weights.shape
    if not np.isfinite(oracle.to_float64(scores)).all():
        return mask.copy()
    if is_tiled(structure):
        tiles = groups(structure, shape)
        moved = min(count, mask.size) * len(tiles) // mask.size
        active = np.array([mask.flat[tile].any() for tile in tiles])
        moved = min(moved, active.sum())
        kept = oracle.largest(
            pooled(structure, weights), active, active.sum() - moved
        )
        # A sum of finite scores may be infinite, so not oracle.drop_and_grow.
        chosen = kept | oracle.largest(pooled(structure, scores), ~kept, moved)
        return spread(structure, chosen, shape)
    if not is_rowwise(structure):
        return oracle.drop_and_grow(weights, mask, scores, count)
    rows = groups(structure, shape)
    kept = oracle.largest(weights, mask, mask.sum() - min(count, mask.sum()))
    missing = [mask.flat[row].sum() - kept.flat[row].sum() for row in rows]

    return kept | _largest_in_rows(rows, scores, ~kept, missing)
