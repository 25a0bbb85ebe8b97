"""The optimizers that train a model in `fit`."""

from collections.abc import Iterator
from typing import Any

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import tree
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating import attach


def optimizers_of(flavor: Flavor, model: Any) -> list[Any]:
    """Returns the distinct optimizers of a model.

    The first is the one that the model was compiled with. The others are
    attributes of the model or its layers, or in lists and mappings there,
    where a `train_step` with several optimizers keeps them.
    """
    found: dict[int, Any] = {}

    def add(thing: Any) -> None:
        if flavor.is_optimizer(thing):
            found.setdefault(id(thing), thing)

    add(getattr(model, "optimizer", None))
    for node in tree.walk(flavor, model):
        for value in list(vars(node.layer).values()):
            for one in _leaves(value):
                add(one)
    return list(found.values())


def training_optimizers(
    flavor: Flavor, model: Any, records: list[MaskedWeight]
) -> list[Any]:
    """Returns the optimizers of a model that may train the masked weights.

    They include the optimizer that the model was compiled with, unless it was
    built for other weights and another optimizer may train these.

    Raises:
        ValueError: if the model has no optimizer, or one of the result cannot
            train sparse weights or is already attached.
    """
    own = model.optimizer
    others = [
        optimizer
        for optimizer in optimizers_of(flavor, model)
        if optimizer is not own
        and attach.may_train(flavor, optimizer, records)
        and attach.is_supported(flavor, optimizer)
    ]

    if own is None and not others:
        raise ValueError(
            "`UpdateMasks` trains by the model's optimizers. Received: "
            f"model={model.name!r}, compiled without an optimizer. Pass one to "
            "`compile`, keep it as an attribute of the model, or call "
            "`tf_rigl.attach(optimizer, model, algorithm)` and leave the "
            "callback out."
        )

    chosen = others
    knows_some = own is not None and attach.may_train(flavor, own, records)
    if knows_some or not others:
        attach.check_optimizer(flavor, own, records)
        chosen = [own, *others]
    for optimizer in chosen:
        attach.check_not_attached(flavor, optimizer)
    return chosen


def _leaves(value: Any) -> Iterator[Any]:
    """Yields the leaves of nested lists, tuples and mappings."""
    if isinstance(value, (dict, list, tuple)):
        members = value.values() if isinstance(value, dict) else value
        for one in members:
            yield from _leaves(one)
    else:
        yield value
