"""The costs of a network at a sparsity, without training it."""

from types import ModuleType
from typing import Any
from typing import NamedTuple

import tf_rigl
from tf_rigl import accounting
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.models import registry

# Networks whose published counts see images with padding that they have not.
PADDED_AGAIN = ("mobilenet_v1",)
# Methods whose costs do not depend on a schedule of pruning.
METHODS = ("static", "snip", "set", "snfs", "rigl")


class NetworkCosts(NamedTuple):
    """The costs of a network, counted in two ways."""

    profile: accounting.ModelProfile  # by our rule, weight by weight
    published: accounting.MicroNetCounts  # by that of published tables
    training_share: float  # of dense training, by the published rule


def profile_network(keras: ModuleType, settings: RunSettings) -> NetworkCosts:
    """Builds a network as its paper does, masks it and counts.

    Of the settings, those that `tf-rigl profile` has count; a sparsity of 0
    leaves masks out.

    Raises:
        ValueError: if there is no such layer, or training by the method takes
            what only a schedule tells.
    """
    if settings.method not in METHODS:
        raise ValueError(
            f"`method` must be one of {', '.join(METHODS)}, whose costs do not "
            f"depend on a schedule. Received: method={settings.method!r}. See "
            "--dry_run of the training programs for others."
        )

    model = registry.builder(settings.model)(keras, width=settings.width)
    networks.check_dense_layers(model, settings.dense_layers)
    if settings.sparsity:
        networks.sparsify(settings, model)
    profile = tf_rigl.profile(model)
    published = accounting.micronet(
        profile, _padded_again(settings.model, model, profile)
    )

    flops, dense = published.flops, published.dense_flops
    trained = accounting.training_flops(
        settings.method, flops, dense, settings.update_interval
    )
    share = trained / accounting.training_flops("dense", flops, dense)
    return NetworkCosts(profile, published, share)


def _padded_again(
    name: str, model: Any, profile: accounting.ModelProfile
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
