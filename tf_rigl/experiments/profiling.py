"""The costs of a network at a sparsity, without training it."""

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
from tf_rigl.core.distribution_types import BUDGETS
from tf_rigl.core.distribution_types import Budget
from tf_rigl.core.distribution_types import with_options
from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import field
from tf_rigl.models import registry

DISTRIBUTIONS = ("uniform", "er", "erk")
# Networks whose published counts see images with padding that they have not.
PADDED_AGAIN = ("mobilenet_v1",)
# Methods whose costs do not depend on a schedule of pruning.
METHODS = ("static", "snip", "set", "snfs", "rigl")


@fields.documented
@dataclasses.dataclass(frozen=True)
class ProfileSettings:
    """A network, and how sparse it is to be."""

    model: str = field(
        "resnet_50", "Network.", fields.one_of(sorted(registry.BUILDERS))
    )
    sparsity: float = field(0.0, "Fraction of weights left out.")
    distribution: str = field(
        "erk", "Over the layers.", fields.one_of(DISTRIBUTIONS)
    )
    dense_layers: tuple[str, ...] = field(
        (), "Layers that stay dense, by name."
    )
    budget: Budget = field(
        "global",
        "global: the sparsity is that of all kernels, reference: dense layers "
        "do not count, as in published repositories.",
        fields.one_of(BUDGETS),
    )
    method: str = field(
        "rigl", "Training whose FLOPs to count.", fields.one_of(METHODS)
    )
    update_interval: int = field(100, "Steps between mask updates.")
    width: float = field(1.0, "What to multiply the widths by.")

    def __post_init__(self) -> None:
        fields.check(self)


class NetworkCosts(NamedTuple):
    """The costs of a network, counted in two ways."""

    profile: ModelProfile  # by our rule, weight by weight
    published: MicroNetCounts  # by that of published tables
    training_share: float  # of dense training, by the published rule


def profile_network(
    keras: ModuleType, settings: ProfileSettings, **options: Any
) -> NetworkCosts:
    """Builds a network, masks it and counts.

    Args:
        keras: the Keras to build with.
        settings: which network, and how sparse.
        **options: further arguments of the builder.

    Raises:
        ValueError: if there is no such network, layer or method, or a number
            is out of range.
    """
    model = registry.builder(settings.model)(
        keras, width=settings.width, **options
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
    return NetworkCosts(
        profile, published, trained / training_flops("dense", flops, dense)
    )


def _padded_again(
    name: str, model: Any, profile: ModelProfile
) -> frozenset[str]:
    """Finds kernels of strided layers, which published counts pad again."""
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
    """Raises a ValueError if layers that stay dense are not the model's."""
    known = [layer.name for layer in model.layers]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(
            "`dense_layers` must name layers of the model. Received: "
            f"{', '.join(unknown)}. It has {', '.join(known)}."
        )
