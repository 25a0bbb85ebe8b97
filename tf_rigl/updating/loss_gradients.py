"""Gradients of a loss over data, for pruning by saliency."""

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import check_stored_masked

Loss = Callable[[Any, Any], tf.Tensor]


def compiled_loss(model: Any) -> Loss | None:
    """Returns the loss function that a model was compiled with, if any."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, str):
        return flavor_of(model).keras.losses.get(loss)
    return loss if callable(loss) else None


def mean_gradients(
    model: Any, records: list[MaskedWeight], data: Iterable[Any], loss: Loss
) -> list[tf.Tensor]:
    """Returns the gradients of the mean loss over batches of data.

    The model is called with `training=True`; its moving averages and random
    state are restored afterwards. The gradients are float32 tensors with the
    shapes of the weights.
    """
    check_stored_masked(records, "differentiate by masked positions")
    variables = [record.storage.variable for record in records]
    return gradients_of(model, variables, data, loss)


def gradients_of(
    model: Any, variables: list[tf.Variable], data: Iterable[Any], loss: Loss
) -> list[tf.Tensor]:
    """Returns `mean_gradients` of any variables."""

    def gradients(inputs: Any, labels: Any) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = _loss(model, loss, inputs, labels)
        return _dense(tape.gradient(value, variables), variables)

    with _unchanged(model):
        return _mean_over(data, gradients)


def hessian_gradient_products(
    model: Any,
    records: list[MaskedWeight],
    data: Iterable[Any],
    loss: Loss,
    temperature: float,
) -> list[tf.Tensor]:
    """Returns H g, the Hessian of the mean loss times its gradient.

    The product is exact: a first pass over the data computes the gradient g,
    and a second one differentiates g · stop_gradient(g). With dropout the
    passes sample different networks, as in the code of the GraSP paper.

    Arguments and result are as for `mean_gradients`; outputs are divided by
    the temperature.
    """
    variables = [record.storage.variable for record in records]

    def cooled(labels: Any, outputs: Any) -> tf.Tensor:
        return loss(
            labels,
            tf.nest.map_structure(lambda one: one / temperature, outputs),
        )

    batches = list(data)
    gradients = mean_gradients(model, records, batches, cooled)

    def products(inputs: Any, labels: Any) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(variables)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(variables)
                value = _loss(model, cooled, inputs, labels)
            own = _dense(inner.gradient(value, variables), variables)
            flow = tf.add_n(
                [
                    tf.reduce_sum(one * whole)
                    for one, whole in zip(own, gradients, strict=True)
                ]
            )
        return _dense(outer.gradient(flow, variables), variables)

    with _unchanged(model):
        return _mean_over(batches, products)


def _loss(model: Any, loss: Loss, inputs: Any, labels: Any) -> tf.Tensor:
    return tf.reduce_mean(loss(labels, model(inputs, training=True)))


@contextlib.contextmanager
def _unchanged(model: Any) -> Iterator[None]:
    """Restores a model's moving averages and random state on exit."""
    flavor = flavor_of(model)
    variables = [flavor.raw(one) for one in model.non_trainable_variables]
    before = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _mean_over(
    data: Iterable[Any], function: Callable[[Any, Any], list[tf.Tensor]]
) -> list[tf.Tensor]:
    """Averages a function over batches, weighted by their sizes.

    Raises:
        ValueError: if there is no batch, or a batch is not a pair.
    """
    sums: list[tf.Tensor] = []
    examples = 0
    for batch in data:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            parts = f" of {len(batch)}" if hasattr(batch, "__len__") else ""
            raise ValueError(
                "`data` must be batches of (inputs, labels), without sample "
                f"weights. Received: a batch of {type(batch)}{parts}. Of a "
                "dataset, pass `dataset.map(lambda x, y, *_: (x, y))`."
            )
        inputs, labels = tf.nest.map_structure(tf.convert_to_tensor, batch)

        size = int(tf.shape(tf.nest.flatten(inputs)[0])[0])
        values = [size * one for one in function(inputs, labels)]
        sums = (
            [a + b for a, b in zip(sums, values, strict=True)]
            if sums
            else values
        )
        examples += size
    if not examples:
        raise ValueError("`data` must hold at least one batch. Received: none.")
    return [one / examples for one in sums]


def _dense(
    gradients: list[Any], variables: list[tf.Variable]
) -> list[tf.Tensor]:
    """Converts gradients to dense float32 tensors, None to zeros."""
    return [
        tf.zeros(variable.shape)
        if gradient is None
        else tf.cast(tf.convert_to_tensor(gradient), tf.float32)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
