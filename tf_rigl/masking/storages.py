"""Storages by their name in the configuration of masked layers."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tf_rigl.masking.compressed_storage import CompressedStorage
from tf_rigl.masking.storage import DenseStorage
from tf_rigl.masking.storage import Storage

DENSE = "dense"
COMPRESSED = "compressed"

# Made of the weight's variable and of what its mask store has for it.
STORAGES: Mapping[str, Callable[[Any, Any], Storage]] = {
    DENSE: DenseStorage,
    COMPRESSED: CompressedStorage,
}
