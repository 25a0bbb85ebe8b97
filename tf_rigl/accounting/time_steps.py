"""Calls a layer of each step of a sequence on all steps at once."""

from typing import Any

import tensorflow as tf

from tf_rigl.backend.call_signature import as_shape


def call_on_all_steps(
    layer: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> int | None:
    """Calls a layer on all steps of a sequence as if each were an example.

    Returns:
        The number of steps, None if it is unknown.
    """
    sequences = arguments[0] if arguments else next(iter(keywords.values()))
    layer(tf.nest.map_structure(_fold_steps, sequences))
    shape = as_shape(tf.nest.flatten(sequences)[0].shape)
    return None if shape is None else shape[1]


def _fold_steps(sequences: tf.Tensor) -> tf.Tensor:
    """Reshapes [batch, steps, ...] to [batch * steps, ...]."""
    sizes = as_shape(sequences.shape)
    if sizes is None:
        return sequences
    batch, steps, *rest = sizes
    folded = None if batch is None or steps is None else batch * steps
    shape = tf.concat([[-1], tf.shape(sequences)[2:]], axis=0)
    return tf.ensure_shape(tf.reshape(sequences, shape), [folded, *rest])


def with_steps(outputs: Any, steps: int | None) -> Any:
    """Corrects the number of steps of [batch, steps, ...] if it is unknown.

    Keras 3 takes the batch size for it then.
    """
    if steps is not None:
        return outputs
    return tf.nest.map_structure(
        lambda output: tf.compat.v1.placeholder_with_default(
            output, [output.shape[0], None, *output.shape[2:]]
        ),
        outputs,
    )
