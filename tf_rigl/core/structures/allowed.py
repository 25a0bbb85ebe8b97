"""Checks whether a given mask has a structure."""

import math

import numpy as np
import tensorflow as tf

from tf_rigl.core.structures.rowwise import ConstantFanIn
from tf_rigl.core.structures.structure import Structure
from tf_rigl.core.structures.tiled import Tiled
from tf_rigl.core.structures.unstructured import Unstructured


def allows(structure: Structure, mask: tf.Tensor) -> bool:
    """Returns whether a mask is one of those that a structure allows.

    A constant fan-in may lack units as a whole, as SRigL ablates them.

    Args:
        structure: any structure, also one of the user's.
        mask: bool tensor in the structure's view.
    """
    if isinstance(structure, Unstructured):
        return True
    if isinstance(structure, ConstantFanIn):
        fan_in = np.count_nonzero(structure.to_rows(mask).numpy(), axis=1)
        return len(np.unique(fan_in[fan_in > 0])) <= 1

    # The structure chooses out of the mask's own positions: what it cannot
    # choose has to go, and tiles are chosen as a whole.
    wanted = int(np.count_nonzero(mask.numpy()))
    if isinstance(structure, Tiled):
        # Tiles that are cut off at the ends have fewer positions than others.
        wanted = math.prod(mask.shape)
    chosen = structure.largest(tf.cast(mask, tf.float32), wanted, mask)
    return bool(tf.reduce_all(tf.equal(chosen, mask)))
