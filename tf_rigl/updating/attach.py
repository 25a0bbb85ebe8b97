"""Mask updates in a custom training loop."""

import weakref
from collections.abc import Sequence
from typing import Any

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import platform_limits
from tf_rigl.core.checks import check_limit
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import method_state
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import storage_change
from tf_rigl.updating import train_functions

# The attribute in which a model lists the optimizers attached to it.
ATTACHED = "_tf_rigl_attached"


def attach(
    optimizer: Any,
    model: Any,
    algorithm: Algorithm,
    max_non_finite_steps: int | None = None,
    penalties: Sequence[Penalty] = (),
) -> Any:
    """Makes mask updates part of an optimizer's update rule.

    From then on, any code that applies gradients with this optimizer, compiled
    or not, on one device or many, trains the sparse model and updates its
    masks. Attach the optimizer before the training step is traced.

    Args:
        optimizer: the optimizer that trains the model or part of it, built or
            not; may be a `LossScaleOptimizer`. If several optimizers each
            train a part, attach them one by one.
        model: a model of the same Keras, masked by `sparsify`.
        algorithm: a method such as `RigL(stop_step=...)`. The length of a
            custom loop is unknown, so `stop_step` must be given.
        max_non_finite_steps: if given, steps with a non-finite gradient are
            skipped, and `check_finite(optimizer)` raises after this many
            skips in a row. By default, only mask updates are skipped.
        penalties: further terms of the loss, as of `UpdateMasks`.

    Returns:
        The same optimizer.

    Raises:
        TypeError: if an argument has the wrong type, or the model and the
            optimizer are of different Keras flavors.
        ValueError: if the model is dense; if the optimizer is already
            attached, was built for another model, or cannot train sparse
            weights; if `stop_step` is missing; or if the method updates masks
            and workers share a parameter server.

    Example:
        >>> optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        >>> tf_rigl.attach(optimizer, model, tf_rigl.RigL(stop_step=7500))
    """
    flavor = flavors.model_flavor(model)
    check_algorithm(algorithm)
    check_penalties(penalties)
    if flavor.is_optimizer(optimizer):
        storage_change.suit(
            model, lambda: [optimizer], algorithm, penalties, renews=False
        )
    records = weights_to_train(model, algorithm, penalties)
    check_limit(max_non_finite_steps)
    check_optimizer(flavor, optimizer, records)
    check_not_attached(flavor, optimizer)
    check_fits(algorithm, records)

    resolved = algorithm.resolve(None)
    platform_limits.check_mask_updates_of(model, resolved.schedule)

    optimizer_hook.uninstall(flavor, optimizer)
    rules = optimizer_hook.make_rules(
        flavor,
        optimizer,
        model,
        resolved,
        penalties,
        max_non_finite_steps,
    )
    optimizer_hook.install(rules)
    for rule in rules:
        rule.prepare()

    model.__dict__.setdefault(ATTACHED, []).append(weakref.ref(optimizer))
    train_functions.forget(model)
    return optimizer


def attached_to(model: Any) -> list[Any]:
    """Returns the optimizers that are attached to a model."""
    found = [reference() for reference in model.__dict__.get(ATTACHED, ())]
    return [optimizer for optimizer in found if optimizer is not None]


def check_finite(optimizer: Any) -> int:
    """Returns how many steps were skipped; raises after too many in a row.

    Each call waits for the device to read a counter, so call it occasionally,
    not after every step.

    Args:
        optimizer: an optimizer that was attached with `max_non_finite_steps`.

    Returns:
        The number of steps skipped so far because a gradient was not finite.

    Raises:
        ValueError: if the optimizer was not attached with
            `max_non_finite_steps`.
        FloatingPointError: if that many steps in a row were skipped.
    """
    guards = optimizer_hook.finite_guards(
        flavors.flavor_of(optimizer), optimizer
    )
    if not guards:
        raise ValueError(
            "The optimizer must be attached with a limit. Received: "
            f"optimizer={optimizer.name!r}, which is not. Call "
            "`tf_rigl.attach(..., max_non_finite_steps=...)`."
        )
    for guard in guards:
        guard.check()
    return sum(guard.left_out for guard in guards)


def detach(optimizer: Any, model: Any) -> None:
    """Undoes `attach`; the masks stay fixed in further training.

    Args:
        optimizer: an attached optimizer.
        model: the model that the optimizer was attached to.

    Raises:
        ValueError: if the optimizer is not attached.
    """
    flavor = flavors.model_flavor(model)
    if not any(
        optimizer_hook.installed(updating)
        for updating in flavor.updating_optimizers(optimizer)
    ):
        raise ValueError(
            "Only an attached optimizer can be detached. "
            f"Received: optimizer={optimizer.name!r}."
        )
    optimizer_hook.uninstall(flavor, optimizer)
    model.__dict__[ATTACHED] = [
        reference
        for reference in model.__dict__.get(ATTACHED, ())
        if reference() is not optimizer
    ]
    train_functions.forget(model)


def check_algorithm(algorithm: Any) -> None:
    """Raises a TypeError unless `algorithm` is an `Algorithm`."""
    if not isinstance(algorithm, Algorithm):
        raise TypeError(
            "`algorithm` must be a method such as tf_rigl.RigL(). "
            f"Received: algorithm={algorithm!r}."
        )


def check_penalties(penalties: Any) -> None:
    """Raises a TypeError unless `penalties` are of the class `Penalty`."""
    is_sequence = isinstance(penalties, (list, tuple))
    if not is_sequence or not all(isinstance(p, Penalty) for p in penalties):
        raise TypeError(
            "`penalties` must be a list of `tf_rigl.algorithms.Penalty`. "
            f"Received: penalties={penalties!r}."
        )


def weights_to_train(
    model: Any, algorithm: Algorithm, penalties: Sequence[Penalty]
) -> list[MaskedWeight]:
    """Returns the masked weights of a model.

    There must be at least one, unless masks rest and a penalty, which needs
    none, is all that is asked for.
    """
    rests = algorithm.mask_schedule is None
    rests = rests and algorithm.requirements.latent is None
    if rests:
        flavor = flavors.model_flavor(model)
        own = optimizer_hook.own_penalties(flavor, model)
        if penalties or algorithm.penalties or own:
            return masked_weights(model)
    return require_masked_weights(model)


def check_fits(algorithm: Algorithm, records: list[MaskedWeight]) -> None:
    """Raises a ValueError unless a method can train the given masks.

    A method may require a mask structure, a dense or a sparse start, or the
    initial values of the weights.
    """
    requirements = algorithm.requirements
    method_state.check_initial_values(records, algorithm)
    sparse = [
        record
        for record in records
        if record.is_trainable and record.target < record.size
    ]

    for record in sparse:
        allowed = requirements.structures
        if allowed is not None and record.structure.name not in allowed:
            raise ValueError(
                f"{type(algorithm).__name__} with these options needs masks of "
                f"the structure {' or '.join(allowed)}. Received: "
                f"{record.structure} on {record.path!r}. Pass it to "
                "`sparsify(..., structure=...)`."
            )

    # Masks that have been updated are those of a training that is resumed, to
    # which the rules for a start do not apply.
    if any(record.counters.numpy()[0] for record in sparse):
        return
    is_dense = all(record.num_active() == record.size for record in sparse)
    if sparse and requirements.start == "random" and is_dense:
        raise ValueError(
            f"{type(algorithm).__name__} trains a model that is sparse from "
            "the start. Received: a model that has all of its connections. "
            "Sparsify it with start='random', or start='magnitude' if it is "
            "trained already, or `prune` it first."
        )

    if requirements.start == "dense" and sparse and not is_dense:
        has_begun = requirements.latent is not None and all(
            requirements.latent in record.state for record in sparse
        )
        if not has_begun:
            raise ValueError(
                f"{type(algorithm).__name__} begins with a dense model. "
                "Received: a model that is sparse already. Sparsify it with "
                "start='dense'."
            )


def check_not_attached(flavor: flavors.Flavor, optimizer: Any) -> None:
    """Raises a ValueError if an optimizer is already attached.

    A hook left behind by an interrupted `fit` does not count.
    """
    for updating in flavor.updating_optimizers(optimizer):
        hook = optimizer_hook.installed(updating)
        if hook is not None and not hook.for_one_fit:
            raise ValueError(
                "An optimizer can be attached once. Received: "
                f"optimizer={optimizer.name!r}, which is attached already. "
                "Call `tf_rigl.detach(optimizer, model)` first."
            )


def check_optimizer(
    flavor: flavors.Flavor, optimizer: Any, records: list[MaskedWeight]
) -> None:
    """Checks that an optimizer can train the given masked weights.

    Raises:
        TypeError: if it is not an optimizer of the model's Keras.
        ValueError: if it cannot keep masked weights at zero, clips gradients
            by value, or was built for other variables.
    """
    if flavors.find_class_flavor(
        type(optimizer)
    ) is not flavor or not flavor.is_optimizer(optimizer):
        raise TypeError(
            f"`optimizer` must be an optimizer of the model's Keras, "
            f"`{flavor.keras.__name__}`. Received: optimizer={optimizer!r} "
            f"of type {type(optimizer)}."
        )

    updating = flavor.updating_optimizers(optimizer)
    if not updating:
        raise ValueError(
            "A `MultiOptimizer` must know its optimizers before it is "
            f"attached. Received: optimizer={optimizer.name!r}. Call "
            "`optimizer.build(model.trainable_variables)` first."
        )

    for one in updating:
        _check_updating_optimizer(flavor, one)
    _check_knows_variables(flavor, optimizer, records)


def is_supported(flavor: flavors.Flavor, optimizer: Any) -> bool:
    """Returns whether an optimizer can keep masked weights at zero."""
    try:
        for one in flavor.updating_optimizers(optimizer):
            _check_updating_optimizer(flavor, one)
    except ValueError:
        return False
    return True


def _check_updating_optimizer(flavor: flavors.Flavor, optimizer: Any) -> None:
    reason = flavor.unsupported_optimizer(optimizer)
    if reason is not None:
        raise ValueError(
            "The optimizer must apply gradients by `update_step`. Received: "
            f"optimizer={optimizer!r}; {reason}."
        )
    if getattr(optimizer, "clipvalue", None):
        raise ValueError(
            "`clipvalue` makes the largest gradients equal, and growth would "
            "pick among them by position. Received: "
            f"clipvalue={optimizer.clipvalue}. Use `clipnorm` or "
            "`global_clipnorm`, which keep the order."
        )


def _check_knows_variables(
    flavor: flavors.Flavor, optimizer: Any, records: list[MaskedWeight]
) -> None:
    if not may_train(flavor, optimizer, records):
        unknown = [record.path for record in records if record.is_trainable]
        raise ValueError(
            "The optimizer must have been built for this model's weights. "
            f"Received: optimizer={optimizer.name!r}, which knows none of "
            f"{unknown}. Make a new optimizer for this model."
        )


def may_train(
    flavor: flavors.Flavor, optimizer: Any, records: list[MaskedWeight]
) -> bool:
    """Returns whether an optimizer may be the one that trains these weights.

    An optimizer that is not built yet may train any weights, and frozen
    weights need no optimizer.
    """
    updating = flavor.updating_optimizers(optimizer)
    trainable = [record for record in records if record.is_trainable]
    return (
        not trainable
        or not all(flavor.optimizer_is_built(one) for one in updating)
        or any(
            flavor.variable_index(one, record.variable) is not None
            for record in trainable
            for one in updating
        )
    )
