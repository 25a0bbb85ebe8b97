"""Sparsity structures, the sets of masks that a weight may have.

`structure` defines the interface, which selects connections and counts how many
a mask can have. Structures see a weight as [positions, inputs, units].

>>> NByM(2, 4).connections((9, 64, 128), 9 * 64 * 128 // 2)
36864
"""

from tf_rigl.core.structures.allowed import allows as allows
from tf_rigl.core.structures.configuration import as_structure as as_structure
from tf_rigl.core.structures.configuration import deserialize as deserialize
from tf_rigl.core.structures.configuration import register as register
from tf_rigl.core.structures.configuration import serialize as serialize
from tf_rigl.core.structures.rowwise import ConstantFanIn as ConstantFanIn
from tf_rigl.core.structures.rowwise import NByM as NByM
from tf_rigl.core.structures.structure import Structure as Structure
from tf_rigl.core.structures.tiled import Block as Block
from tf_rigl.core.structures.tiled import Channel as Channel
from tf_rigl.core.structures.tiled import Tiled as Tiled
from tf_rigl.core.structures.unstructured import Unstructured as Unstructured
