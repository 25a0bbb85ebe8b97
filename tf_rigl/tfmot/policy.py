"""TFMOT's pruning policies as arguments of `sparsify`."""

from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree
from tf_rigl.tfmot.wrappers import is_of_tfmot

METHODS = ("allow_pruning", "ensure_model_supports_pruning")


def dense_layers(policy: Any, model: Any) -> Callable[[Any], bool]:
    """Returns which layers stay dense under a TFMOT pruning policy.

    The result is for `sparsify(..., dense=...)`.

    As in TFMOT, the policy first says whether it supports the model, then of
    each layer of the model, nested models looked through, whether it may be
    pruned; that holds for all weights of the layer.

    Args:
        policy: such as `PruneForLatencyOnXNNPack()`, or any object with the
            methods `allow_pruning(layer)` and
            `ensure_model_supports_pruning(model)`.
        model: the model that is to be sparsified. The policies that TFMOT
            brings know the layers of tf_keras only.

    Returns:
        A predicate of layers, true where a layer of this model stays dense.

    Raises:
        TypeError: if `policy` is no policy, `model` no model.
        ValueError: if the policy does not support the model.

    Example:
        >>> policy = tfmot.sparsity.keras.PruneForLatencyOnXNNPack()
        >>> tf_rigl.sparsify(
        ...     model, 0.8, dense=tf_rigl.tfmot.dense_layers(policy, model)
        ... )
    """
    flavor = flavors.model_flavor(model)
    _check_policy(policy)
    _check_flavor(flavor, policy, model)
    policy.ensure_model_supports_pruning(model)

    dense: dict[int, Any] = {}
    _refuse(flavor, policy, model, dense)

    def is_dense(layer: Any) -> bool:
        return dense.get(id(layer)) is layer

    return is_dense


def _refuse(
    flavor: flavors.Flavor, policy: Any, layer: Any, dense: dict[int, Any]
) -> None:
    """Collects, by identity, the layers that must not be pruned."""
    if flavor.is_model(layer):
        for child in flavor.children(layer):
            _refuse(flavor, policy, child, dense)
    elif not policy.allow_pruning(layer):
        for node in tree.walk(flavor, layer):
            dense[id(node.layer)] = node.layer


def _check_policy(policy: Any) -> None:
    has_methods = all(callable(getattr(policy, name, None)) for name in METHODS)
    if isinstance(policy, type) or not has_methods:
        raise TypeError(
            f"`policy` must be an object with the methods {METHODS}. "
            f"Received: policy={policy!r}. Pass an object such as "
            "`PruneForLatencyOnXNNPack()`."
        )


def _check_flavor(flavor: flavors.Flavor, policy: Any, model: Any) -> None:
    """Refuses TFMOT's own checks, of tf_keras's classes, for other models."""
    methods = [getattr(type(policy), name, None) for name in METHODS]
    if flavor.name == "keras2" or not any(
        method is not None and is_of_tfmot(method) for method in methods
    ):
        return
    raise ValueError(
        "The policies that TFMOT brings know the layers of tf_keras only. "
        f"Received: policy={policy!r} for model={model.name!r} of "
        f"`{flavor.keras.__name__}`. Build the model with tf_keras, or pass a "
        "predicate: sparsify(..., dense=lambda layer: ...)."
    )
