"""What a network would cost sparse, without training it."""

import dataclasses
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tf_rigl
from tf_rigl.accounting import MicroNetCounts
from tf_rigl.accounting import ModelProfile
from tf_rigl.accounting import micronet
from tf_rigl.accounting import training_flops
from tf_rigl.core.distribution_types import Budget
from tf_rigl.core.distribution_types import with_options
from tf_rigl.models import registry

DISTRIBUTIONS = ("uniform", "er", "erk")
BUDGETS = ("global", "reference")
# Networks whose published counts see images with padding that they have not.
PADDED_AGAIN = ("mobilenet_v1",)
# Methods whose costs do not depend on a schedule of pruning.
METHODS = ("static", "snip", "set", "snfs", "rigl")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which network, and how sparse.

    Attributes:
        model: A key of `models.by_name.BUILDERS`.
        sparsity: Fraction of the weights without a connection, in [0, 1).
        distribution: How the connections are shared out over the layers.
        dense_layers: Names of layers that stay dense.
        budget: Whether weights that stay dense count: see `tf_rigl.sparsify`.
        method: One of `METHODS`, as which training is reckoned.
        update_interval: Steps from one mask update to the next.
        width: What to multiply the widths of the layers by.
        options: Further arguments of the builder.
    """

    model: str
    sparsity: float = 0.0
    distribution: str = "erk"
    dense_layers: Sequence[str] = ()
    budget: Budget = "global"
    method: str = "rigl"
    update_interval: int = 100
    width: float = 1.0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


class Costs(NamedTuple):
    """What it costs."""

    profile: ModelProfile  # by our rule, weight by weight
    published: MicroNetCounts  # by that of published tables
    training_share: float  # of dense training, by the published rule


def profile_network(keras: ModuleType, settings: Settings) -> Costs:
    """Builds a network, masks it and counts.

    Args:
        keras: The Keras to build with.
        settings: Which network, and how sparse.

    Raises:
        ValueError: If there is no such network, layer or method, or a number
            is out of range.
    """
    model = registry.builder(settings.model)(
        keras, width=settings.width, **settings.options
    )
    check_dense_layers(model, settings.dense_layers)
    if settings.sparsity:
        tf_rigl.sparsify(
            model,
            settings.sparsity,
            with_options(settings.distribution, settings.budget),
            dense=list(settings.dense_layers),
        )
    profile = tf_rigl.profile(model)
    published = micronet(profile, _padded_again(settings.model, model, profile))
    flops, dense = published.flops, published.dense_flops
    trained = training_flops(
        settings.method, flops, dense, settings.update_interval
    )
    return Costs(
        profile, published, trained / training_flops("dense", flops, dense)
    )


def _padded_again(
    name: str, model: Any, profile: ModelProfile
) -> frozenset[str]:
    """Kernels of strided layers, where the published count pads them again."""
    if name not in PADDED_AGAIN:
        return frozenset()
    layers = {
        row.path: model.get_layer(row.path.split("/")[0])
        for row in profile.rows
    }
    return frozenset(
        path
        for path, layer in layers.items()
        if max(getattr(layer, "strides", (1,))) > 1
    )


def check_dense_layers(model: Any, names: Sequence[str]) -> None:
    """Raises a ValueError where layers that stay dense are not the model's."""
    known = [layer.name for layer in model.layers]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(
            "`dense_layers` must name layers of the model. Received: "
            f"{', '.join(unknown)}. It has {', '.join(known)}."
        )
