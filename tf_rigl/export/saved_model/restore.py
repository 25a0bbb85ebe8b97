"""Loads the packed weights and masks of an artifact into a Keras model."""

import os
import re
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core import structures
from tf_rigl.core.dice import Dice
from tf_rigl.core.packing.corruption import check
from tf_rigl.export.saved_model.packed_file import read_weights
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.export.saved_model.packed_weight import WeightSpec
from tf_rigl.masking import layer_config
from tf_rigl.masking import mask_history
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_layer import carry_masks
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import WalkedModel
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model
from tf_rigl.updating.method_state import INACTIVE_VALUES


def load_packed_weights(model: Any, path: str | os.PathLike[str]) -> Any:
    """Loads weights and masks that `export_saved_model` has packed.

    The model must be built and have the architecture of the exported one, in
    either Keras. A sparse model gets the masks of the artifact. A plain model
    becomes sparse, as by `sparsify`, if the artifact has masks. Training can
    then continue where it stopped, except for the optimizer's state, which is
    not exported. Values that were rounded when they were stored stay rounded.
    If the artifact lacks a mask that the model has, because the exported model
    was stripped, the non-zero weights become active.

    Weights are matched by their paths or, if Keras has numbered the layers
    differently, by their order. Weights that inference does not use are not
    part of an artifact and do not change. The model changes only if all weights
    of the artifact fit.

    Args:
        model: a model of either Keras. It is changed in place.
        path: the folder of an artifact that was exported with any `compression`
            except None.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if `path` is not an artifact, if the artifact is damaged
            (`tf_rigl.core.packing.CorruptDataError`), or if its weights do not
            fit the model.

    Example:
        >>> model = tf_rigl.load_packed_weights(make_model(), "exported")
        >>> model.compile(optimizer, loss)
        >>> model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
    """
    # Read and check everything before the model changes.
    walked = walk_model(model)
    packed_weights = [
        packed for packed in read_weights(path) if not packed.spec.extra
    ]
    weights = model_weights(walked)
    loaded = [
        _Loaded(
            weight,
            packed.spec,
            packed.array(),
            packed.mask() if packed.spec.masked else None,
            packed.dice(),
        )
        for weight, packed in _match(packed_weights, weights, os.fspath(path))
    ]

    # A plain model gets masks, a sparse one must have them already.
    was_plain = all(weight.record is None for weight in weights)
    if was_plain:
        _carry_masks(walked, loaded)
    else:
        _check_masked(loaded)

    records = {id(record.variable): record for record in masked_weights(model)}
    for one in loaded:
        _assign(one, records.get(id(one.weight.variable)))

    # Loaded masks are no mask updates: the recorded history starts again.
    hosts = {
        id(record.host): record.host
        for record in records.values()
        if was_plain or mask_history.EVER_ACTIVE in record.diagnostics
    }
    for host in hosts.values():
        mask_history.start_recording(host, keep_start=True)
    return model


class _Loaded(NamedTuple):
    """A weight of the model with the values and mask that it gets."""

    weight: ModelWeight
    spec: WeightSpec  # metadata in the artifact
    array: np.ndarray  # values, of the weight's shape
    # Bool, of the weight's shape; None if the artifact has no mask for it.
    mask: np.ndarray | None
    dice: Dice | None  # how values were drawn, if the artifact has a seed


def _match(
    packed: Sequence[PackedWeight], weights: Sequence[ModelWeight], path: str
) -> list[tuple[ModelWeight, PackedWeight]]:
    """Pairs the weights of the artifact with those of the model.

    Raises:
        ValueError: if a weight of the artifact has no counterpart of its shape
            and dtype.
    """
    names = [one.spec.path for one in packed]
    by_name = {weight.path: [weight] for weight in weights}
    if not set(names) <= set(by_name):
        # Keras numbers unnamed layers across models, so the same layer may be
        # `dense` in one process and `dense_3` in another.
        names = list(map(_without_numbers, names))
        by_name = {}
        for weight in weights:
            name = _without_numbers(weight.path)
            by_name.setdefault(name, []).append(weight)

    pairs = []
    for name, one in zip(names, packed, strict=True):
        left = by_name.get(name)
        candidate = left.pop(0) if left else None
        pairs.append((_check_fits(candidate, one.spec, path), one))
    return pairs


def _check_fits(
    weight: ModelWeight | None, spec: WeightSpec, path: str
) -> ModelWeight:
    """Returns the weight; raises a ValueError if it does not fit the artifact.

    It fits if it exists and has the shape and dtype of the artifact's weight.
    """
    if weight is not None:
        shape, dtype = weight.shape, weight.dtype.name
        if (shape, dtype) == (spec.shape, spec.dtype):
            return weight
        has = f"{weight.path!r} of shape {shape} and dtype {dtype}"
    else:
        has = "none of that name"

    raise ValueError(
        "The weights of the artifact must be those of the model. Received: "
        f"path={path!r} with {spec.path!r} of shape {spec.shape} and dtype "
        f"{spec.dtype}, where the model has {has}. Pass the architecture "
        "that was exported, built."
    )


def _without_numbers(path: str) -> str:
    """Removes the numbers that Keras appends to the names of unnamed layers."""
    return re.sub(r"_\d+(?=/|$)", "", path)


def _check_masked(loaded: Sequence[_Loaded]) -> None:
    """Raises a ValueError if the artifact has a mask that the model lacks."""
    lacking = [
        one.weight.path
        for one in loaded
        if one.mask is not None and one.weight.record is None
    ]
    if lacking:
        raise ValueError(
            "A sparse model must have a mask wherever the artifact has one. "
            f"Received: none for {lacking}. Pass the plain model: it gets the "
            "masks of the artifact."
        )


def _carry_masks(walked: WalkedModel, loaded: Sequence[_Loaded]) -> None:
    """Makes the layers of a plain model carry masks where the artifact does.

    The masks are dense at first; `_assign` sets them.

    Raises:
        ValueError: if a weight with a mask is not one that may be sparse, or
            if the metadata of its structure are damaged.
    """
    masked = {
        id(one.weight.variable): one for one in loaded if one.mask is not None
    }

    for host in tree.hosts(walked.flavor, walked.model):
        sites = {
            site.key: (site, masked.pop(id(site.variable)))
            for site in tree.sites(walked.flavor, host.layer)
            if id(site.variable) in masked
        }
        if not sites:
            continue

        found = [_structure(one.spec) for _, one in sites.values()]
        check(
            all(structure == found[0] for structure in found),
            "The weights of one layer must have one structure.",
            f"{found} within {host.layer.name!r}",
        )

        config = layer_config.LayerConfig(
            {
                key: _weight_config(site, one)
                for key, (site, one) in sites.items()
            },
            seed=0,
            key="/".join(host.key),
            structure=found[0],
            start="dense",
        )
        carry_masks(host.layer, config)

    # No layer has named the weights that are left.
    if masked:
        raise ValueError(
            "Each weight with a mask must be one that may be sparse. "
            f"Received: {[one.spec.path for one in masked.values()]}, which "
            "the model's layers do not name."
        )


def _structure(spec: WeightSpec) -> structures.Structure:
    """Returns the structure of a mask of the artifact.

    Raises:
        CorruptDataError: if its configuration is not valid.
    """
    if spec.structure is None:
        return structures.Unstructured()
    try:
        return structures.deserialize(spec.structure)
    except (TypeError, ValueError) as error:
        check(False, "The structure of a mask must be one.", str(error))
        raise  # Never reached; tells type checkers that nothing is returned.


def _weight_config(site: tree.Site, one: _Loaded) -> layer_config.WeightConfig:
    """Returns the configuration with which a layer masks a weight."""
    spec = one.spec
    target = spec.nonzeros if spec.target is None else spec.target
    if spec.structure is None:
        return layer_config.WeightConfig(tuple(spec.shape), target)
    layout = kernel_layout(site.owner, site.variable)
    return layer_config.WeightConfig(tuple(spec.shape), target, layout)


def _assign(one: _Loaded, record: MaskedWeight | None) -> None:
    """Sets the values of a weight and, if it has a record, its mask."""
    if record is None:
        one.weight.set_values(one.array)
        return

    mask = one.mask
    if mask is None:
        # A stripped model was exported: its masks can only be guessed.
        dense = record.target == record.size
        mask = np.ones(one.array.shape, bool) if dense else one.array != 0
    record.set_mask(mask, one.array)
    record.set_dice(one.dice)

    # Inactive values are not exported, so those that a method keeps start at
    # zero.
    if INACTIVE_VALUES in record.state:
        record.state[INACTIVE_VALUES].assign(one.array)
