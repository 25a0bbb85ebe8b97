"""What a model is called on, as specifications with an open batch size."""

import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.model_call import call_arguments
from tf_rigl.backend.model_call import is_shape


class CallSignature(NamedTuple):
    """Specifications of the arguments of a model's call."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


def call_signature(flavor: Flavor, model: Any, inputs: Any) -> CallSignature:
    """Specifies the call of a model on a batch of any size.

    Args:
        flavor: the model's.
        model: a model.
        inputs: what the model is called on: arrays, tensors, specifications
            or shapes, in the structure that the model takes, or in a
            dictionary by the names of the arguments of its `call`. The first
            dimension is left open. None: what the model was defined for or
            called on, with the batch size open unless its definition fixes
            it.

    Raises:
        TypeError: where `inputs` is none of these.
        ValueError: where it is None and the model has never seen an input.
    """
    if inputs is not None:
        arguments, keywords = call_arguments(model, inputs)
        return CallSignature(
            _specify(arguments, open_batch=True),
            _specify(keywords, open_batch=True),
        )
    remembered = flavor.remembered_inputs(model)
    if remembered is None:
        raise ValueError(
            "A model that was never called must be exported with `inputs`. "
            f"Received: model={model.name!r}, inputs=None. Pass a batch, "
            "tf.TensorSpec or shape, such as inputs=(None, 28, 28, 1)."
        )
    arguments, keywords = remembered
    return CallSignature(
        _specify(arguments, open_batch=False),
        _specify(keywords, open_batch=False),
    )


def named_leaves(signature: CallSignature) -> dict[str, tf.TensorSpec]:
    """The tensors of a call under names of their own.

    Args:
        signature: of the call.

    Returns:
        A specification for each tensor, in the order of `tf.nest.flatten`,
        under its own name or that of its place.
    """
    named: dict[str, tf.TensorSpec] = {}
    leaves = _with_paths(signature.arguments) + _with_paths(signature.keywords)
    for path, leaf in leaves:
        if not isinstance(leaf, tf.TensorSpec):
            continue
        name = re.sub(r"[^A-Za-z0-9_.]", "_", leaf.name or path) or "inputs"
        unique, number = name, 0
        while unique in named:
            number += 1
            unique = f"{name}_{number}"
        named[unique] = leaf
    return named


def place(call: CallSignature, tensors: Iterable[Any]) -> Any:
    """Arguments and keyword arguments with tensors in their places.

    Args:
        call: a call.
        tensors: of the call, in the order of `named_leaves`.
    """
    given = iter(tensors)
    return tf.nest.map_structure(
        lambda leaf: next(given) if isinstance(leaf, tf.TensorSpec) else leaf,
        tuple(call),
    )


def flat_signature(call: CallSignature) -> list[tf.TensorSpec]:
    """The tensors of a call in order, under the names of `named_leaves`."""
    return [
        tf.TensorSpec(leaf.shape, leaf.dtype, name)
        for name, leaf in named_leaves(call).items()
    ]


def name_outputs(outputs: Any) -> dict[str, Any]:
    """Outputs under their keys, else as Keras names them."""
    if isinstance(outputs, Mapping) and all(
        map(tf.is_tensor, outputs.values())
    ):
        return dict(outputs)
    return {
        f"output_{number}": tensor
        for number, tensor in enumerate(tf.nest.flatten(outputs))
        if tf.is_tensor(tensor)
    }


def _specify(structure: Any, open_batch: bool) -> Any:
    """The structure with a specification in place of each leaf."""
    if structure is None:
        return None
    if is_shape(structure) or hasattr(structure, "shape"):
        return _specify_leaf(structure, open_batch)
    if isinstance(structure, Mapping):
        return {
            key: _specify(value, open_batch) for key, value in structure.items()
        }
    if isinstance(structure, (list, tuple)):
        values = [_specify(value, open_batch) for value in structure]
        return tuple(values) if isinstance(structure, tuple) else values
    raise TypeError(
        "`inputs` must be made of arrays, tensors, tf.TensorSpec or shapes, "
        f"in lists, tuples or dictionaries. Received: {structure!r} of type "
        f"{type(structure)}."
    )


def _specify_leaf(leaf: Any, open_batch: bool) -> tf.TensorSpec:
    bare = is_shape(leaf)
    shape = tf.TensorShape(leaf if bare else leaf.shape)
    # A bare shape is that of the batch that was seen first.
    if (open_batch or bare) and shape.rank:
        shape = tf.TensorShape([None, *shape[1:]])
    dtype = None if bare else getattr(leaf, "dtype", None)
    name = None if bare else getattr(leaf, "name", None)
    return tf.TensorSpec(
        shape,
        tf.float32 if dtype is None else tf.as_dtype(dtype),
        name if isinstance(name, str) else None,
    )


def _with_paths(structure: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves and the keys that lead to them, as `tf.nest` orders them."""
    if isinstance(structure, Mapping):
        items = [(str(key), structure[key]) for key in sorted(structure)]
    elif isinstance(structure, (list, tuple)):
        # The place in a list of one says nothing.
        items = [
            (str(place) if len(structure) > 1 else "", value)
            for place, value in enumerate(structure)
        ]
    else:
        return [(path, structure)]
    return [
        leaf
        for key, value in items
        for leaf in _with_paths(value, "_".join(filter(None, (path, key))))
    ]
