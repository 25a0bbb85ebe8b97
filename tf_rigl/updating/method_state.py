"""The variables that a method keeps for each weight between steps."""

from collections.abc import Mapping
from typing import Any

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms.requirements import INACTIVE_VALUES as INACTIVE_VALUES
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.state_store import INITIAL_VALUES
from tf_rigl.masking.state_store import keep_state


def keep(records: list[MaskedWeight], algorithm: Algorithm) -> None:
    """Creates the state variables that a method needs and drops all others.

    Existing variables keep their values, so that training can be resumed. A
    layer whose state already fits is not touched.
    """
    requirements = algorithm.requirements
    takes_all = requirements.whole_model or requirements.dense_weights
    by_host: dict[int, tuple[Any, dict[str, Mapping[str, str]]]] = {}
    for record in records:
        _, dtypes = by_host.setdefault(id(record.host), (record.host, {}))
        if record.is_sparse or takes_all:
            dtypes[record.host_key] = _dtypes(record, algorithm)
    for host, dtypes in by_host.values():
        keep_state(host, dtypes)


def check_initial_values(
    records: list[MaskedWeight], algorithm: Algorithm
) -> None:
    """Raises a ValueError if a method lacks the initial values."""
    missing = [
        record.path for record in records if INITIAL_VALUES not in record.state
    ]
    if algorithm.requirements.initial_values and missing:
        raise ValueError(
            "The method needs the initial values of the weights. Received: "
            f"algorithm={algorithm!r}, but they were not kept for {missing}. "
            "Call tf_rigl.sparsify(..., options="
            "tf_rigl.SparsifyOptions(keep_initial_values=True))."
        )


def _dtypes(record: MaskedWeight, algorithm: Algorithm) -> dict[str, str]:
    dtypes = {
        name: (dtype or record.dtype).name
        for name, dtype in algorithm.state.items()
    }
    latent = algorithm.requirements.latent
    if latent is not None:
        dtypes.setdefault(latent, record.dtype.name)
    return dtypes
