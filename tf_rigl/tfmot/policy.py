"""TFMOT's pruning policies as the argument `dense` of `sparsify`."""

from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree
from tf_rigl.tfmot.wrappers import is_of_tfmot

METHODS = ("allow_pruning", "ensure_model_supports_pruning")


def dense_layers(policy: Any, model: Any) -> Callable[[Any], bool]:
    """Returns the predicate of the layers that a TFMOT policy keeps dense.

    Pass the result to `sparsify(..., dense=...)`.

    As in TFMOT, the policy first checks that it supports the model. It then
    decides for each layer, including layers of nested models, whether all of
    its weights may be pruned.

    Args:
        policy: a policy such as `PruneForLatencyOnXNNPack()`, or any object
            with the methods `allow_pruning(layer)` and
            `ensure_model_supports_pruning(model)`.
        model: the model to be sparsified. TFMOT's own policies recognize only
            layers of tf_keras.

    Returns:
        A function of a layer, true if this layer of the model stays dense.

    Raises:
        TypeError: if `policy` is not a policy or `model` is not a model.
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
    """Adds the layers that must not be pruned to `dense`, by id."""
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
    """Raises a ValueError for a policy of TFMOT and a model of Keras 3."""
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
