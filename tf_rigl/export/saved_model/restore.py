"""Loads weights and masks of an artifact into a Keras model."""

import os
import re
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core import structures
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
    """Gives a model the weights and masks that `export_saved_model` packed.

    The model has the architecture of the exported one, in either Keras, and
    is built. Where it is sparse, its masks become those of the artifact;
    if it is plain and the artifact has masks, it becomes sparse, as after
    `sparsify`. So training goes on where it was, but for the optimizer's
    state, which is not exported. Values that were stored with fewer bits come
    back rounded. A mask that is lost, as that of a stripped model, becomes
    what is not zero, in a model that is sparse already.

    Weights are matched by their paths or, where Keras has numbered the layers
    differently, by their order. What inference does not use is not in an
    artifact and stays as it is. Nothing is changed unless all of it fits.

    Args:
        model: the model, of either Keras. It is changed in place.
        path: of the artifact, exported with any compression but None.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if there is no such artifact, it is damaged
            (`tf_rigl.core.packing.CorruptDataError`), or its weights are not
            those of the model.

    Example:
        >>> model = tf_rigl.load_packed_weights(make_model(), "exported")
        >>> model.compile(optimizer, loss)
        >>> model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
    """
    walked = walk_model(model)
    packed = [one for one in read_weights(path) if not one.spec.extra]
    weights = model_weights(walked)
    values = [
        _Values(
            weight,
            one.spec,
            one.array(),
            one.mask() if one.spec.masked else None,
        )
        for weight, one in _match(packed, weights, os.fspath(path))
    ]

    # Nothing has changed up to here, and what follows does not fail.
    was_plain = all(weight.record is None for weight in weights)
    if was_plain:
        _carry(walked, values)
    else:
        _check_masked(values)
    records = {id(one.variable): one for one in masked_weights(model)}
    for one in values:
        _assign(one, records.get(id(one.weight.variable)))

    recorded = {
        id(one.host): one.host
        for one in records.values()
        if was_plain or mask_history.EVER_ACTIVE in one.diagnostics
    }
    for host in recorded.values():
        mask_history.start_recording(host, keep_start=True)
    return model


class _Values(NamedTuple):
    """A weight of the model and what it is to become."""

    weight: ModelWeight
    spec: WeightSpec
    array: np.ndarray
    mask: np.ndarray | None  # None: it was exported without


def _match(
    packed: Sequence[PackedWeight], found: Sequence[ModelWeight], path: str
) -> list[tuple[ModelWeight, PackedWeight]]:
    """Pairs the weights of the artifact with those of the model."""
    names = [one.spec.path for one in packed]
    left = {weight.path: [weight] for weight in found}
    if not set(names) <= set(left):
        # Keras has counted the layers of other models, too.
        names = list(map(_without_numbers, names))
        left = {}
        for weight in found:
            left.setdefault(_without_numbers(weight.path), []).append(weight)

    pairs = []
    for name, one in zip(names, packed, strict=True):
        weights = left.get(name)
        candidate = weights.pop(0) if weights else None
        pairs.append((_fitting(candidate, one.spec, path), one))
    return pairs


def _fitting(
    weight: ModelWeight | None, spec: WeightSpec, path: str
) -> ModelWeight:
    """Returns the weight if its shape and dtype are the artifact's."""
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
    """Strips the numbers that Keras gives to unnamed layers."""
    return re.sub(r"_\d+(?=/|$)", "", path)


def _check_masked(values: Sequence[_Values]) -> None:
    """Checks that the model has a mask for each of the artifact's."""
    lacking = [
        one.weight.path
        for one in values
        if one.mask is not None and one.weight.record is None
    ]
    if lacking:
        raise ValueError(
            "A sparse model must have a mask wherever the artifact has one. "
            f"Received: none for {lacking}. Pass the plain model: it gets the "
            "masks of the artifact."
        )


def _carry(walked: WalkedModel, values: Sequence[_Values]) -> None:
    """Makes the layers of a plain model carry the masks of the artifact."""
    masked = {
        id(one.weight.variable): one for one in values if one.mask is not None
    }

    for host in tree.hosts(walked.flavor, walked.model):
        sites = {
            site.key: (site, masked.pop(id(site.variable)))
            for site in tree.sites(walked.flavor, host.layer)
            if id(site.variable) in masked
        }
        if not sites:
            continue

        kinds = [_structure(one.spec) for _, one in sites.values()]
        check(
            all(kind == kinds[0] for kind in kinds),
            "The weights of one layer must have one structure.",
            f"{kinds} within {host.layer.name!r}",
        )

        config = layer_config.LayerConfig(
            {key: _plan(site, one) for key, (site, one) in sites.items()},
            seed=0,
            key="/".join(host.key),
            structure=kinds[0],
            start="dense",
        )
        carry_masks(host.layer, config)

    if masked:
        raise ValueError(
            "Each weight with a mask must be one that may be sparse. "
            f"Received: {[one.spec.path for one in masked.values()]}, which "
            "the model's layers do not name."
        )


def _structure(spec: WeightSpec) -> structures.Structure:
    if spec.structure is None:
        return structures.Unstructured()
    try:
        return structures.deserialize(spec.structure)
    except (TypeError, ValueError) as error:
        check(False, "The structure of a mask must be one.", str(error))
        raise


def _plan(site: tree.Site, one: _Values) -> layer_config.WeightConfig:
    spec = one.spec
    target = spec.nonzeros if spec.target is None else spec.target
    if spec.structure is None:
        return layer_config.WeightConfig(tuple(spec.shape), target)
    layout = kernel_layout(site.owner, site.variable)
    return layer_config.WeightConfig(tuple(spec.shape), target, layout)


def _assign(one: _Values, record: MaskedWeight | None) -> None:
    """Sets a weight and, if it has one, its mask."""
    if record is None:
        one.weight.set_values(one.array)
        return

    mask = one.mask
    if mask is None:
        # That of a stripped model, in which it can only be guessed.
        dense = record.target == record.size
        mask = np.ones(one.array.shape, bool) if dense else one.array != 0
    record.set_mask(mask, one.array)
    if INACTIVE_VALUES in record.state:
        record.state[INACTIVE_VALUES].assign(one.array)
