"""The size that weights stored by their connections have as dense matrices."""

import os
from collections.abc import Iterable

from tf_rigl.masking.masked_weight import MaskedWeight


def check_fits(records: Iterable[MaskedWeight], action: str) -> None:
    """Raises a ValueError if dense weights are larger than all memory.

    Without it, the system would end the process.

    Args:
        records: the masked weights of a model.
        action: a verb for what makes them dense, for the error.
    """
    sizes = {
        record.path: record.size * record.dtype.size
        for record in records
        if record.storage.is_compressed
    }
    needed, there = sum(sizes.values()), memory()
    if needed > there:
        raise ValueError(
            f"To {action} needs memory for dense matrices. Received: a model "
            f"with storage='compressed' for {sorted(sizes)}, which takes "
            f"{needed / 2**30:.1f} GiB dense, on a machine with "
            f"{there / 2**30:.1f} GiB. Go on with the model as it is, or "
            "export it by `tf_rigl.export_saved_model`, which packs it without "
            "dense matrices."
        )


def memory() -> int:
    """Returns the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
