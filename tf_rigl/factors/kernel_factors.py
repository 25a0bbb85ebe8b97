"""The factors of one kernel of a layer, and how they take its place."""

import functools
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.frobenius_decay import FrobeniusDecay
from tf_rigl.backend import flavor as flavors
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.core import low_rank
from tf_rigl.factors import layouts
from tf_rigl.factors.factor_config import KernelFactors
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import FACTORS

# Up to this size a kernel that no values are known for is decomposed exactly.
_EXACT = 256
_MORE = 32  # dimensions beyond the rank in which a larger one is


class Factored(NamedTuple):
    """The factors of one kernel of a layer."""

    config: KernelFactors
    layout: layouts.Layout
    variables: tuple[Any, ...]  # Keras variables, in the order of products
    trainable: bool  # whether the kernel was trained

    def values(self) -> list[tf.Tensor]:
        """Returns the factors as the layer computes with them."""
        return [tf.convert_to_tensor(one) for one in self.variables]

    def product(self) -> tf.Tensor:
        """Returns the kernel."""
        first, *others = self.values()
        matrix = functools.reduce(tf.matmul, others, first)
        return self.layout.kernel(matrix, self.config.shape, tf)

    @property
    def is_thin(self) -> bool:
        """Whether calls go by the factors and not by their product."""
        return self.config.is_thin(self.layout.sizes(self.config.shape))


class ProductKernel:
    """Attribute of a layer that is the product of factors, if it has them."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        found = layer.__dict__.get(FACTORS, {}).get(self._name)
        if found is not None:
            return found.product()
        if self._name in layer.__dict__:
            return layer.__dict__[self._name]
        return getattr(super(self._owner, layer), self._name)

    def __set__(self, layer: Any, value: Any) -> None:
        layer.__dict__[self._name] = value

    def __delete__(self, layer: Any) -> None:
        if self._name not in layer.__dict__:
            raise AttributeError(self._name)
        del layer.__dict__[self._name]


def replace(
    flavor: flavors.Flavor,
    site: tree.Site,
    config: KernelFactors,
    decay: FrobeniusDecay,
    values: list[np.ndarray] | None,
) -> None:
    """Puts factors in the place of one kernel."""
    layer, kernel = site.owner, site.variable
    name = site.key.rpartition("/")[2]
    layout = layouts.of_kernel(layer, config.form, len(config.shape))
    raw = flavor.raw(kernel)

    with strategy_of([raw]).scope(), tf.init_scope():
        if values is None:
            matrix = layout.matrix(tf.convert_to_tensor(raw).numpy())
            values = _initial_factors(matrix, config)
        trainable = bool(kernel.trainable)
        suffixes = ("v", "u") if config.depth == 2 else ("v", "m", "u")
        named = {
            f"{name}_{suffix}": value
            for suffix, value in zip(suffixes, values, strict=True)
        }
        regularizer = None if decay.strength else _regularizer(layer, name)
        variables = tuple(
            flavor.swap_weights(layer, {name: kernel}, named, regularizer)
        )
    factored = Factored(config, layout, variables, trainable)
    layer.__dict__.setdefault(FACTORS, {})[name] = factored


def restore(
    flavor: flavors.Flavor, layer: Any, name: str, factored: Factored
) -> None:
    """Puts a kernel in the place of its factors."""
    like = factored.variables[0]
    raw = flavor.raw(like)
    with strategy_of([raw]).scope(), tf.init_scope():
        factors = [
            tf.cast(tf.convert_to_tensor(flavor.raw(one)), tf.float64)
            for one in factored.variables
        ]
        matrix = functools.reduce(tf.matmul, factors[1:], factors[0])
        kernel = factored.layout.kernel(matrix.numpy(), factored.config.shape)
        removed = {_own_name(one): one for one in factored.variables}
        flavor.swap_weights(
            layer, removed, {name: kernel}, _regularizer(layer, name)
        )


def _initial_factors(
    matrix: np.ndarray, config: KernelFactors
) -> list[np.ndarray]:
    """Returns factors for a kernel whose values nobody needs.

    It is about to be loaded, or was drawn by an initializer. A large one is
    projected to a random subspace first, which two multiplications bring near
    that of the largest singular values (Halko et al. 2011, algorithm 4.4).
    """
    full = min(matrix.shape)
    if full > _EXACT and config.rank + _MORE < full:
        size = config.rank + _MORE
        random = np.random.default_rng(0)
        basis = matrix @ random.normal(size=(matrix.shape[1], size))
        basis = np.linalg.qr(matrix @ (matrix.T @ basis))[0]
        inner = low_rank.balanced_factors(
            basis.T @ matrix, config.rank, config.depth
        )
        return [basis @ inner[0], *inner[1:]]
    return low_rank.balanced_factors(matrix, config.rank, config.depth)


def _regularizer(layer: Any, name: str) -> Any:
    stem = "kernel" if name == "kernel" else name.removesuffix("_kernel")
    return getattr(layer, f"{stem}_regularizer", None)


def _own_name(variable: Any) -> str:
    return str(variable.name.rpartition("/")[2].partition(":")[0])
