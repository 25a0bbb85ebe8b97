"""Counts what a model costs."""

import math
from collections.abc import Iterator
from typing import Any

from tf_rigl.accounting.call_recorder import record_calls
from tf_rigl.accounting.calls import Call
from tf_rigl.accounting.example import Example
from tf_rigl.accounting.example import one_example
from tf_rigl.accounting.mac_counter import Tally
from tf_rigl.accounting.model_profile import ModelProfile
from tf_rigl.accounting.model_profile import Uncounted
from tf_rigl.accounting.model_profile import WeightProfile
from tf_rigl.accounting.trace import trace
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.backend.flavor import plain_class
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.weight_names import named_weights


def profile(model: Any, inputs: Any = None) -> ModelProfile:
    """Counts multiply-accumulates, FLOPs, non-zeros and bytes of a model.

    The model is traced on one example; nothing is computed and no weight
    changes. A model or layer that is not built yet is built. All weights are
    counted, trainable or not (moving averages of BatchNormalization, too),
    except the masks themselves.

    The conventions:

    - A multiply-accumulate (MAC) is one multiplication of a connection with
      an activation, or of two activations in the products of attention
      layers. Biases, normalization, activations, pooling, look-ups of
      embeddings and preprocessing count none; zeros of a convolution's
      padding count. A layer that is called several times counts each time.
    - FLOPs are 2 × MACs. The published tables of RigL use the convention of
      the MicroNet challenge instead, which folds BatchNormalization into
      convolutions and for each output counts n multiplications, n - 1
      additions, one addition for the bias and one multiplication for ReLU:
      for a dense ResNet-50 8.189 GFLOPs where this one has 8.178.
    - Bytes are 4 for each connection and, for each masked weight that is not
      full, one bit for each element, rounded up.

    Args:
        model: Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras, dense or sparse.
        inputs: what the model is called on, with the batch dimension (its
            size does not matter): arrays, tensors, tf.TensorSpec or shapes,
            in the structure that the model takes, or in a dictionary by the
            names of the arguments of its `call`. Needed where the model was
            never called, or where it leaves sizes open (image size, number
            of time steps).

    Returns:
        Counts for each weight and in all, dense beside sparse. `str()` of it
        is a table. A layer that could not be counted stands in `uncounted`.

    Raises:
        TypeError: where `model` is a model of neither Keras or `inputs` is
            not made of the above.
        ValueError: where `inputs` is needed to call the model.

    Example:
        >>> import keras
        >>> model = keras.Sequential(
        ...     [keras.Input((784,)), keras.layers.Dense(10, name="out")]
        ... )
        >>> result = tf_rigl.profile(tf_rigl.sparsify(model, 0.9))
        >>> result.macs, result.dense_macs, result.bytes
        (784, 7840, 4156)

    Reference for the other convention: google-research/rigl,
    `sparse_utils.get_stats`.
    """
    flavor = model_flavor(model)
    example = one_example(flavor, model, inputs)
    calls = _record(flavor, model, example, given=inputs is not None)
    tally = Tally(flavor, _layers(flavor, model), calls)
    rows = _rows(flavor, model, tally, example.batch)
    return ModelProfile(
        model.name, tuple(rows), tuple(_uncounted(flavor, model, tally))
    )


def _record(
    flavor: Flavor, model: Any, example: Example, given: bool
) -> list[Call]:
    """Builds what is not built yet and calls the model symbolically.

    Args:
        flavor: the model's.
        model: the model.
        example: what it is called on.
        given: whether the user gave the example.
    """
    try:
        layers = _layers(flavor, model)
        if not all(layer.built for layer in layers):
            trace(model, layers, example)
        # Masks a model that has waited for its weights; layers must not
        # change their classes while they are watched.
        complete(model)
        return record_calls(model, _layers(flavor, model), example)
    except Exception as error:
        if given:
            raise
        raise ValueError(
            "A model that cannot be called on the inputs that Keras remembers "
            "must be profiled with `inputs`. Received: "
            f"model={model.name!r}, inputs=None; remembered are "
            f"{example.arguments}. Pass `inputs`, for several arguments a "
            "dictionary by their names."
        ) from error


def _layers(flavor: Flavor, model: Any) -> list[Any]:
    return [node.layer for node in tree.walk(flavor, model)]


def _rows(
    flavor: Flavor,
    model: Any,
    tally: Tally,
    batch: int,
) -> Iterator[WeightProfile]:
    """A row for each weight, once, and for each layer's products."""
    masked = {id(one.variable): one for one in masked_weights(model)}
    seen: set[int] = set()
    for node in tree.walk(flavor, model):
        layer_class = plain_class(node.layer).__name__
        for name, variable, _ in named_weights(flavor, node.layer):
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            shape = tuple(variable.shape)
            record = masked.get(id(variable))
            parameters = math.prod(shape)
            nonzeros = record.num_active() if record else parameters
            times = tally.times[id(variable)]
            yield WeightProfile(
                path=record.path if record else "/".join((*node.path, name)),
                layer_class=layer_class,
                shape=shape,
                parameters=parameters,
                nonzeros=nonzeros,
                macs=-(-times * nonzeros // batch),
                dense_macs=-(-times * parameters // batch),
                masked=record is not None,
                counted=id(variable) not in tally.unsure,
            )
        products = -(-tally.products[id(node.layer)] // batch)
        if products:
            yield _products_row(node, layer_class, products)


def _products_row(
    node: tree.Node, layer_class: str, products: int
) -> WeightProfile:
    return WeightProfile(
        path="/".join((*node.path, "products")),
        layer_class=layer_class,
        shape=(),
        parameters=0,
        nonzeros=0,
        macs=products,
        dense_macs=products,
    )


def _uncounted(flavor: Flavor, model: Any, tally: Tally) -> Iterator[Uncounted]:
    for node in tree.walk(flavor, model):
        for reason in tally.problems[id(node.layer)]:
            yield Uncounted(
                "/".join(node.path) or model.name,
                plain_class(node.layer).__name__,
                reason,
            )
