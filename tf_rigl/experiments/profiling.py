"""The costs of a network at a sparsity, without training it."""

import dataclasses
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tf_rigl
from tf_rigl import accounting
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs.settings import RunSettings

# Networks whose published counts pad images twice; see `accounting.micronet`.
PADDED_AGAIN = ("mobilenet_v1",)
# Methods whose costs do not depend on a pruning schedule.
METHODS = ("static", "snip", "set", "snfs", "rigl")


# Properties of the rows and of the sums over them, for JSON.
_ROW_RATES = ("sparsity", "flops", "dense_flops", "bytes", "dense_bytes")
_TOTALS = (
    "parameters",
    "nonzeros",
    "macs",
    "dense_macs",
    "masked_parameters",
    "masked_sparsity",
    *_ROW_RATES,
)


class NetworkCosts(NamedTuple):
    """The costs of a network, counted in two ways."""

    profile: accounting.ModelProfile  # by our convention
    published: accounting.MicroNetCounts  # by that of published tables
    training_share: float  # published training FLOPs, as a share of dense

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers as plain values, by name."""
        profile = self.profile
        return {
            "name": profile.name,
            "weights": [
                {**dataclasses.asdict(row), **_numbers(row, _ROW_RATES)}
                for row in profile.rows
            ],
            "total": _numbers(profile, _TOTALS),
            "uncounted": [layer._asdict() for layer in profile.uncounted],
            "published": self.published._asdict(),
            "training_share": self.training_share,
        }


def profile_network(keras: ModuleType, settings: RunSettings) -> NetworkCosts:
    """Builds a network, masks it and counts its costs.

    Only the settings that are flags of `tf-rigl profile` matter. With a
    sparsity of 0 there are no masks.

    Raises:
        ValueError: if `dense_layers` has an unknown layer, or the costs of
            the method depend on a pruning schedule.
    """
    if settings.method not in METHODS:
        raise ValueError(
            f"`method` must be one of {', '.join(METHODS)}, whose costs do not "
            f"depend on a schedule. Received: method={settings.method!r}. See "
            "--dry_run of the training programs for others."
        )

    model = networks.make_network(settings.model, keras, width=settings.width)
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


def _numbers(costs: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(costs, name) for name in names}


def _padded_again(
    name: str, model: Any, profile: accounting.ModelProfile
) -> frozenset[str]:
    """Returns the paths of strided kernels, which the papers' counter pads."""
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
