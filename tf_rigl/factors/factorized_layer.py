"""Layers whose kernels are products of factors.

A factorized layer remains the same object, but its class is replaced by a
subclass created here, as that of a masked layer is (`masking.masked_layer`):
names, references and the models around it hold, also where the code of a
subclassed model calls it. Its kernel is no variable any more. The variables
`kernel_v` [rows, rank], for a depth of 3 `kernel_m` [rank, rank], and
`kernel_u` [rank, columns] are, and the subclass calls them one after the other
where that is less work; `kernel` is their product.
"""

import contextlib
import functools
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import frobenius_decay
from tf_rigl.algorithms.frobenius_decay import FactorGroup
from tf_rigl.algorithms.frobenius_decay import FrobeniusDecay
from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import recurrent_steps
from tf_rigl.factors import attention
from tf_rigl.factors import decay_watch
from tf_rigl.factors import factor_config
from tf_rigl.factors import kernel_factors
from tf_rigl.factors import layouts
from tf_rigl.factors import registration
from tf_rigl.factors import thin_calls
from tf_rigl.factors.factor_config import LayerFactors
from tf_rigl.factors.kernel_factors import Factored
from tf_rigl.factors.kernel_factors import ProductKernel
from tf_rigl.masking import layer_rules
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import FACTORS
from tf_rigl.masking.layer_rules import HEADS

# The attributes of a layer with the configuration of the factors below it,
# and with the class that it had.
_CONFIG = "_tf_rigl_factorization"
_PLAIN = "_tf_rigl_unfactorized_class"
_DECAY = "_tf_rigl_decay"
_GPU_KERNEL = "_could_use_gpu_kernel"


class FactorizedLayer:
    """Mixin for the class of a layer with factors, its own or below it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Factorizes kernels that this call or an earlier one has created."""
        bind(self)
        outputs = super().__call__(*args, **kwargs)  # type: ignore[misc]
        bind(self)
        return outputs

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Builds the layer and factorizes its kernels."""
        super().build(*args, **kwargs)  # type: ignore[misc]
        bind(self)

    def build_from_config(self, config: Any) -> None:
        """Builds the layer and factorizes its kernels."""
        super().build_from_config(config)  # type: ignore[misc]
        bind(self)

    def get_config(self) -> dict[str, Any]:
        """Returns the plain layer, serialized, and that of the factors.

        A layer within another one that carries the factors has none: tf_keras
        describes each layer in a SavedModel, but rebuilds the outer one.
        """
        if not owns_factors(self):
            return super().get_config()  # type: ignore[misc]
        with unfactorized_classes(self):
            layer = flavors.flavor_of(self).serialize(self)
        return {
            "note": registration.NOTE,
            "name": self.name,  # type: ignore[attr-defined]
            "layer": layer,
            **factor_config.serialize(self.__dict__[_CONFIG]),
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Any = None
    ) -> Any:
        """Rebuilds the plain layer, which will be factorized once built.

        Raises:
            ValueError: if the configuration needs a newer tf_rigl.
        """
        own = factor_config.deserialize(config)
        layer = flavors.class_flavor(cls).deserialize_with(
            config["layer"], custom_objects
        )
        return carry_factors(layer, own)

    def save_own_variables(self, store: Any) -> None:
        """Saves all of the layer's own variables, in their order."""
        _base_layer(self).save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        _base_layer(self).load_own_variables(self, store)

    def enable_lora(self, *args: Any, **kwargs: Any) -> None:
        """Raises a ValueError; adapters belong to a kernel."""
        del args, kwargs
        raise ValueError(
            "A factorized layer has no kernel for LoRA to adapt. Received: "
            f"{self.name!r}. Call "  # type: ignore[attr-defined]
            "`tf_rigl.strip(model, factors='kernel')` first."
        )

    def factor_groups(self) -> list[FactorGroup]:
        """Returns the factors of each product in this layer itself."""
        decay = self.__dict__.get(_DECAY, FrobeniusDecay())
        groups = [
            FactorGroup(frobenius_decay.MATRICES, decay, factored.variables)
            for factored in self.__dict__.get(FACTORS, {}).values()
        ]
        if HEADS in self.__dict__:
            groups += attention.groups(self, decay)
        return groups


class _WithKernels(FactorizedLayer):
    """A factorized layer that has the kernels itself."""

    def get_prunable_weights(self) -> list[Any]:
        """Returns what `sparsify` may mask: factors, and kernels without."""
        factors = self.__dict__.get(FACTORS, {})
        rule = layer_rules.rule_of(self)
        found: list[Any] = []
        for name in rule.weights if rule else ():
            if name in factors:
                found.extend(factors[name].variables)
            elif getattr(self, name, None) is not None:
                found.append(getattr(self, name))
        return found


class _Dense(_WithKernels):
    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes the layer by its factors."""
        factored = _thin(self, "kernel")
        is_tensor = isinstance(inputs, tf.Tensor) and inputs.shape.rank
        if factored is None or not is_tensor:
            return super().call(  # type: ignore[misc]
                inputs, *args, **kwargs
            )
        return thin_calls.dense(self, inputs, factored.values())


class _Einsum(_WithKernels):
    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes the layer by its factors."""
        factored = _thin(self, "kernel")
        if factored is None:
            return super().call(  # type: ignore[misc]
                inputs, *args, **kwargs
            )
        return thin_calls.einsum(
            self, inputs, factored.values(), factored.config.shape
        )


class _Convolution(_WithKernels):
    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes the layer by its factors."""
        factored = _thin(self, "kernel")
        # tf_keras folds further dimensions of a batch into one.
        config = factored.config if factored else None
        if not config or inputs.shape.rank != len(config.shape):
            return super().call(  # type: ignore[misc]
                inputs, *args, **kwargs
            )
        values = self.__dict__[FACTORS]["kernel"].values()
        return thin_calls.convolution(
            self, inputs, values, config.shape, config.form
        )


class _Cell(_WithKernels):
    dropout: float
    recurrent_dropout: float

    def call(
        self, inputs: Any, states: Any, training: Any = None, **kwargs: Any
    ) -> Any:
        """Computes a step by the factors, unless there is dropout in it."""
        kernels = self.__dict__.get(FACTORS, {})
        thin = [one for one in kernels.values() if one.is_thin]
        rates = self.dropout, self.recurrent_dropout
        drops = any(rates) and not (training is None or training is False)
        if not thin or drops:
            return super().call(  # type: ignore[misc]
                inputs, states, training=training, **kwargs
            )

        nested = isinstance(states, (list, tuple))
        before = list(states) if nested else [states]
        step = recurrent_steps.STEPS[str(layouts.kind_of(self))]
        after = step(
            self,
            _multiply(self, "kernel", inputs),
            functools.partial(_multiply, self, "recurrent_kernel"),
            before,
        )
        return after[0], after if nested else after[0]


_CALLS: Mapping[str | None, type] = {
    None: FactorizedLayer,
    "Dense": _Dense,
    "EinsumDense": _Einsum,
    "Conv1D": _Convolution,
    "Conv2D": _Convolution,
    "SimpleRNNCell": _Cell,
    "GRUCell": _Cell,
    "LSTMCell": _Cell,
}


@functools.cache
def factorized_class(cls: type, kind: str | None) -> type:
    """Returns the subclass of a layer class whose instances have factors.

    Args:
        cls: the class of a layer.
        kind: the class of Keras by whose rule it has kernels of its own, a key
            of `layouts.KINDS`; None if only layers below it do.
    """
    flavor = flavors.class_flavor(cls)
    kernels = ("kernel", "recurrent_kernel") if kind else ()
    subclass = type(
        # The same name as in weights files and reports of the plain model.
        cls.__name__,
        (_CALLS[kind], cls),
        {
            "__doc__": FactorizedLayer.__doc__,
            "__module__": FactorizedLayer.__module__,
            _PLAIN: cls,
            **{name: ProductKernel() for name in kernels if kind},
        },
    )
    registration.register(flavor.keras, subclass)
    return subclass


def carry_factors(
    layer: Any,
    config: LayerFactors,
    given: Mapping[str, list[np.ndarray]] | None = None,
) -> Any:
    """Makes a layer factorize its kernels as soon as they exist.

    Args:
        layer: a layer without factors, built or not; it is returned.
        config: what to do to the kernels in it and below it.
        given: values of the factors of kernels that exist, as of `bind`.
    """
    layer.__dict__[_CONFIG] = config
    _extend_class(layer)
    bind(layer, given)
    return layer


def owns_factors(layer: Any) -> bool:
    """Returns whether a layer carries factors, its own or below it."""
    return _CONFIG in layer.__dict__


@tf.autograph.experimental.do_not_convert
def bind(
    layer: Any, given: Mapping[str, list[np.ndarray]] | None = None
) -> None:
    """Replaces kernels that exist by factors.

    Args:
        layer: a layer; nothing is done for one without a configuration.
        given: values of the factors by the key of the kernel; by default, they
            are found from the kernel's values.
    """
    config = layer.__dict__.get(_CONFIG)
    if config is None:
        return
    flavor = flavors.flavor_of(layer)
    _mark_heads(flavor, layer, config)
    done = layer.__dict__.setdefault(f"{_CONFIG}_done", set())
    if len(done) == len(config.kernels) or not flavor.can_assign():
        return

    for site in tree.sites(flavor, layer, others=False):
        if site.key in config.kernels and site.key not in done:
            done.add(site.key)
            values = (given or {}).get(site.key)
            one = config.kernels[site.key]
            _extend_class(site.owner)
            kernel_factors.replace(flavor, site, one, config.decay, values)
            site.owner.__dict__[_DECAY] = config.decay
            decay_watch.watch(flavor, site.owner.factor_groups())
    for node in tree.walk(flavor, layer):
        if _GPU_KERNEL in vars(node.layer) and FACTORS in vars(node.layer.cell):
            # tf_keras would multiply by the product, all steps in one call.
            vars(node.layer).setdefault(
                f"{_CONFIG}{_GPU_KERNEL}", vars(node.layer)[_GPU_KERNEL]
            )
            vars(node.layer)[_GPU_KERNEL] = False


def drop_factors(layer: Any) -> None:
    """Undoes `carry_factors`: each kernel is a variable, of the product."""
    flavor = flavors.flavor_of(layer)
    for node in list(tree.walk(flavor, layer)):
        one = node.layer
        if HEADS in one.__dict__:
            decay_watch.unwatch(flavor, one.factor_groups())
        for name, factored in one.__dict__.pop(FACTORS, {}).items():
            kernel_factors.restore(flavor, one, name, factored)
        for name in (_CONFIG, f"{_CONFIG}_done", _DECAY, HEADS):
            one.__dict__.pop(name, None)
        before = vars(one).pop(f"{_CONFIG}{_GPU_KERNEL}", None)
        if before is not None:
            vars(one)[_GPU_KERNEL] = before
        if isinstance(one, FactorizedLayer):
            _set_class(one, getattr(type(one), _PLAIN))


@contextlib.contextmanager
def unfactorized_classes(layer: Any) -> Iterator[None]:
    """Makes a layer and all below it of their plain classes for a while."""
    flavor = flavors.flavor_of(layer)
    with contextlib.ExitStack() as stack:
        for node in list(tree.walk(flavor, layer)):
            plain = getattr(type(node.layer), _PLAIN, None)
            if plain is not None:
                stack.enter_context(flavors.of_class(node.layer, plain))
        yield


def _mark_heads(
    flavor: flavors.Flavor, layer: Any, config: LayerFactors
) -> None:
    """Marks the attention layers whose heads are pairs of factors."""
    if not config.heads:
        return
    for node in list(tree.walk(flavor, layer)):
        sizes = config.heads.get("/".join(node.key))
        if sizes is None:
            continue
        if HEADS not in node.layer.__dict__:
            _extend_class(node.layer)
            node.layer.__dict__[HEADS] = sizes
            node.layer.__dict__[_DECAY] = config.decay
        if attention.has_kernels(node.layer):
            decay_watch.watch(flavor, node.layer.factor_groups())


def _extend_class(layer: Any) -> None:
    if not isinstance(layer, FactorizedLayer):
        cls: type = type(layer)
        kind = layouts.kind_of(layer)
        _set_class(layer, factorized_class(cls, kind))


def _set_class(layer: Any, cls: type) -> None:
    """Changes the class of a layer for good."""
    # After it has written a SavedModel, tf_keras keeps the method of the class
    # of then on the layer.
    call = vars(layer).get("call")
    if getattr(call, "__self__", None) is layer:
        del vars(layer)["call"]
    flavors.set_class(layer, cls)


def _thin(layer: Any, name: str) -> Factored | None:
    """Returns the factors by which to compute, None for the kernel."""
    found = layer.__dict__.get(FACTORS, {}).get(name)
    return found if found is not None and found.is_thin else None


def _multiply(layer: Any, name: str, inputs: tf.Tensor) -> tf.Tensor:
    factored = _thin(layer, name)
    if factored is None:
        return tf.matmul(inputs, tf.convert_to_tensor(getattr(layer, name)))
    return functools.reduce(tf.matmul, factored.values(), inputs)


def _base_layer(layer: Any) -> Any:
    return flavors.flavor_of(layer).keras.layers.Layer
