"""From a dense Keras model to a sparse one."""

import dataclasses
import math
import warnings
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl import _deprecations
from tf_rigl.backend import platform_limits
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import checks
from tf_rigl.core import distribution_types
from tf_rigl.core import distributions
from tf_rigl.core import structures
from tf_rigl.core.sparse_initialization import scale_to_connections
from tf_rigl.core.structures import Structure
from tf_rigl.masking import deferred
from tf_rigl.masking import mask_history
from tf_rigl.masking import options as options_of_sparsify
from tf_rigl.masking import tree
from tf_rigl.masking.layer_config import STARTS
from tf_rigl.masking.layer_config import LayerConfig
from tf_rigl.masking.layer_config import WeightConfig
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import carry_masks
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.named_weights import NamedWeights
from tf_rigl.masking.options import SparsifyOptions
from tf_rigl.masking.options import Targets
from tf_rigl.masking.state_store import INITIAL_VALUES
from tf_rigl.masking.state_store import keep_state
from tf_rigl.masking.state_store import state_of

# A weight is large from this share of all elements on.
_LARGE_SHARE = 0.1


@_deprecations.moved_arguments(
    options_of_sparsify.MOVED, "0.2", options_of_sparsify.fold_moved
)
def sparsify(
    model: Any,
    sparsity: float,
    distribution: distributions.Distribution | Mapping[Any, float] = "erk",
    *,
    dense: Targets = (),
    seed: int = 0,
    structure: Structure | None = None,
    start: str = "random",
    options: SparsifyOptions | None = None,
) -> Any:
    """Masks the weights of a model, at exactly allotted counts.

    The model is changed in place and returned: it keeps its class, layers,
    names, compilation and all weights that are not masked; masked weights are
    0 from now on. Train it with the `UpdateMasks` callback or `attach`;
    without either it is trained with these masks as they are.

    Masked are kernels of Dense, EinsumDense, Conv1D/2D/3D, transposed,
    separable (pointwise) and locally connected convolutions, kernels and
    recurrent kernels of RNN cells, the projections of attention layers, and
    what a custom layer names by `get_prunable_weights`. Biases, normalization,
    depthwise kernels and embeddings stay dense, and so do frozen layers.

    Args:
        model: Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras. One that is not built yet is masked when it first
            meets data.
        sparsity: fraction of zeros over all weights that may be sparse, in
            [0, 1).
        distribution: how the zeros are spread: `"uniform"`, `"er"`, `"erk"`;
            a mapping of layers, weights or their names to sparsities,
            the rest shared uniformly, or as `PerLayer(mapping, rest="erk")`
            says; or a callable
            `({path: shape}, sparsity) -> {path: sparsity}`. `Uniform`, `ER`,
            `ERK` and `PerLayer` have options beside: the `power` of the
            densities, and the `budget`, whether what `dense` and the
            distribution fix counts for the sparsity over all
            (`"global"`, by default exactly the one asked for) or is ignored
            (`"reference"`, as in the published repositories).
        dense: what stays dense: layers, weights or their names, or a
            predicate `(layer) -> bool`.
        seed: for the random masks. The same seed gives the same masks on
            every machine, in both Keras flavors.
        structure: of the masks, such as `tf_rigl.Block(4, 4)` or
            `tf_rigl.NByM(2, 4)`; None for none. Counts are rounded to what
            the structure can have.
        start: the masks to begin with. `"random"`; `"magnitude"`, the largest
            of the weights as they are, to sparsify a trained model;
            `"dense"`, everything, for methods that prune: they take the model
            to the counts allotted here.
        options: what few users need: embeddings and depthwise convolutions to
            mask as well, initial weights scaled up to their connections or
            kept, the record of masks for `diagnose`.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras, or `distribution`
            nothing of the above.
        ValueError: for a sparsity outside [0, 1), an unknown distribution,
            layer or path, a budget that cannot be met, a structure that does
            not fit a weight or the sparsity, a model without weights that may
            be sparse or with all of them sparse already.

    Example:
        >>> import keras
        >>> model = keras.Sequential(
        ...     [keras.Input((784,)), keras.layers.Dense(10, name="out")]
        ... )
        >>> model = tf_rigl.sparsify(model, 0.9)
        >>> int(tf_rigl.masks(model)["out/kernel"].sum())
        784
    """
    flavor = model_flavor(model)
    checks.check_sparsity(sparsity)
    checks.check_choice("start", start, STARTS)
    checks.check_options(options, SparsifyOptions)
    _masked_layers(flavor, model)

    request = _Request(
        sparsity,
        distribution_types.with_options(distribution),
        dense,
        seed,
        structures.as_structure(structure),
        start,
        options or SparsifyOptions(),
    )
    if deferred.has_weights(model):
        _mask_weights(flavor, model, request)
    else:
        deferred.defer(model, lambda: _mask_weights(flavor, model, request))
    return model


@dataclasses.dataclass(frozen=True)
class _Request:
    """The arguments of `sparsify`, kept while a model is not built."""

    sparsity: float
    distribution: distribution_types.WithOptions
    dense: Targets
    seed: int
    structure: Structure
    start: str
    options: SparsifyOptions


def _mask_weights(flavor: Flavor, model: Any, request: _Request) -> None:
    """Allocates connections to the weights of a built model and masks them.

    Layers of a part that was sparsified before keep their masks; they count
    neither for the sparsity nor as eligible.
    """
    weights = NamedWeights(flavor, model, tree.sites(flavor, model))
    for site in weights.sites:
        platform_limits.check_in_one_piece(site.variable, site.path)

    asked_for = weights.select("include", request.options.include)
    kept_dense = weights.select("dense", request.dense)
    masked_layers = _masked_layers(flavor, model)

    unmasked = [
        site for site in weights.sites if id(site.owner) not in masked_layers
    ]
    eligible = [
        site
        for site in unmasked
        if site.owner.trainable
        and site.variable.trainable
        and (not site.opt_in or site.path in asked_for)
    ]

    if not eligible and masked_layers:
        raise _sparsified_once(model)
    if not eligible:
        raise ValueError(
            "The model must have trainable weights that may be sparse: "
            "kernels of dense, convolutional, recurrent or attention layers. "
            f"Received: model={model.name!r}, which has none. Name others by "
            "SparsifyOptions(include=[...]), or, in a custom layer, by a "
            "method `get_prunable_weights`."
        )

    _tell_of_left_out(unmasked, eligible, kept_dense)
    counts = distributions.allocate(
        {site.path: tuple(site.variable.shape) for site in eligible},
        request.sparsity,
        _named_by_path(request.distribution, weights),
        dense=[site.path for site in eligible if site.path in kept_dense],
    )

    plans = {
        id(site.variable): _plan(site, counts[site.path], request)
        for site in eligible
    }
    _carry(flavor, model, plans, request)
    if request.options.scale is not None:
        _scale(model, request.options.scale)


def _named_by_path(
    distribution: distribution_types.WithOptions, weights: NamedWeights
) -> distribution_types.WithOptions:
    """Returns the distribution with paths of weights for layers and names."""
    if not isinstance(distribution, distribution_types.PerLayer):
        return distribution
    given = distribution.sparsities
    if not isinstance(given, Mapping):
        return distribution
    by_path = {
        path: sparsity
        for target, sparsity in given.items()
        for path in weights.paths_of("distribution", target)
    }
    return dataclasses.replace(distribution, sparsities=by_path)


def _plan(site: tree.Site, target: int, request: _Request) -> WeightConfig:
    """Returns the configuration of a weight that is to be masked."""
    structure = request.structure
    shape = tuple(site.variable.shape)
    if isinstance(structure, structures.Unstructured):
        return WeightConfig(shape, target)

    layout = kernel_layout(site.owner, site.variable)
    if target < math.prod(layout.shape):
        structure.check(layout.shape, site.path)
        if isinstance(structure, structures.NByM):
            target = _exact_target(target, site.path, layout.shape, request)
        target = structure.connections(layout.shape, target)
    return WeightConfig(shape, target, layout)


def _exact_target(
    asked: int, path: str, shape: Sequence[int], request: _Request
) -> int:
    """Returns the connections of N:M; raises if others are asked for.

    Other structures round it. A third is no decimal, so that 2/3 may come out
    as one connection more or less.
    """
    structure: Any = request.structure
    n, m = structure.n, structure.m
    exact = structure.connections(shape, 0)
    is_meant = math.isclose(request.sparsity, 1 - n / m, abs_tol=1e-9)
    if abs(asked - exact) > is_meant:
        raise ValueError(
            f"{structure} leaves {n} of {m} connections. Received: {asked} "
            f"connections for {path!r} instead of {exact}. Pass "
            f"sparsity={1 - n / m}, distribution='uniform', or, where some "
            "weights stay dense, tf_rigl.Uniform(budget='reference')."
        )
    return exact


def _carry(
    flavor: Flavor,
    model: Any,
    plans: dict[int, WeightConfig],
    request: _Request,
) -> None:
    """Gives each host the masks of the weights that it contains.

    `plans` holds the configuration of each weight by its variable's id.
    """
    for host in tree.hosts(flavor, model):
        sites = [
            site
            for site in tree.sites(flavor, host.layer)
            if id(site.variable) in plans
        ]
        if not sites:
            continue

        values = {
            site.key: flavor.raw(site.variable).numpy()
            for site in sites
            if request.options.keep_initial_values
        }
        config = LayerConfig(
            # A weight that several hosts share belongs to the first.
            {site.key: plans.pop(id(site.variable)) for site in sites},
            request.seed,
            "/".join(host.key),
            request.structure,
            request.start,
        )
        carry_masks(host.layer, config)

        _keep_initial_values(host.layer, values)
        if request.options.diagnostics:
            mask_history.start_recording(host.layer)


def _keep_initial_values(layer: Any, values: Mapping[str, np.ndarray]) -> None:
    keep_state(
        layer,
        {key: {INITIAL_VALUES: one.dtype.name} for key, one in values.items()},
    )
    for key, one in values.items():
        state_of(layer, key)[INITIAL_VALUES].assign(one)


def _scale(model: Any, per: str) -> None:
    """Scales initial weights up to the connections that are left."""
    for record in masked_weights(model):
        layout = kernel_layout(record.owner, record.variable)
        scaled = scale_to_connections(
            layout.view(record.values()), layout.view(record.mask), per
        )
        record.set_values(layout.unview(scaled))


def _masked_layers(flavor: Flavor, model: Any) -> set[int]:
    """Returns the ids of the layers of a part that is sparse already.

    Raises:
        ValueError: if the model has been sparsified itself, or the part is
            within a layer that does not save it.
    """
    if deferred.is_deferred(model):
        raise _sparsified_once(model)

    found: set[int] = set()
    for host in tree.hosts(flavor, model):
        below = [node.layer for node in tree.walk(flavor, host.layer)]
        if hasattr(host.layer, ATTRIBUTE):
            found.update(map(id, below))
        elif any(hasattr(layer, ATTRIBUTE) for layer in below):
            raise ValueError(
                "A sparse part must be in a functional or sequential model to "
                "be saved with the whole. Received: a part within "
                f"{host.layer.name!r}, which makes its layers itself. Call "
                "`tf_rigl.strip` on the part and sparsify the whole."
            )
    return found


def _sparsified_once(model: Any) -> ValueError:
    return ValueError(
        "A weight can be sparsified once. Received: "
        f"model={model.name!r}, which has its masks already. "
        "Call `tf_rigl.strip` on it first for new masks."
    )


def _tell_of_left_out(
    sites: Iterable[tree.Site],
    eligible: Iterable[tree.Site],
    kept_dense: Collection[str],
) -> None:
    """Warns of large weights that stay dense without being asked for."""
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
            "as dense=[...] if they shall stay so.",
            # The caller of `sparsify`.
            stacklevel=5,
        )
