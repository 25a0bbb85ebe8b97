"""What one example of a model's input looks like."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.model_call import call_arguments
from tf_rigl.backend.model_call import is_shape

Shape = tuple[int | None, ...]


class Example(NamedTuple):
    """Specifications of the arguments of a call on one example.

    Where a model insists on a batch size, it is on a batch of that size.
    """

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    batch: int


def one_example(flavor: Flavor, model: Any, inputs: Any = None) -> Example:
    """Specifies a call of a model on one example.

    Args:
        flavor: the model's.
        model: a model, built or not.
        inputs: what the model is called on, with the batch dimension, whose
            size does not matter: arrays, tensors, specifications or shapes,
            in the structure that the model takes, or in a dictionary by the
            names of the arguments of its `call`. None: what the model was
            defined for or called on.

    Raises:
        TypeError: where `inputs` is none of these.
        ValueError: where it is None and the model has never seen an input.
    """
    remembered = flavor.remembered_inputs(model)
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    if inputs is not None:
        arguments, keywords = call_arguments(model, inputs)
    elif remembered is not None:
        arguments, keywords = remembered
    else:
        raise ValueError(
            "A model that was never called must be profiled with `inputs`. "
            f"Received: model={model.name!r}, inputs=None. Pass a batch, "
            "tf.TensorSpec or shape, as in "
            "`tf_rigl.profile(model, inputs=(None, 28, 28, 1))`."
        )
    known = _leaves_of(*remembered) if remembered else []
    batch = _fixed_batch(known)
    dtypes = [_dtype(leaf) for leaf in known]
    if len(dtypes) != len(_leaves_of(arguments, keywords)):
        dtypes = []
    remaining = iter(dtypes)
    return Example(
        tuple(_specify(value, batch, remaining) for value in arguments),
        {
            name: _specify(value, batch, remaining)
            for name, value in keywords.items()
        },
        batch,
    )


def as_shape(value: Any) -> Shape | None:
    """A shape as a tuple; None where its rank is unknown."""
    shape = tf.TensorShape(value)
    return None if shape.rank is None else tuple(shape.as_list())


def _is_leaf(value: Any) -> bool:
    return value is None or is_shape(value) or hasattr(value, "shape")


def _leaves_of(
    arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> list[Any]:
    values = [*arguments, *keywords.values()]
    return [leaf for value in values for leaf in _leaves(value)]


def _leaves(structure: Any) -> Iterator[Any]:
    if _is_leaf(structure):
        yield structure
    elif isinstance(structure, Mapping):
        for value in structure.values():
            yield from _leaves(value)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from _leaves(value)
    else:
        raise TypeError(
            "`inputs` must be made of arrays, tensors, tf.TensorSpec or "
            "shapes, in lists, tuples or dictionaries. "
            f"Received: {structure!r} of type {type(structure)}."
        )


def _fixed_batch(leaves: list[Any]) -> int:
    """The batch size that the model insists on, else 1."""
    for leaf in leaves:
        # A bare shape is that of the batch that was seen first.
        if leaf is not None and not is_shape(leaf):
            shape = as_shape(leaf.shape)
            if shape and shape[0]:
                return shape[0]
    return 1


def _dtype(leaf: Any) -> tf.DType:
    dtype = getattr(leaf, "dtype", None)
    return tf.float32 if dtype is None else tf.as_dtype(dtype)


def _specify(structure: Any, batch: int, dtypes: Iterator[tf.DType]) -> Any:
    """The structure with a specification in place of each leaf.

    Args:
        structure: arguments.
        batch: the size of the first dimension.
        dtypes: for bare shapes; float32 where it has no more.
    """
    if _is_leaf(structure):
        return _specify_leaf(structure, batch, next(dtypes, tf.float32))
    if isinstance(structure, Mapping):
        return {
            key: _specify(value, batch, dtypes)
            for key, value in structure.items()
        }
    values = [_specify(value, batch, dtypes) for value in structure]
    return tuple(values) if isinstance(structure, tuple) else values


def _specify_leaf(leaf: Any, batch: int, dtype: tf.DType) -> Any:
    if leaf is None or isinstance(
        leaf, (tf.RaggedTensorSpec, tf.SparseTensorSpec)
    ):
        return leaf
    bare = is_shape(leaf)
    shape = as_shape(leaf if bare else leaf.shape)
    if shape:
        shape = (batch, *shape[1:])
    return tf.TensorSpec(shape, dtype if bare else _dtype(leaf))
