"""Conversion of a dense Keras model to a sparse one."""

import dataclasses
import math
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
from tf_rigl.core.structures import Structure
from tf_rigl.masking import deferred
from tf_rigl.masking import initial_scale
from tf_rigl.masking import left_out
from tf_rigl.masking import mask_history
from tf_rigl.masking import options as options_of_sparsify
from tf_rigl.masking import scale_masks
from tf_rigl.masking import storage_choice
from tf_rigl.masking import tree
from tf_rigl.masking.layer_config import STARTS
from tf_rigl.masking.layer_config import LayerConfig
from tf_rigl.masking.layer_config import WeightConfig
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import carry_masks
from tf_rigl.masking.named_weights import NamedWeights
from tf_rigl.masking.options import SparsifyOptions
from tf_rigl.masking.options import Targets
from tf_rigl.masking.state_store import INITIAL_VALUES
from tf_rigl.masking.state_store import keep_state
from tf_rigl.masking.state_store import state_of


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
    weights: str = "kernels",
    storage: str = "masked",
    options: SparsifyOptions | None = None,
) -> Any:
    """Masks the weights of a model to an exact number of connections.

    The model is changed in place and returned. It keeps its class, layers,
    names, compilation and all weights that are not masked; values at masked
    positions become 0. Train it with the `UpdateMasks` callback or `attach`;
    without either, the masks stay as they are.

    Masked are kernels of Dense, EinsumDense, Conv1D/2D/3D, transposed,
    separable (pointwise) and locally connected convolutions, kernels and
    recurrent kernels of RNN cells, the projections of attention layers, and the
    weights that a custom layer returns from `get_prunable_weights`. Biases,
    normalization, depthwise kernels, embeddings and frozen layers stay dense.

    Args:
        model: Sequential, functional, subclassed or nested model of Keras 3 or
            tf_keras. A model that is not built yet is masked when it is first
            called.
        sparsity: fraction of zeros over all weights that may be sparse, in
            [0, 1).
        distribution: how the zeros are distributed: `"uniform"`, `"er"`,
            `"erk"`; a mapping of layers, weights or their names to sparsities,
            where the others share the rest uniformly, or as `PerLayer(mapping,
            rest="erk")` says; or a callable `({path: shape}, sparsity) ->
            {path: sparsity}`. `Uniform`, `ER`, `ERK` and `PerLayer` take
            options: the `power` of the densities, and the `budget`. By default
            (`"global"`), weights fixed by `dense` or the distribution count
            towards the overall sparsity, which is exactly the requested one;
            with `"reference"` they are ignored, as in the published
            repositories.
        dense: weights that stay dense: layers, weights or their names, or a
            predicate `(layer) -> bool`.
        seed: seed of the random masks. The same seed gives the same masks on
            every machine and in both Keras flavors.
        structure: structure of the masks, such as `tf_rigl.Block(4, 4)` or
            `tf_rigl.NByM(2, 4)`; None for unstructured masks. Counts are
            rounded to those that the structure can have.
        start: initial masks: `"random"`; `"magnitude"` keeps the largest
            present values, to sparsify a trained model; `"dense"` keeps all
            connections, for methods that prune to the counts allotted here.
        weights: what is masked. `"kernels"` are the weights above. `"scales"`
            are the scales of BatchNormalization and GroupNormalization, one
            for each channel, whose shift is 0 where they are masked; each
            layer keeps a channel, also at a sparsity of 1. `shrink` then cuts
            masked channels out.
        storage: `"masked"` keeps kernels as matrices with zeros;
            `"compressed"` the connections alone, in Dense, EinsumDense and 1×1
            convolutions, so that cost and memory of training on a CPU follow
            the density; `"auto"` does so where that is known to be faster. See
            docs/compressed_training.md.
        options: less common options: masking embeddings and depthwise
            convolutions, scaling or keeping initial weights, and recording
            masks for `diagnose`.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras, or `distribution` has
            none of the types above.
        ValueError: if the sparsity is outside [0, 1), or [0, 1] for scales; a
            distribution, layer or path is unknown; the budget cannot be met;
            the structure does not fit a weight or the sparsity; or the model
            has no weights that may be sparse, or only weights that already
            are.

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
    checks.check_choice("start", start, STARTS)
    checks.check_choice("weights", weights, scale_masks.WEIGHTS)
    checks.check_choice("storage", storage, storage_choice.CHOICES)
    checks.check_options(options, SparsifyOptions)
    structure = structures.as_structure(structure)
    options = options or SparsifyOptions()
    if weights == "scales":
        scale_masks.check_arguments(sparsity, structure, options)
    else:
        checks.check_sparsity(sparsity)
    is_plain = weights == "kernels" and not options.keep_initial_values
    storage = storage_choice.checked(storage, structure, start, is_plain)
    _masked_layers(flavor, model)

    request = _Request(
        sparsity,
        distribution_types.with_options(distribution),
        dense,
        seed,
        structure,
        start,
        weights == "scales",
        storage,
        options,
    )
    if deferred.has_weights(model):
        _mask_weights(flavor, model, request)
    else:
        deferred.defer(
            model,
            lambda: _mask_weights(flavor, model, request),
            announces=storage != storage_choice.MASKED and start == "random",
        )
    return model


@dataclasses.dataclass(frozen=True)
class _Request:
    """The arguments of `sparsify`, kept until the model is built."""

    sparsity: float
    distribution: distribution_types.WithOptions
    dense: Targets
    seed: int
    structure: Structure
    start: str
    of_scales: bool
    storage: str
    options: SparsifyOptions


def _mask_weights(flavor: Flavor, model: Any, request: _Request) -> None:
    """Allots connections to the weights of a built model and masks them.

    Layers of a part that was sparsified before keep their masks. They do not
    count towards the sparsity.
    """
    if request.of_scales:
        scale_masks.check_model(flavor, model)
    sites = [
        site
        for site in tree.sites(flavor, model)
        if site.is_scale == request.of_scales
    ]
    weights = NamedWeights(flavor, model, sites)
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
        and (not site.opt_in or site.is_scale or site.path in asked_for)
    ]

    if not eligible and masked_layers:
        raise _sparsified_once(model)
    if not eligible:
        raise ValueError(
            "The model must have trainable weights that may be sparse: "
            "kernels of dense, convolutional, recurrent or attention layers, "
            "or scales of normalization layers if they are asked for. "
            f"Received: model={model.name!r}, which has none. Name others by "
            "SparsifyOptions(include=[...]), or, in a custom layer, by a "
            "method `get_prunable_weights`."
        )

    left_out.tell(unmasked, eligible, kept_dense)
    shapes = {site.path: tuple(site.variable.shape) for site in eligible}
    named = _named_by_path(request.distribution, weights)
    fixed = [site.path for site in eligible if site.path in kept_dense]
    if request.of_scales:
        counts = scale_masks.allocate(shapes, request.sparsity, named, fixed)
    else:
        counts = distributions.allocate(
            shapes, request.sparsity, named, dense=fixed
        )

    plans = {
        id(site.variable): storage_choice.with_storage(
            flavor,
            model,
            site,
            dataclasses.replace(
                _plan(site, counts[site.path], request),
                stays_dense=site.path in kept_dense,
            ),
            request.storage,
        )
        for site in eligible
    }
    _carry(flavor, model, plans, request)
    if request.options.scale is not None:
        initial_scale.scale_initial(model, request.options.scale)


def _named_by_path(
    distribution: distribution_types.WithOptions, weights: NamedWeights
) -> distribution_types.WithOptions:
    """Replaces layers and names in a mapping by the paths of weights."""
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
    """Returns the configuration of a weight to be masked."""
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
    """Returns the connections of N:M; raises if the request differs.

    Other structures round the request to a count that they can have.
    """
    structure: Any = request.structure
    n, m = structure.n, structure.m
    exact = structure.connections(shape, 0)
    # The rounding of an inexact decimal may move one connection.
    tolerance = int(math.isclose(request.sparsity, 1 - n / m, abs_tol=1e-9))
    if abs(asked - exact) > tolerance:
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
    """Masks each host layer with the weights that it contains.

    `plans` maps the id of a variable to the configuration of its weight.
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
            # A weight shared by several hosts belongs to the first one.
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
    """Stores arrays of initial values, by the weights' keys in the layer."""
    kinds = {
        key: {INITIAL_VALUES: array.dtype.name} for key, array in values.items()
    }
    keep_state(layer, kinds)
    for key, array in values.items():
        state_of(layer, key)[INITIAL_VALUES].assign(array)


def _masked_layers(flavor: Flavor, model: Any) -> set[int]:
    """Returns the ids of layers in parts that are already sparse.

    Raises:
        ValueError: if the whole model is already sparse, or a sparse part is
            inside a layer that does not save it.
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
