"""The warning of large weights that `sparsify` leaves dense."""

import math
import warnings
from collections.abc import Collection
from collections.abc import Iterable

from tf_rigl.masking import tree

# Fraction of all elements from which on a weight is considered large.
_LARGE_SHARE = 0.1


def tell(
    sites: Iterable[tree.Site],
    eligible: Iterable[tree.Site],
    kept_dense: Collection[str],
) -> None:
    """Warns of large weights that stay dense although nobody asked for it."""
    sizes = {site.path: math.prod(site.variable.shape) for site in sites}
    masked = {site.path for site in eligible}
    reasons = {}
    for site in sites:
        is_large = sizes[site.path] >= _LARGE_SHARE * sum(sizes.values())
        if is_large and site.path not in masked and site.path not in kept_dense:
            frozen = not (site.owner.trainable and site.variable.trainable)
            share = sizes[site.path] / sum(sizes.values())
            why = "frozen" if frozen else "only sparse if asked for"
            reasons[site.path] = f"{share:.0%} of the weights, {why}"

    if reasons:
        warnings.warn(
            f"Large weights stay dense: {reasons}. Pass them as "
            "options=tf_rigl.SparsifyOptions(include=[...]) to mask them, or "
            "as dense=[...] to keep them dense without this warning.",
            # The caller of `sparsify`.
            stacklevel=5,
        )
