"""Specifications of a model's inputs, given or recorded by Keras.

`call_signature` leaves the batch size open, for functions that run batches of
any size; `one_example` fixes it, for counting operations.
"""

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import model_call

Shape = tuple[int | None, ...]
_COMPOSITE = (tf.RaggedTensorSpec, tf.SparseTensorSpec)


class CallSignature(NamedTuple):
    """Specifications of the arguments of a model call."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class Example(NamedTuple):
    """Specifications of the arguments of a call on one example.

    If the model requires a batch size, they describe one batch of that size.
    """

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    batch: int


def call_signature(model: Any, inputs: Any) -> CallSignature:
    """Specifies a call of a model on a batch of any size.

    Args:
        model: a Keras model.
        inputs: arrays, tensors, specifications or shapes, in the structure that
            the model takes; or all arguments of its `call`, in a dictionary
            keyed by their names or, if it requires several, in a list. Their
            first dimension is left open. If None, the inputs of the model's
            definition or of its first call are used, with the batch size open
            unless the definition fixes it.

    Raises:
        TypeError: if `inputs` is none of these.
        ValueError: if `inputs` is None and the model was never called, or if
            an argument is missing that the model's `call` requires.
    """
    arguments, keywords = _given_or_remembered(model, inputs)

    def specify(leaf: Any) -> tf.TypeSpec | None:
        if leaf is None:
            return None
        composite = _composite(leaf)
        if composite is not None:
            return composite
        bare = model_call.is_shape(leaf)
        shape = tf.TensorShape(leaf if bare else leaf.shape)
        # Bare shapes were recorded at the first call, with its batch size.
        if (inputs is not None or bare) and shape.rank:
            shape = tf.TensorShape([None, *shape[1:]])
        name = None if bare else getattr(leaf, "name", None)
        return tf.TensorSpec(
            shape, _dtype(leaf), name if isinstance(name, str) else None
        )

    return CallSignature(*_map_leaves(specify, arguments, keywords))


def one_example(model: Any, inputs: Any = None) -> Example:
    """Specifies a call of a model, built or not, on one example.

    Arguments and errors are those of `call_signature`; the batch size of
    `inputs` is ignored.
    """
    arguments, keywords = _given_or_remembered(model, inputs)
    remembered = flavors.flavor_of(model).remembered_inputs(model)
    known = _leaves(*remembered) if remembered else []
    batch = _fixed_batch(known)
    # Bare shapes have no dtype, so they take that of the recorded input.
    dtypes = [_dtype(leaf) for leaf in known]
    if len(dtypes) != len(_leaves(arguments, keywords)):
        dtypes = []
    remaining = iter(dtypes)

    def specify(leaf: Any) -> Any:
        dtype = next(remaining, tf.float32)
        if leaf is None:
            return leaf
        composite = _composite(leaf)
        if composite is not None:
            return composite
        bare = model_call.is_shape(leaf)
        shape = as_shape(leaf if bare else leaf.shape)
        if shape:
            shape = (batch, *shape[1:])
        return tf.TensorSpec(shape, dtype if bare else _dtype(leaf))

    return Example(*_map_leaves(specify, arguments, keywords), batch)


def as_shape(value: Any) -> Shape | None:
    """Converts a shape to a tuple, or to None if its rank is unknown."""
    shape = tf.TensorShape(value)
    return None if shape.rank is None else tuple(shape.as_list())


def is_dense(call: CallSignature) -> bool:
    """Returns whether none of the tensors of a call is ragged or sparse."""
    return not any(
        isinstance(leaf, _COMPOSITE) for leaf in tf.nest.flatten(tuple(call))
    )


def fix_batch(call: CallSignature, size: int) -> CallSignature:
    """Sets the first dimension of each tensor of a call to `size`."""

    def fix(leaf: Any) -> Any:
        if not isinstance(leaf, tf.TensorSpec) or not leaf.shape.rank:
            return leaf
        return tf.TensorSpec([size, *leaf.shape[1:]], leaf.dtype, leaf.name)

    return CallSignature(*tf.nest.map_structure(fix, tuple(call)))


def named_leaves(call: CallSignature) -> dict[str, tf.TensorSpec]:
    """Returns the tensors of a call by unique names.

    A tensor is named by its own name or by the keys that lead to it; tensors
    that make up a ragged or sparse one are named one by one. The order is that
    of `tf.nest.flatten`.
    """
    named: dict[str, tf.TensorSpec] = {}
    for path, leaf in (
        *_with_paths(call.arguments),
        *_with_paths(call.keywords),
    ):
        for part in tf.nest.flatten(leaf, expand_composites=True):
            if isinstance(part, tf.TensorSpec):
                named[_unused(part.name or path, named)] = part
    return named


def flat_signature(call: CallSignature) -> list[tf.TensorSpec]:
    """Returns the tensors of a call as a list, named as in `named_leaves`."""
    return [
        tf.TensorSpec(leaf.shape, leaf.dtype, name)
        for name, leaf in named_leaves(call).items()
    ]


def pack_arguments(call: CallSignature, tensors: Iterable[Any]) -> Any:
    """Packs tensors into the structure of a call's arguments and keywords.

    The tensors are in the order of `named_leaves`.
    """
    given = iter(tensors)
    leaves = tf.nest.flatten(tuple(call), expand_composites=True)
    return tf.nest.pack_sequence_as(
        tuple(call),
        [
            next(given) if isinstance(leaf, tf.TensorSpec) else leaf
            for leaf in leaves
        ],
        expand_composites=True,
    )


def name_outputs(outputs: Any) -> dict[str, Any]:
    """Returns outputs by their keys, or by Keras's names "output_0", ..."""
    if isinstance(outputs, Mapping) and all(
        map(tf.is_tensor, outputs.values())
    ):
        return dict(outputs)
    return {
        f"output_{number}": tensor
        for number, tensor in enumerate(tf.nest.flatten(outputs))
        if tf.is_tensor(tensor)
    }


def _given_or_remembered(model: Any, inputs: Any) -> flavors.Inputs:
    if inputs is not None:
        return model_call.call_arguments(model, inputs)
    remembered = flavors.flavor_of(model).remembered_inputs(model)
    if remembered is None:
        raise ValueError(
            "A model that was never called must come with `inputs`. "
            f"Received: model={model.name!r}, inputs=None. Pass a batch, "
            "tf.TensorSpec or shape, such as inputs=(None, 28, 28, 1)."
        )

    missing = model_call.missing_arguments(model, *remembered)
    if missing:
        raise ValueError(
            "A model of which Keras remembers only some of the arguments that "
            "its `call` requires must come with `inputs`. "
            f"Received: model={model.name!r}, inputs=None; {missing} are not "
            "remembered. Pass a dictionary by the names of all: "
            f"{model_call.inputs_by_name(model)}."
        )
    return remembered


def _map_leaves(
    specify: Callable[[Any], Any],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> flavors.Inputs:
    """Replaces each leaf of the arguments by the result of `specify`."""

    def specify_all(structure: Any) -> Any:
        is_tensor = structure is None or hasattr(structure, "shape")
        if is_tensor or model_call.is_shape(structure):
            return specify(structure)
        if isinstance(structure, Mapping):
            return {key: specify_all(value) for key, value in structure.items()}
        _check_structure(structure)
        values = [specify_all(value) for value in structure]
        return tuple(values) if isinstance(structure, tuple) else values

    # Arguments are mapped one by one: an argument (None, 5) is a shape, but
    # the tuple of all arguments never is.
    return (
        tuple(specify_all(value) for value in arguments),
        {name: specify_all(value) for name, value in keywords.items()},
    )


def _leaves(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> list[Any]:
    """Returns the leaves that `_map_leaves` replaces, in the same order."""
    leaves: list[Any] = []
    _map_leaves(leaves.append, arguments, keywords)
    return leaves


def _check_structure(value: Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            "`inputs` must be made of arrays, tensors, tf.TensorSpec or "
            "shapes, in lists, tuples or dictionaries. "
            f"Received: {value!r} of type {type(value)}."
        )


def _composite(leaf: Any) -> tf.TypeSpec | None:
    """Specifies a ragged or sparse tensor of any batch; None: it is dense."""
    if isinstance(leaf, (tf.RaggedTensor, tf.SparseTensor)):
        leaf = tf.type_spec_from_value(leaf)
    # Keras 3 marks its own.
    is_sparse = isinstance(leaf, tf.SparseTensorSpec) or (
        getattr(leaf, "sparse", False) is True
    )
    is_ragged = isinstance(leaf, tf.RaggedTensorSpec) or (
        getattr(leaf, "ragged", False) is True
    )
    if not (is_sparse or is_ragged):
        return None

    shape = tf.TensorShape(leaf.shape)
    if shape.rank:
        shape = tf.TensorShape([None, *shape[1:]])
    if is_sparse:
        return tf.SparseTensorSpec(shape, _dtype(leaf))
    return tf.RaggedTensorSpec(
        shape, _dtype(leaf), leaf.ragged_rank, leaf.row_splits_dtype
    )


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """Makes a name of letters, digits and the like that is not taken."""
    name = re.sub(r"[^A-Za-z0-9_.]", "_", name) or "inputs"
    unique, number = name, 0
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def _dtype(leaf: Any) -> tf.DType:
    dtype = getattr(leaf, "dtype", None)
    return tf.float32 if dtype is None else tf.as_dtype(dtype)


def _fixed_batch(leaves: Iterable[Any]) -> int:
    """Returns the batch size that the model requires, or 1."""
    for leaf in leaves:
        # Bare shapes were recorded at the first call; they require nothing.
        if leaf is not None and not model_call.is_shape(leaf):
            shape = as_shape(leaf.shape)
            if shape and shape[0]:
                return shape[0]
    return 1


def _with_paths(structure: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each leaf with the path of its keys, in the order of `tf.nest`."""
    if isinstance(structure, Mapping):
        items = [(str(key), structure[key]) for key in sorted(structure)]
    elif isinstance(structure, (list, tuple)):
        # The index within a list of length one carries no information.
        items = [
            (str(index) if len(structure) > 1 else "", value)
            for index, value in enumerate(structure)
        ]
    else:
        yield path, structure
        return

    for key, value in items:
        yield from _with_paths(value, "_".join(filter(None, (path, key))))
