"""The entry point of accounting: counts the costs of a model."""

import collections
import math
from collections.abc import Iterator
from typing import Any

from tf_rigl.accounting import call_recorder
from tf_rigl.accounting import factored_macs
from tf_rigl.accounting.mac_counter import MacCounter
from tf_rigl.accounting.model_profile import ModelProfile
from tf_rigl.accounting.model_profile import Uncounted
from tf_rigl.accounting.model_profile import WeightProfile
from tf_rigl.backend import call_signature
from tf_rigl.backend.flavor import plain_class
from tf_rigl.masking import storage_choice
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import WalkedModel
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model


def profile(model: Any, inputs: Any = None) -> ModelProfile:
    """Counts multiply-accumulates, FLOPs, non-zeros and bytes of a model.

    The model is traced on one example; nothing is computed and no weight
    changes. The model and its layers are built if needed. All weights are
    counted, whether trainable or not (such as moving averages of
    BatchNormalization), but not the masks.

    The conventions:

    - A multiply-accumulate (MAC) is one multiplication of a connection with
      an activation, or of two activations in the products of attention
      layers. Biases, normalization, activations, pooling, embedding look-ups
      and preprocessing do not count; zeros of a convolution's padding do. A
      layer that is called several times counts each time.
    - FLOPs are 2 × MACs. The published tables of RigL use the convention of
      the MicroNet challenge instead, which folds BatchNormalization into
      convolutions and for each output counts n multiplications, n - 1
      additions, one addition for the bias and one multiplication for ReLU.
      A dense ResNet-50 has 8.189 GFLOPs by it, and 8.178 by this one.
    - Bytes are 4 for each active connection and, for each weight whose mask
      is not full, one bit for each element, rounded up.

    Args:
        model: a Sequential, functional, subclassed or nested model of Keras 3
            or tf_keras, dense or sparse.
        inputs: the inputs to call the model on: arrays, tensors,
            tf.TensorSpec or shapes with the batch dimension, whose size does
            not matter, in the structure that the model takes; or all arguments
            of its `call`, in a dictionary by their names or, if it requires
            several, in a list. Required if the model was never called, if it
            has several arguments, of which Keras 3 remembers the first, or if
            it leaves sizes open (image size, number of time steps).

    Returns:
        The costs of each weight and of the model, dense and sparse; `str()`
        makes a table. Layers that could not be counted are in `uncounted`.

    Raises:
        TypeError: if `model` is a model of neither Keras or `inputs` has
            other types than the above.
        ValueError: if `inputs` is required to call the model.

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
    walked = walk_model(model)
    example = call_signature.one_example(model, inputs)
    walked, calls = _record(walked, example, given=inputs is not None)
    counter = MacCounter(walked.flavor, walked.layers, calls)
    return ModelProfile(
        model.name,
        tuple(_rows(walked, counter, example.batch)),
        tuple(_uncounted(walked, counter)),
        tuple(factored_macs.small_factors(walked.nodes)),
    )


def _record(
    walked: WalkedModel, example: call_signature.Example, given: bool
) -> tuple[WalkedModel, list[call_recorder.LayerCall]]:
    """Builds the model if needed and records the calls of its layers.

    `given` tells whether the user passed `inputs`. Returns the model, walked
    again if it was built, and the calls.
    """
    model = walked.model
    try:
        if not walked.is_built:
            call_recorder.trace(model, walked.layers, example)
            walked = walk_model(model)

        # Completes a deferred `sparsify`, which changes the classes of layers
        # and so must not happen while their calls are recorded.
        complete(model)
        calls = call_recorder.record_calls(model, walked.layers, example)
        return walked, calls
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


def _rows(
    walked: WalkedModel, counter: MacCounter, batch: int
) -> Iterator[WeightProfile]:
    """Yields a row for each weight and for the products of each layer."""
    owned: dict[int, list[ModelWeight]] = collections.defaultdict(list)
    for weight in model_weights(walked):
        owned[id(weight.owner)].append(weight)

    for node in walked.nodes:
        for weight in owned[id(node.layer)]:
            yield _weight_row(weight, counter, batch)
        products = -(-counter.products[id(node.layer)] // batch)
        if products:
            yield _products_row(node, products)


def _weight_row(
    weight: ModelWeight, counter: MacCounter, batch: int
) -> WeightProfile:
    shape = weight.shape
    parameters = math.prod(shape)
    record = weight.record
    nonzeros = record.num_active() if record else parameters
    times = counter.times[id(weight.variable)]

    return WeightProfile(
        path=weight.path,
        layer_class=plain_class(weight.owner).__name__,
        shape=shape,
        parameters=parameters,
        nonzeros=nonzeros,
        macs=-(-times * nonzeros // batch),
        dense_macs=-(-times * parameters // batch),
        masked=record is not None,
        counted=id(weight.variable) not in counter.unsure,
        storage=storage_choice.reason_of(record) if record else None,
    )


def _products_row(node: tree.Node, products: int) -> WeightProfile:
    return WeightProfile(
        path="/".join((*node.path, "products")),
        layer_class=plain_class(node.layer).__name__,
        shape=(),
        parameters=0,
        nonzeros=0,
        macs=products,
        dense_macs=products,
    )


def _uncounted(walked: WalkedModel, counter: MacCounter) -> Iterator[Uncounted]:
    for node in walked.nodes:
        for reason in counter.problems[id(node.layer)]:
            yield Uncounted(
                "/".join(node.path) or walked.model.name,
                plain_class(node.layer).__name__,
                reason,
            )
