"""This library's part of a masked layer's configuration.

Keras writes it into `.keras` files, tf_keras also into HDF5 files and
SavedModels, so files outlive the code that wrote them. Versions:

- none: written by tf_rigl 0.1.0, before versions. All weights are stored
  dense, and their masks are among the model's weights.
- 1: states both explicitly, per weight ("storage") and per layer ("masks"),
  so another storage or place for masks is a new value and not a new version.
  It also names the tf_rigl that wrote it.

Unknown versions, values and settings are errors, because ignoring them would
silently change masks.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core import connections
from tf_rigl.core import dice
from tf_rigl.core import structures
from tf_rigl.core.dice import Dice
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.structures import Structure
from tf_rigl.core.structures import Unstructured
from tf_rigl.masking.storages import STORAGES
from tf_rigl.version import __version__

VERSION = 1
STARTS = ("random", "dense", "magnitude")
# Places where masks may be saved: as entries of the model's `weights`.
MASKS = ("weights",)

_ATTRIBUTE = "_tf_rigl_config"
_WEIGHT_SETTINGS = {
    "shape",
    "nonzeros",
    "initial_nonzeros",
    "stays_dense",
    "permutation",
    "view",
    "storage",
    "dice",
    "inputs",
    "storage_reason",
}


@dataclasses.dataclass(frozen=True)
class WeightConfig:
    """Configuration of one masked weight."""

    shape: tuple[int, ...]  # shape of the weight
    target: int  # number of connections allotted to it
    # The layout in which the structure sees it; None for no change.
    layout: KernelLayout | None = None
    storage: str = "dense"  # a key of `STORAGES`
    # Number of connections of the initial mask, if it was another.
    initial_target: int | None = None
    stays_dense: bool = False  # whether the user asked for it
    # How its values were drawn; they may have changed since. None if that
    # is not known.
    dice: Dice | None = None
    # Number of inputs, of a weight that is stored by its connections.
    inputs: int | None = None
    # Storage and why it was chosen, unless the default; that of weights that
    # are compressed is saved.
    storage_reason: str | None = None


@dataclasses.dataclass
class LayerConfig:
    """Configuration of the masked weights of one layer."""

    weights: dict[str, WeightConfig]  # by the weight's key within the layer
    seed: int  # the user's seed for the initial masks
    key: str  # key of the layer within the model
    # Structure of all masks.
    structure: Structure = dataclasses.field(default_factory=Unstructured)
    # How the initial masks are chosen, one of `STARTS`.
    start: str = "random"
    # Kinds of the tensors kept for each weight, by name; see `state_store`.
    state: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    masks: str = "weights"  # where the masks are saved, one of `MASKS`

    def weight_key(self, name: str) -> str:
        """Returns a weight's key in the model from its key in the layer."""
        return "/".join(part for part in (self.key, name) if part)


def initial_mask(config: LayerConfig, name: str, values: Any) -> tf.Tensor:
    """Returns the initial mask of a weight, given its key within the layer.

    `values` is None if the weight does not exist yet.
    """
    weight = config.weights[name]
    layout = weight.layout
    target = weight.target
    if weight.initial_target is not None:
        target = weight.initial_target
    if (
        config.start == "dense"
        or target == math.prod(weight.shape)
        # The mask is about to be loaded from a file.
        or (config.start == "magnitude" and values is None)
    ):
        return tf.ones(weight.shape, tf.bool)

    if config.start == "random":
        view = weight.shape if layout is None else layout.shape
        mask = config.structure.random_mask(
            view, target, config.seed, config.weight_key(name)
        )
    else:
        values = tf.convert_to_tensor(values)
        mask = config.structure.largest(
            values if layout is None else layout.view(values), target
        )

    return mask if layout is None else layout.unview(mask)


def initial_positions(config: LayerConfig, name: str, values: Any) -> Any:
    """Returns the flat positions that are active at first, int64 [target].

    The arguments are those of `initial_mask`, whose result has the same.
    """
    weight = config.weights[name]
    if config.start == "magnitude" and values is not None:
        return np.flatnonzero(initial_mask(config, name, values))
    return connections.random_positions(
        math.prod(weight.shape),
        weight.target,
        config.seed,
        config.weight_key(name),
    ).numpy()


def config_of(layer: Any) -> LayerConfig:
    """Returns the configuration of a masked layer."""
    return layer.__dict__[_ATTRIBUTE]


def set_config(layer: Any, config: LayerConfig) -> None:
    """Attaches a configuration, bypassing Keras's attribute tracking."""
    layer.__dict__[_ATTRIBUTE] = config


def drop_config(layer: Any) -> None:
    """Removes the configuration that `set_config` attached."""
    del layer.__dict__[_ATTRIBUTE]


def serialize(config: LayerConfig) -> dict[str, Any]:
    """Converts a configuration to JSON values."""
    result: dict[str, Any] = {
        "version": VERSION,
        "tf_rigl": __version__,
        "weights": {
            name: _serialize_weight(weight)
            for name, weight in config.weights.items()
        },
        "masks": config.masks,
        "seed": config.seed,
        "key": config.key,
        "structure": structures.serialize(config.structure),
        "start": config.start,
    }

    if config.state:
        result["state"] = {
            name: dict(kinds) for name, kinds in config.state.items()
        }
    return result


def deserialize(config: Mapping[str, Any]) -> LayerConfig:
    """Reads a configuration written by `serialize` of any version.

    Raises:
        ValueError: if the configuration needs a newer tf_rigl.
    """
    version = config.get("version", 0)
    if not isinstance(version, int) or version > VERSION:
        raise _needs_newer(config, f"version={version!r}")

    masks = config.get("masks", "weights")
    if masks not in MASKS:
        raise _needs_newer(config, f"masks={masks!r}")

    weights = {}
    for name, weight in config["weights"].items():
        unknown = sorted(set(weight) - _WEIGHT_SETTINGS)
        if unknown:
            raise _needs_newer(config, f"settings {unknown} of {name!r}")

        weights[name] = _deserialize_weight(weight)
        if weights[name].storage not in STORAGES:
            storage = weights[name].storage
            raise _needs_newer(config, f"storage={storage!r} of {name!r}")

        drawn = weights[name].dice
        if drawn is not None and drawn.kind not in dice.KINDS:
            raise _needs_newer(config, f"{drawn} of {name!r}")

    structure = config.get("structure")
    return LayerConfig(
        weights,
        config["seed"],
        config["key"],
        Unstructured()
        if structure is None
        else structures.deserialize(structure),
        config.get("start", "random"),
        {name: dict(kinds) for name, kinds in config.get("state", {}).items()},
        masks,
    )


def _serialize_weight(weight: WeightConfig) -> dict[str, Any]:
    """Converts the configuration of one weight to JSON types."""
    result: dict[str, Any] = {
        "shape": list(weight.shape),
        # Files of all versions store the target under this name.
        "nonzeros": weight.target,
        "storage": weight.storage,
    }
    if weight.initial_target is not None:
        result["initial_nonzeros"] = weight.initial_target
    if weight.stays_dense:
        result["stays_dense"] = True
    if weight.inputs is not None:
        result["inputs"] = weight.inputs
    if weight.inputs is not None and weight.storage_reason is not None:
        result["storage_reason"] = weight.storage_reason
    if weight.dice is not None:
        result["dice"] = weight.dice.to_json()
    if weight.layout is not None:
        result["permutation"] = list(weight.layout.permutation)
        result["view"] = list(weight.layout.shape)
    return result


def _deserialize_weight(weight: Mapping[str, Any]) -> WeightConfig:
    """Inverts `_serialize_weight`; early versions wrote no storage."""
    shape = tuple(weight["shape"])
    layout = None
    if "view" in weight:
        positions, inputs, units = weight["view"]
        layout = KernelLayout(
            tuple(weight["permutation"]), (positions, inputs, units), shape
        )
    found = weight.get("dice")
    return WeightConfig(
        shape,
        weight["nonzeros"],
        layout,
        weight.get("storage", "dense"),
        weight.get("initial_nonzeros"),
        weight.get("stays_dense", False),
        None if found is None else dice.from_json(found),
        weight.get("inputs"),
        weight.get("storage_reason"),
    )


def _needs_newer(config: Mapping[str, Any], received: str) -> ValueError:
    """Returns the error for a configuration that is not understood."""
    writer = config.get("tf_rigl")
    needed = "a newer tf_rigl" if writer is None else f"tf_rigl>={writer}"
    return ValueError(
        "A masked layer must have a configuration that this tf_rigl "
        f"({__version__}, version {VERSION} of the configuration) can read. "
        f"Received: {received}, written by tf_rigl {writer or 'unknown'}. "
        f"Install {needed}."
    )
