"""New initial values for a model that keeps its masks and its widths."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import dice
from tf_rigl.core import low_rank
from tf_rigl.core import redraw
from tf_rigl.core.checks import check_choice
from tf_rigl.core.dice import Dice
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.masking import layer_rules
from tf_rigl.masking import model_weights
from tf_rigl.masking import state_store
from tf_rigl.masking.model_weights import ModelWeight

_OWN = "reinit"
_HOWS = (_OWN, *redraw.OF_INITIAL_VALUES, *redraw.OF_SHAPES)
_MAX_SEED = 2**31


def reinitialize(
    model: Any,
    how: str = "reinit",
    *,
    keep_sign: bool = False,
    initial: Any = None,
    seed: int = 0,
) -> Any:
    """Draws new initial values for a model in place, through its masks.

    Of a ticket it is the control that keeps the structure and gives up the
    values; of a model that `shrink` has cut, training from scratch (Liu et al.,
    arXiv:1810.05270). The optimizer is not touched: compile anew, or restore a
    `Snapshot` of the beginning first, which also restores all weights that the
    following do not name.

    - `"reinit"`: all weights of the model are drawn by the initializers of
      their layers, with seeds of their own, and factors are spectral ones of
      what is drawn for their kernels. Weights that are not trained and
      have no initializer, such as statistics of data, stay.
    - `"reshuffle"`: masked weights get the initial values of their
      connections, permuted within each weight.
    - `"constant"`: ±σ of the initial values of each weight, with the signs of
      its connections permuted.
    - `"tickets"`: draws from the initial values of the weight's connections,
      with replacement.
    - `"signed_kaiming"`, `"kaiming_normal"`, `"glorot_normal"`: ±√(2 / fan-in)
      with random signs, or normal values of these variances, for the fan of
      the dense weight. Weights that may be sparse get them, masked or not.

    Values depend on `seed`, the weight's place in the model and the version of
    Keras's initializers alone; those of `"signed_kaiming"` and the normal ones
    are equal bit for bit on every machine. Without `keep_sign` the model's
    configuration remembers how the latter were drawn, so that
    `export_saved_model(values="seed")` need not store them.

    Args:
        model: a built model of either Keras, sparse or dense.
        how: one of the above.
        keep_sign: whether each connection keeps the sign of its initial value.
        initial: initial values, a `Snapshot` or arrays by path; by default
            those that `sparsify` has kept.
        seed: the seed, any 32-bit integer.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if `how` is unknown, initial values are needed and missing,
            there is no masked weight to draw values for, or a trained weight
            has no initializer. Nothing has been changed then.

    Example:
        >>> start.restore(model)
        >>> tf_rigl.reinitialize(model, "reinit", keep_sign=True, seed=1)
    """
    model_flavor(model)
    check_choice("how", how, _HOWS)
    # Of a snapshot, which is of a higher rank than this module.
    initial = getattr(initial, "weights", initial)
    weights = model_weights.model_weights(model_weights.walk_model(model))
    rolled: dict[str, Dice] = {}

    if how == _OWN:
        drawn = _by_initializers(weights, seed)
    else:
        chosen = [one for one in weights if _is_redrawn(one, how)]
        if not chosen:
            raise ValueError(
                "There must be weights to draw values for. Received: "
                f"model={model.name!r}, which has no masked ones. Call "
                "`tf_rigl.sparsify` first, or pass how='reinit'."
            )
        kernels = {one.path: _kernel(one, how, initial, seed) for one in chosen}
        drawn, rolled = _by_rule(how, kernels)

    by_path = {weight.path: weight for weight in weights}
    if keep_sign:
        for path in [path for path in drawn if by_path[path].may_be_sparse]:
            before = _initial_values(by_path[path], initial)
            drawn[path] = redraw.with_signs_of(drawn[path], before)
    for path, values in drawn.items():
        weight = by_path[path]
        weight.set_values(values.astype(weight.dtype.as_numpy_dtype))
        if weight.record is not None:
            weight.record.set_dice(None if keep_sign else rolled.get(path))
    return model


def reseeded(initializer: Any, seed: tuple[Any, ...]) -> Any:
    """Returns an initializer as it is with a seed, if it takes one."""
    number = zlib.crc32(repr(seed).encode()) % _MAX_SEED
    if hasattr(initializer, "get_config"):
        config = initializer.get_config()
        if "seed" in config:
            return type(initializer).from_config({**config, "seed": number})
    return initializer


def _is_redrawn(weight: ModelWeight, how: str) -> bool:
    if how in redraw.OF_INITIAL_VALUES:
        return weight.record is not None
    return weight.may_be_sparse or weight.record is not None


def _kernel(
    weight: ModelWeight, how: str, initial: Mapping[str, Any] | None, seed: int
) -> redraw.Kernel:
    """Returns what new values of a weight by a rule of `redraw` depend on."""
    mask, key = np.ones(weight.shape, bool), weight.path
    if weight.record is not None:
        mask, key = weight.record.mask.numpy(), weight.record.key
    positions, inputs, units = _view_shape(weight)
    needs_initial = how in redraw.OF_INITIAL_VALUES

    return redraw.Kernel(
        initial=_initial_values(weight, initial) if needs_initial else None,
        mask=mask,
        fan_in=positions * inputs,
        fan_out=positions * units,
        seed=stateless_seed(seed, key),
    )


def _by_rule(
    how: str, kernels: Mapping[str, redraw.Kernel]
) -> tuple[dict[str, np.ndarray], dict[str, Dice]]:
    """Returns new values by path, and their dice if a seed determines them."""
    if how in redraw.OF_INITIAL_VALUES:
        rule = redraw.OF_INITIAL_VALUES[how]
        return {path: rule(kernel) for path, kernel in kernels.items()}, {}

    rolled = {
        path: redraw.OF_SHAPES[how](kernel) for path, kernel in kernels.items()
    }
    drawn = {
        path: dice.roll(one, kernels[path].mask.shape).numpy()
        for path, one in rolled.items()
    }
    return drawn, rolled


def _view_shape(weight: ModelWeight) -> tuple[int, int, int]:
    layout = weight.layout
    if layout is None:
        # Named by `include`: no rule says what its axes are.
        *positions, inputs, units = (1, 1, *weight.shape)
        return int(np.prod(positions)), inputs, units
    return layout.shape


def _initial_values(
    weight: ModelWeight, given: Mapping[str, Any] | None
) -> np.ndarray:
    """Returns the initial values of a weight, which were given or kept."""
    values = None
    if given is not None:
        values = given.get(weight.path)
    elif weight.record is not None:
        values = weight.record.state.get(state_store.INITIAL_VALUES)
    if values is None:
        raise ValueError(
            "The initial values of all weights are needed. Received: none for "
            f"{weight.path!r}. Pass initial=snapshot, or call "
            "tf_rigl.sparsify(..., options=tf_rigl.SparsifyOptions("
            "keep_initial_values=True))."
        )
    return np.array(tf.convert_to_tensor(values))


def _by_initializers(
    weights: list[ModelWeight], seed: int
) -> dict[str, np.ndarray]:
    """Returns the values that the layers' own initializers draw.

    Raises:
        ValueError: if a trained weight has no initializer.
    """
    drawn: dict[str, np.ndarray] = {}
    for number, weight in enumerate(weights):
        if weight.path in drawn:
            continue  # with another factor of the same kernel
        factors = _factors(weight, weights, (seed, number))
        if factors:
            drawn.update(factors)
            continue

        initializer = _initializer(weight)
        if initializer is not None:
            drawn[weight.path] = _draw(weight, initializer, (seed, number))
        elif weight.variable.trainable:
            raise ValueError(
                "Each trained weight needs an initializer as an attribute of "
                "its layer, such as `kernel_initializer`. Received: "
                f"{weight.path!r} of {type(weight.owner).__name__}, which has "
                "none. Give the layer one, or build the model again."
            )
    return drawn


def _factors(
    weight: ModelWeight, weights: list[ModelWeight], seed: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Returns spectral factors of the kernel that a weight is a factor of.

    It is drawn by the layer's initializer. Empty for other weights.
    """
    kernels = vars(weight.owner).get(layer_rules.FACTORS, {})
    for name, factored in kernels.items():
        paths = [
            other.path
            for variable in factored.variables
            for other in weights
            if other.variable is variable
        ]
        if weight.path in paths:
            stem = name if name == "kernel" else name.removesuffix("_kernel")
            own = getattr(weight.owner, f"{stem}_initializer")
            config = factored.config
            kernel = reseeded(own, seed)(config.shape, dtype="float32")
            values = low_rank.balanced_factors(
                factored.layout.matrix(np.array(tf.convert_to_tensor(kernel))),
                config.rank,
                config.depth,
                seed[0],
            )
            return dict(zip(paths, values, strict=True))
    return {}


def _initializer(weight: ModelWeight) -> Any:
    """Returns the initializer of a weight, None if its layer has none.

    Keras calls it after the weight, without "kernel" where there are several.
    """
    name = weight.path.rpartition("/")[2]
    for stem in (name, name.removesuffix("_kernel")):
        found = getattr(weight.owner, f"{stem}_initializer", None)
        if found is not None:
            return found
    return None


def _draw(
    weight: ModelWeight, initializer: Any, seed: tuple[int, int]
) -> np.ndarray:
    """Returns values by an initializer as by a new one with another seed."""
    initializer = reseeded(initializer, seed)

    def values(shape: tuple[int, ...]) -> np.ndarray:
        drawn = initializer(shape, dtype=weight.dtype.name)
        return np.array(tf.convert_to_tensor(drawn))

    if weight.path.endswith("/bias") and _forgets_nothing(weight.owner):
        # LSTM's forget gate, the second of four, begins open.
        (size,) = weight.shape
        parts = values((size // 4,)), np.ones(size // 4), values((size // 2,))
        return np.concatenate(parts)
    return values(weight.shape)


def _forgets_nothing(owner: Any) -> bool:
    return bool(getattr(owner, "unit_forget_bias", False))
