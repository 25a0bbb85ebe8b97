"""Factorization of a model's kernels, in place."""

import functools
import math
import warnings
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.frobenius_decay import FrobeniusDecay
from tf_rigl.backend import flavor as flavors
from tf_rigl.core import checks
from tf_rigl.core import low_rank
from tf_rigl.factors import attention as pairs
from tf_rigl.factors import candidates
from tf_rigl.factors import factorized_layer
from tf_rigl.factors import layouts
from tf_rigl.factors import ranks as rank_choice
from tf_rigl.factors import report
from tf_rigl.factors.candidates import Candidate
from tf_rigl.factors.factor_config import KernelFactors
from tf_rigl.factors.factor_config import LayerFactors
from tf_rigl.masking import deferred
from tf_rigl.masking import reinitialize
from tf_rigl.masking import tree
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.named_weights import NamedWeights
from tf_rigl.masking.options import Targets
from tf_rigl.updating import renewed_optimizers
from tf_rigl.updating import train_functions

_DEPTHS = (2, 3)
_INITIALIZATIONS = ("spectral", "plain")
_WEIGHTS = ("current", "fresh")


def factorize(
    model: Any,
    *,
    ratio: float | None = None,
    ranks: int | Mapping[Any, int] | None = None,
    rank_scale: float | None = None,
    energy: float | None = None,
    layers: Targets | None = None,
    initialization: str = "spectral",
    frobenius_decay: float | FrobeniusDecay = 0.0,
    depth: int = 2,
    form: str = "auto",
    weights: str = "current",
    attention: bool = False,
    seed: int = 0,
    preset: str | None = None,
) -> Any:
    """Replaces the kernels of a model by products of thin factors.

    The model is changed in place and returned. A kernel W [rows, columns]
    becomes V U with V [rows, rank] and U [rank, columns], of rank·(rows +
    columns) weights, and the layer multiplies by one after the other. Layers
    keep their names, classes and biases, so that this works for Sequential,
    functional, nested and subclassed models, trained or new. The model trains
    by `fit`, is saved and loaded, profiled, sparsified (masks on the factors),
    shrunk and exported as any other. `tf_rigl.ranks` lists the factors, and
    `tf_rigl.strip` makes plain layers of them.

    Kernels of Dense, EinsumDense, Conv1D and Conv2D, kernels and recurrent
    kernels of SimpleRNN, GRU and LSTM, and projections of attention layers
    become factors. A kernel whose factors would have as many weights or more is
    left alone unless it is named.

    Ranks follow from exactly one of the first four arguments.

    Args:
        model: a built model of either Keras without masks.
        ratio: the share of the model's weights that are left, biases and
            statistics included, in (0, 1]; ranks are the largest of one
            `rank_scale` that it has room for.
        ranks: the rank of all kernels, or a mapping of layers, weights or
            their names to ranks, where others are left alone.
        rank_scale: ρ > 0 relative to the full rank; in a spatial convolution
            to the filters times the size of its columns, as published. From 1
            on, factors are larger than the kernel (overcomplete, "wide"): calls
            multiply them out, and `strip` leaves one kernel.
        energy: the share of each kernel's squared norm to keep, in (0, 1].
        layers: the layers, weights or their names to factorize, or a predicate
            `(layer) -> bool`; by default all that can be.
        initialization: `"spectral"`, the best product by the singular value
            decomposition with balanced factors; or `"plain"`, each factor by
            the layer's initializer, which ignores the kernel.
        frobenius_decay: λ of the decay λ/2 · ‖W‖² of each product, which takes
            the place of weight decay; with `FrobeniusDecay(λ, decoupled=True)`
            apart from the gradient, as AdamW decays. It needs an update rule
            of this library: `fit` with `UpdateMasks(tf_rigl.Static())`, or
            `attach` in a custom loop. Steps without one warn.
        depth: the number of factors: 2, or 3 for V M U with a square M that
            begins as the identity.
        form: the matrix of a convolution: `"spatial"`, a 1×k kernel and then a
            k×1 one; `"channels"`, a k×k kernel and then a 1×1 one; `"auto"`,
            spatial where both sizes are above 1.
        weights: `"current"` decomposes the weights as they are; `"fresh"` what
            the layers' initializers draw anew by `seed`.
        attention: whether `MultiHeadAttention` is factorized head by head: its
            queries and keys, values and outputs are pairs of factors, of which
            `key_dim` and `value_dim` are the ranks. By default each of its
            projections has factors of its own.
        seed: the seed of all that is drawn.
        preset: `"reference"` chooses ranks as the published code does: `"auto"`
            is spatial for 1×1 kernels, too; `ratio` is that of the trainable
            weights, and the nearest of a bisection, which may be above it; and
            kernels whose factors are larger have some as well.

    Returns:
        The same model. Its compilation holds; its optimizers are new.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is not built or has masks or factors; if an
            argument is none of the above; if a rank is above the full one; if
            a named layer cannot have factors; or if a budget cannot be met.
            Nothing has been changed then.

    Reference: Khodak et al., "Initialization and Regularization of Factorized
    Neural Layers", ICLR 2021, arXiv:2105.01029.

    Example:
        >>> model = tf_rigl.factorize(model, ratio=0.1, frobenius_decay=1e-4)
        >>> print(tf_rigl.ranks(model))
        >>> model.fit(x, y, callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())])
    """
    flavor = flavors.model_flavor(model)
    checks.check_choice("initialization", initialization, _INITIALIZATIONS)
    checks.check_choice("depth", depth, _DEPTHS)
    checks.check_choice("form", form, layouts.FORMS)
    checks.check_choice("weights", weights, _WEIGHTS)
    checks.check_choice("preset", preset, rank_choice.PRESETS)
    if not isinstance(frobenius_decay, FrobeniusDecay):
        frobenius_decay = FrobeniusDecay(frobenius_decay)
    _check_model(flavor, model)

    is_reference = preset == rank_choice.REFERENCE
    if is_reference and form == "auto":
        form = layouts.SPATIAL
    found = candidates.find(flavor, model, form, attention)
    named, numbers = _named(flavor, model, found, layers, ranks)
    able = _able(model, found, named)
    targets = rank_choice.Targets(ratio, numbers, rank_scale, energy)
    parameters = model.count_params()
    if is_reference:
        parameters = sum(math.prod(w.shape) for w in model.trainable_weights)
    chosen = rank_choice.choose(
        able, targets, named or (), parameters, depth, preset
    )
    left = {
        one.path: one.reason
        for one in found
        if one.reason is not None and one.is_kernel
    }
    if named is not None:
        others = {one.path for one in found if one.reason is None} - named
        left |= dict.fromkeys(others, rank_choice.NOT_NAMED)

    values = functools.partial(_values, initialization, weights, depth, seed)
    _replace(
        [one for one in able if one.path in chosen.ranks],
        chosen.ranks,
        depth,
        frobenius_decay,
        values,
    )
    model.__dict__[report.LEFT] = {**left, **chosen.left}
    if not chosen.ranks:
        warnings.warn(
            f"No kernel of {model.name!r} has factors: {chosen.left}. Ask for "
            "smaller ranks, or name layers whose factors may be larger.",
            stacklevel=2,
        )
    train_functions.forget(model)
    renewed_optimizers.renew(flavor, model)
    return model


def _check_model(flavor: flavors.Flavor, model: Any) -> None:
    if deferred.is_deferred(model) or not deferred.has_weights(model):
        raise ValueError(
            "The model must be built. Received: "
            f"model={model.name!r}, which has no weights yet. Call it on a "
            "batch first."
        )
    for node in tree.walk(flavor, model):
        if hasattr(node.layer, ATTRIBUTE):
            raise ValueError(
                "Factors are made of kernels without masks. Received: "
                f"model={model.name!r}, which `sparsify` has masked. Factorize "
                "first and sparsify the factors, or `strip` it before."
            )
        if factorized_layer.owns_factors(node.layer):
            raise ValueError(
                "A model is factorized once. Received: "
                f"model={model.name!r}, which has factors. Call "
                "`tf_rigl.strip(model, factors='kernel')` first."
            )


def _named(
    flavor: flavors.Flavor,
    model: Any,
    found: list[Candidate],
    layers: Targets | None,
    ranks: int | Mapping[Any, int] | None,
) -> tuple[set[str] | None, int | dict[str, int] | None]:
    """Returns the paths that were named, None for all, and ranks by path."""
    known = NamedWeights(flavor, model, tree.sites(flavor, model))
    by_path = {
        path: [one.path for one in found if _covers(one, path, known)]
        for path in {site.path for site in known.sites}
    }

    def paths(argument: str, targets: Targets) -> set[str]:
        selected = known.select(argument, targets)
        return {one for path in selected for one in by_path[path]}

    named = None if layers is None else paths("layers", layers)
    if not isinstance(ranks, Mapping):
        return named, ranks
    numbers = {
        path: rank
        for target, rank in ranks.items()
        for path in paths("ranks", [target])
    }
    both = set(numbers) if named is None else named & set(numbers)
    return both, {path: numbers[path] for path in both}


def _covers(one: Candidate, path: str, known: NamedWeights) -> bool:
    """Returns whether a candidate has the weight of a path."""
    if one.pair is None:
        return one.path == path
    kernels = [part.kernel for part in one.pair.parts]
    return any(
        site.path == path and any(site.variable is kernel for kernel in kernels)
        for site in known.sites
    )


def _able(
    model: Any, found: Iterable[Candidate], named: set[str] | None
) -> list[Candidate]:
    """Returns the candidates to factorize, all of which can be.

    Raises:
        ValueError: if one was named that cannot, or there is none.
    """
    wanted = [one for one in found if named is None or one.path in named]
    unable = {one.path: one.reason for one in wanted if one.reason is not None}
    if named is not None and unable:
        raise ValueError(
            "Layers that are named must be such as can be factorized. "
            f"Received: {unable}. Leave them out."
        )
    able = [one for one in wanted if one.reason is None]
    if not able:
        raise ValueError(
            "The model must have kernels that can be factorized. Received: "
            f"model={model.name!r}, of which none can: {unable}."
        )
    return able


def _values(
    initialization: str, weights: str, depth: int, seed: int, one: Candidate
) -> Any:
    """Returns a function of the rank that gives a kernel's factors."""
    name = one.path.rpartition("/")[2]
    stem = "kernel" if name == "kernel" else name.removesuffix("_kernel")
    initializer = getattr(one.owner, f"{stem}_initializer")

    def drawn(shape: tuple[int, ...], number: int) -> np.ndarray:
        own = reinitialize.reseeded(initializer, (seed, one.path, number))
        return np.array(tf.convert_to_tensor(own(shape, dtype="float32")))

    if initialization == "plain":
        rows, columns = one.sizes

        def plain(rank: int) -> list[np.ndarray]:
            shapes = [(rows, rank), (rank, columns)]
            if depth == 3:
                shapes.insert(1, (rank, rank))
            return [drawn(shape, n) for n, shape in enumerate(shapes)]

        return plain

    fresh = drawn(one.shape, 0) if weights == "fresh" else None
    matrix = one.matrix(fresh)
    if not np.isfinite(matrix).all():
        raise ValueError(
            "Kernels must be finite to be decomposed. Received: "
            f"{one.path!r}, which has values that are not. Restore weights "
            "from before, or pass weights='fresh'."
        )
    return lambda rank: low_rank.balanced_factors(matrix, rank, depth, seed)


def _replace(
    able: list[Candidate],
    ranks: Mapping[str, int],
    depth: int,
    decay: FrobeniusDecay,
    values: Any,
) -> None:
    """Makes the factors of all candidates, host by host."""
    given = {
        one.path: values(one)(ranks[one.path])
        for one in able
        if one.pair is None
    }
    hosts = {id(one.host): one.host for one in able}
    for key, host in hosts.items():
        own = [one for one in able if id(one.host) == key]
        kernels = [one for one in own if one.pair is None]
        config = LayerFactors(
            {
                one.key: KernelFactors(
                    one.shape, ranks[one.path], depth, one.form
                )
                for one in kernels
            },
            decay,
            {
                one.key: (one.owner._key_dim, one.owner._value_dim)
                for one in own
                if one.pair is not None
            },
        )
        for one in own:
            if one.pair is not None:
                pairs.shrink(one.pair, ranks[one.path])
        factorized_layer.carry_factors(
            host, config, {one.key: given[one.path] for one in kernels}
        )
