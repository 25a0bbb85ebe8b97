"""Conversion of a model that TFMOT prunes to a sparse model."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import structures
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.masking import layer_config
from tf_rigl.masking import mask_history
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_layer import carry_masks
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.tfmot import patterns
from tf_rigl.tfmot import schedules
from tf_rigl.tfmot import wrappers


def convert(model: Any, keep_pruning: bool = False) -> Any:
    """Converts a model that TFMOT's `prune_low_magnitude` has wrapped.

    Returns a sparse model as `sparsify` makes it, without any wrapper, with
    the layers, names, variables and masks of the given model. The optimizer
    keeps its state, so training continues, for example with
    `UpdateMasks(RigL())` at exactly the number of connections in TFMOT's
    masks.

    A weight that TFMOT has not begun to prune keeps all connections, as after
    `sparsify(..., start="dense")`; its target follows from the final sparsity
    of its schedule. Blocks become a `Block` structure and m:n sparsity becomes
    `NByM`. Layers that were not wrapped stay dense.

    Args:
        model: a built model of tf_keras: Sequential, functional, nested, or
            with wrapped layers as attributes; pruned or being pruned. Do not
            use it after the call.
        keep_pruning: whether the target of each weight follows from the final
            sparsity of its schedule, to be reached by training with
            `UpdateMasks(tf_rigl.tfmot.pruning(...))`, instead of being its
            current number of connections. If TFMOT would prune before the
            next batch, that update is made here.

    Returns:
        The sparse model, compiled like the given one. Sequential and
        functional models are new objects with the same layers and variables.

    Raises:
        TypeError: if `model` is not a model.
        ValueError: if the model is of Keras 3, has no wrappers or is not
            built; if a wrapper cannot be removed, a mask lacks its wrapper's
            structure, or this library cannot mask a weight.

    Example:
        >>> model = tf_rigl.tfmot.convert(pruned)
        >>> model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
    """
    flavor = model_flavor(model)
    found = _check_wrappers(flavor, model)
    taken = {
        id(one.variable): one
        for wrapper in found
        for one in _pruned_by(flavor, wrapper, keep_pruning)
    }

    with model.distribute_strategy.scope():
        plain = wrappers.unwrap(flavor, model)
    _carry(flavor, plain, taken)

    for record in masked_weights(plain):
        one = taken[id(record.storage.variable)]
        mask = one.mask
        if keep_pruning:
            mask = _pruned_if_due(one, record.layout, mask)
        record.set_mask(mask)

    hosts = {id(record.host): record.host for record in masked_weights(plain)}
    for host in hosts.values():
        mask_history.start_recording(host, keep_start=True)

    if plain is model:
        for name in ("train_function", "test_function", "predict_function"):
            setattr(model, name, None)
    else:
        _compile_alike(plain, model)
    return plain


@dataclasses.dataclass(frozen=True, eq=False)
class _Pruned:
    """A weight that TFMOT prunes, taken out of its wrapper."""

    variable: tf.Variable
    mask: np.ndarray  # bool, of the variable's shape
    structure: structures.Structure
    schedule: TFMOTPruning | None  # None if not needed, or for m:n sparsity
    steps: int  # the number of batches it was trained on
    wants_final: bool  # whether its target is the end of the schedule


def _check_wrappers(flavor: Flavor, model: Any) -> list[Any]:
    found = wrappers.wrappers(flavor, model) if flavor.name == "keras2" else []
    if not found:
        raise ValueError(
            "The model must have layers that TFMOT's `prune_low_magnitude` "
            f"has wrapped, which are of tf_keras. Received: "
            f"model={model.name!r} of `{flavor.keras.__name__}` without any. "
            "To sparsify it, call `tf_rigl.sparsify` or "
            "`tf_rigl.tfmot.prepare`."
        )

    unbuilt = [wrapper.name for wrapper in found if not wrapper.built]
    if unbuilt:
        raise ValueError(
            "The model must be built, so that it has masks. Received: "
            f"model={model.name!r} with layers {unbuilt} without weights. "
            "Call it on a batch first."
        )
    return found


def _pruned_by(
    flavor: Flavor, wrapper: Any, keep_pruning: bool
) -> list[_Pruned]:
    """Returns the weights that a wrapper prunes."""
    if not wrapper.pruning_vars:
        return []

    structure = patterns.structure_of(wrapper)
    masks = [mask.numpy() != 0 for _, mask, _ in wrapper.pruning_vars]
    wants_final = [keep_pruning or bool(mask.all()) for mask in masks]
    schedule = None
    if any(wants_final) and not isinstance(structure, structures.NByM):
        schedule = schedules.from_schedule(wrapper.pruning_schedule, 0)

    return [
        _Pruned(
            flavor.raw(weight),
            mask,
            structure,
            schedule,
            schedules.steps_taken(wrapper),
            final,
        )
        for (weight, _, _), mask, final in zip(
            wrapper.pruning_vars, masks, wants_final, strict=True
        )
    ]


def _carry(flavor: Flavor, model: Any, taken: Mapping[int, _Pruned]) -> None:
    """Adds masks to a model's layers, for weights by the id of the variable."""
    left = dict(taken)
    for host in tree.hosts(flavor, model):
        sites = {}
        for site in tree.sites(flavor, host.layer):
            one = left.pop(id(flavor.raw(site.variable)), None)
            if one is not None:
                sites[site.key] = (site, one)
        if not sites:
            continue

        kinds = {one.structure for _, one in sites.values()}
        if len(kinds) > 1:
            raise ValueError(
                "The weights of one layer must have one structure. Received: "
                f"{sorted(map(str, kinds))} within {host.layer.name!r}."
            )
        config = layer_config.LayerConfig(
            {key: _plan(site, one) for key, (site, one) in sites.items()},
            seed=0,
            key="/".join(host.key),
            structure=kinds.pop(),
            start="dense",
        )
        carry_masks(host.layer, config)

    if left:
        raise ValueError(
            "Each weight that TFMOT prunes must be one that may be sparse "
            "here. Received: "
            f"{sorted(one.variable.name for one in left.values())}, which may "
            "not. Leave their layers out of `prune_low_magnitude`, or give "
            "them a method `get_prunable_weights`."
        )


def _plan(site: tree.Site, one: _Pruned) -> layer_config.WeightConfig:
    layout = kernel_layout(site.owner, site.variable)
    target = _target(one, layout, site.path)
    is_unstructured = isinstance(one.structure, structures.Unstructured)
    return layer_config.WeightConfig(
        one.mask.shape, target, None if is_unstructured else layout
    )


def _target(one: _Pruned, layout: KernelLayout, path: str) -> int:
    present = patterns.connections(one.structure, layout, one.mask, path)
    if not one.wants_final:
        return present
    if one.schedule is None:
        return min(present, one.structure.connections(layout.shape, 0))
    units = one.structure.units(layout.shape)
    final = one.schedule.final_connections(math.prod(layout.shape), units)
    return min(present, final)


def _pruned_if_due(
    one: _Pruned, layout: KernelLayout | None, mask: np.ndarray
) -> Any:
    """Returns the mask, pruned if an update is due before the next batch."""
    time = one.steps + 1
    if one.schedule is None or not one.schedule.is_due(time):
        return mask
    values = tf.convert_to_tensor(one.variable)
    candidates = tf.constant(mask)
    if layout is not None:
        values, candidates = layout.view(values), layout.view(candidates)
    units = one.structure.units(values.shape)
    count = one.schedule.connections(mask.size, units, [time])[0]
    pruned = one.structure.largest(values, count, candidates)
    return pruned if layout is None else layout.unview(pruned)


def _compile_alike(plain: Any, model: Any) -> None:
    """Compiles `plain` like `model`, with the same optimizer object."""
    if model._is_compiled:
        arguments = dict(model._compile_config.config)
        plain.compile(**{**arguments, "optimizer": model.optimizer})
