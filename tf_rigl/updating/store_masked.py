"""Masked storage for good, of a model that lists its connections."""

import functools
from typing import Any

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.masking import dense_size
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import model_optimizers
from tf_rigl.updating import storage_change


def store_masked(model: Any) -> Any:
    """Stores all weights of a model as matrices with masks, in place.

    Masks, values and counters stay. So does the state of the model's
    optimizers, which are replaced by new ones: slots are 0 at inactive
    positions. It is as if the model had been trained with masked storage, and
    any method, and `prune`, can go on with it.

    Args:
        model: a model of either Keras that `sparsify` has masked, with
            optimizers as attributes, if any.

    Returns:
        The same model.

    Raises:
        ValueError: if the model is not built, or dense weights do not fit into
            memory.
    """
    flavor = model_flavor(model)
    records = [
        record
        for record in masked_weights(model)
        if record.storage.is_compressed
    ]
    dense_size.check_fits(records, "store weights as matrices")
    storage_change.replace_storage(
        flavor,
        model,
        functools.partial(model_optimizers.optimizers_of, flavor, model),
        records,
        "asked for",
    )
    return model
