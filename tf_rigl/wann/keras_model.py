"""From a genome to a sparse Keras model."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.masking.sparsify import sparsify
from tf_rigl.updating.set_masks import set_masks
from tf_rigl.wann import activations
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import live_nodes
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.live_nodes import LiveNodes

_OUTPUTS = "outputs"


def to_keras(
    genome: Genome,
    keras: Any,
    weight: float | None = 1.0,
    trainable: bool = True,
) -> Any:
    """Makes a functional model of a genome, sparse by the library's masks.

    It has a Dense layer without bias for the nodes of each level and
    activation, which reads the bias (a feature that is 1), the inputs and all
    levels before; absent connections are masked. Thus `fit` trains the present
    ones alone, and `tf_rigl.masks`, `prune`, `profile`, `export_saved_model`
    and the rest work as on any other model. It is plain Keras: a saved model
    loads as others do. Nodes that reach no output are left out.

    Args:
        genome: the network, such as `result.best`.
        keras: the module `keras` or `tf_keras`.
        weight: the weight that all connections share; None for the genome's
            own.
        trainable: whether `fit` may train the weights.

    Returns:
        A model from float32 [batch, inputs] to [batch, outputs]; the digits'
        outputs are logits.

    Example:
        >>> model = tf_rigl.wann.to_keras(result.best, keras, weight=-1.5)
        >>> model.compile("adam", loss)
        >>> model.fit(data)
    """
    live = live_nodes.find(genome)
    operations = keras.ops if hasattr(keras, "ops") else tf
    inputs = keras.Input((genome.inputs,), name="inputs")
    ones = operations.ones_like(inputs[:, :1])

    concatenate = keras.layers.Concatenate
    features = concatenate(name="features_0")([ones, inputs])
    columns = list(range(1 + genome.inputs))
    # The rows and the units of each layer, as places in the genome.
    layers: dict[str, tuple[list[int], list[int]]] = {}
    for number, groups in enumerate(_hidden_levels(genome, live), 1):
        made = []
        before = list(columns)
        for function, nodes in groups.items():
            name = f"level_{number}_{activations.name_of(function)}"
            layers[name] = before, nodes
            dense = keras.layers.Dense(len(nodes), use_bias=False, name=name)
            made.append(_apply(function, operations)(dense(features)))
            columns += nodes
        features = concatenate(name=f"features_{number}")([features, *made])

    ends = np.flatnonzero(genome.kinds == genomes.OUTPUT).tolist()
    layers[_OUTPUTS] = columns, ends
    outputs = keras.layers.Dense(len(ends), use_bias=False, name=_OUTPUTS)
    model = keras.Model(inputs, outputs(features), name="wann")
    _connect(model, layers, live, weight)
    # Masks are for weights that are trained, so they come before.
    model.trainable = trainable
    return model


def _hidden_levels(
    genome: Genome, live: LiveNodes
) -> list[dict[int, list[int]]]:
    """Returns the hidden nodes of each level by their activations."""
    found: list[dict[int, list[int]]] = []
    hidden = genome.kinds[live.nodes] == genomes.HIDDEN
    levels = live.levels[hidden]
    for level in range(levels.max(initial=-1) + 1):
        groups: dict[int, list[int]] = {}
        here = hidden.copy()
        here[hidden] = levels == level
        for node, function in zip(
            live.nodes[here].tolist(),
            live.functions[here].tolist(),
            strict=True,
        ):
            groups.setdefault(function, []).append(node)
        found.append(groups)
    return found


def _connect(
    model: Any,
    layers: dict[str, tuple[list[int], list[int]]],
    live: LiveNodes,
    weight: float | None,
) -> None:
    """Sets the values and the masks of all layers."""
    values = np.full(len(live.sources), weight)
    if weight is None:
        values = live.weights
    kernels, masks = {}, {}
    for name, (rows, units) in layers.items():
        row_of = {node: row for row, node in enumerate(rows)}
        unit_of = {node: unit for unit, node in enumerate(units)}
        kernel = np.zeros((len(rows), len(units)), "float32")
        mask = np.zeros(kernel.shape, bool)
        for source, destination, value in zip(
            live.sources.tolist(),
            live.destinations.tolist(),
            values.tolist(),
            strict=True,
        ):
            if destination in unit_of:
                place = row_of[source], unit_of[destination]
                kernel[place], mask[place] = value, True
        kernels[name], masks[f"{name}/kernel"] = kernel, mask

    sparsify(model, 0.0, "uniform", start="dense")
    for name, kernel in kernels.items():
        model.get_layer(name).set_weights([kernel])
    set_masks(model, masks)


def _apply(function: int, operations: Any) -> Callable[[Any], Any]:
    """Returns an activation of tensors of Keras, by its number.

    They are operations that every Keras saves in a model as they are.
    """
    name = activations.name_of(function)
    by_name: dict[str, Callable[[Any], Any]] = {
        "linear": lambda values: values,
        # The sign is 0 at 0, where the step is, too.
        "step": lambda values: operations.maximum(operations.sign(values), 0.0),
        "sine": lambda values: operations.sin(values * math.pi),
        "gaussian": lambda values: operations.exp(values * values * -0.5),
        "tanh": operations.tanh,
        "sigmoid": lambda values: operations.sigmoid(values),
        "negative": operations.negative,
        "absolute": operations.abs,
        "relu": lambda values: operations.maximum(values, 0.0),
        "cosine": lambda values: operations.cos(values * math.pi),
    }
    return by_name[name]
