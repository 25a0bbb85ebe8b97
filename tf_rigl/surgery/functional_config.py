"""Edits of the graph of layers in the configuration of a functional model.

Either Keras writes a tensor as the name of the layer that makes it, the number
of the layer's call and that of the call's output.
"""

import functools
import itertools
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.backend.flavor import Flavor

Config = dict[str, Any]
Tensor = tuple[str, int, int]


def mapped(structure: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Returns a structure in which each tensor has been changed."""
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            config = structure["config"]
            history = list(change(tuple(config["keras_history"])))
            return {**structure, "config": {**config, "keras_history": history}}
        return {key: mapped(one, change) for key, one in structure.items()}

    if not isinstance(structure, (list, tuple)):
        return structure
    if _is_tensor(structure):
        changed = change(tuple(structure[:3]))
        return [*changed, *(mapped(one, change) for one in structure[3:])]
    items = [mapped(one, change) for one in structure]
    return tuple(items) if isinstance(structure, tuple) else items


def _is_tensor(structure: Sequence[Any]) -> bool:
    """Returns whether a list is a tensor of Keras 2 or an output of either.

    A fourth item of Keras 2 is the keyword arguments of the call.
    """
    kinds = (str, int, int)
    return len(structure) > 2 and all(map(isinstance, structure, kinds))


def tensors_in(structure: Any) -> list[Tensor]:
    """Lists the tensors of a structure in their order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(structure, note)
    return found


def select(
    flavor: Flavor, config: Config, name: str, indices: np.ndarray, axis: int
) -> None:
    """Puts a gather along an axis in front of each call of a layer.

    The layer must have one input. Each gather is an operation of Keras itself,
    whose indices are part of the configuration and no weight.
    """
    entries = config["layers"]
    entry = _entry(config, name)
    for number, node in enumerate(entry["inbound_nodes"]):
        (source,) = tensors_in(node)
        gather = _single(
            flavor,
            int(indices.max()) + 1,
            functools.partial(
                flavor.gather, indices=indices.tolist(), axis=axis
            ),
        )
        _place(gather, _free_name(config, f"{name}_selection"), source)
        entry["inbound_nodes"][number] = _reading(node, (gather["name"], 0, 0))
        entries.insert(_position(config, name), gather)


def keep_operands(config: Config, name: str, kept: Sequence[int]) -> None:
    """Leaves some operands, at least two, of a layer that is called on a list.

    It is called once, without other arguments.
    """
    (node,) = (nodes := _entry(config, name)["inbound_nodes"])
    if isinstance(node, dict):
        listed, *others = node["args"]
        left = [listed[number] for number in kept]
        nodes[0] = {**node, "args": [left, *others]}
    else:
        nodes[0] = [node[number] for number in kept]


def pass_on(
    flavor: Flavor,
    config: Config,
    name: str,
    operand: int,
    dtype: str,
    constants: np.ndarray | None = None,
) -> None:
    """Lets a sum, which is called once, pass on one of its operands.

    The sum goes, and what reads it reads the operand. Where it is an output of
    the model or constants are added, a layer of its name stays.

    Args:
        flavor: the model's Keras.
        config: the configuration of the functional model.
        name: the name of the sum, a layer or an operation.
        operand: the number of the operand.
        dtype: the dtype of the sum.
        constants: float [features] to add to the operand; None if 0.
    """
    entry = _entry(config, name)
    source = tensors_in(entry["inbound_nodes"])[operand]
    own = (name, 0, 0)

    if constants is not None:
        values = constants.astype(np.float32)
        stays = _single(flavor, len(values), lambda inputs: inputs + values)
    elif own in tensors_in(config["output_layers"]):
        linear = flavor.keras.layers.Activation("linear", dtype=dtype)
        stays = _single(flavor, 1, linear)
    else:
        del config["layers"][_position(config, name)]
        for other in config["layers"]:
            other["inbound_nodes"] = mapped(
                other["inbound_nodes"],
                lambda one: source if one == own else one,
            )
        return

    _place(stays, name, source)
    config["layers"][_position(config, name)] = stays


def remove(config: Config, names: Collection[str]) -> None:
    """Removes layers, which nothing may read that stays."""
    config["layers"] = [
        entry for entry in config["layers"] if entry["name"] not in names
    ]


def _position(config: Config, name: str) -> int:
    return [entry["name"] for entry in config["layers"]].index(name)


def _entry(config: Config, name: str) -> Config:
    found: Config = config["layers"][_position(config, name)]
    return found


def _free_name(config: Config, name: str) -> str:
    names = {entry["name"] for entry in config["layers"]}
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return next(
        one for one in itertools.chain([name], numbered) if one not in names
    )


def _single(flavor: Flavor, width: int, call: Callable[[Any], Any]) -> Config:
    """Returns how Keras writes a call on a tensor of some features.

    It is taken from a model of that call alone.
    """
    inputs = flavor.keras.Input((width,), name="inputs")
    model = flavor.keras.Model(inputs, call(inputs), name="single")
    entry: Config = model.get_config()["layers"][1]
    entry.pop("build_config", None)
    return entry


def _place(entry: Config, name: str, source: Tensor) -> None:
    """Names a call written by `_single` and lets it read a tensor."""
    entry["name"] = entry["config"]["name"] = name
    entry["inbound_nodes"] = _reading(entry["inbound_nodes"], source)


def _reading(structure: Any, source: Tensor) -> Any:
    """Returns a structure in which every tensor is the given one."""
    return mapped(structure, lambda _: source)
