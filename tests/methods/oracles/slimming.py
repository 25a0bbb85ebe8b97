"""A convolution with BatchNormalization, trained by hand with L1 on its scale.

All of it is NumPy in float64: the gradients of the network, the optimizers and
the term λ · sign(γ), which is added before the optimizer's step.
"""

import dataclasses

import numpy as np

import tf_rigl
from tests.methods import table

STEPS, BATCH, CLASSES, EPSILON = 50, 8, 3, 1e-3
STRENGTH = 0.05
INPUT, FILTERS = (6, 6, 2), 4
# Exact in float32, to which Keras rounds what it keeps of an optimizer.
MOMENTUM, SECOND, ADAM_EPSILON = 1 - 2**-3, 1 - 2**-7, 2**-20
RATES = {"sgd": 2**-3, "momentum": 2**-3, "nesterov": 2**-3, "adam": 2**-6}


def make_values():
    """The initial weights, in the order in which Keras trains them."""
    random = np.random.default_rng(3)
    return [
        random.normal(size=(3, 3, INPUT[-1], FILTERS)) / 4,
        # One scale soon changes its sign, another is 0 until a gradient comes.
        np.array([0.5, 0.06, 0.0, -0.8]),
        np.array([0.1, 0.0, 0.2, -0.1]),
        random.normal(size=(4 * 4 * FILTERS, CLASSES)) / 8,
        np.zeros(CLASSES),
    ]


def make_batches(parts=1):
    """The examples of all steps, each of `parts` batches."""
    random = np.random.default_rng(4)
    examples = STEPS * parts * BATCH
    # `fit` rounds its inputs to float32.
    inputs = random.normal(size=(examples, *INPUT)).astype("float32")
    return inputs.astype("float64"), random.integers(0, CLASSES, examples)


def gradients(values, inputs, labels):
    """Of the mean cross-entropy of one batch, in the order of the values."""
    kernel, gamma, beta, dense, bias = values
    patches = np.lib.stride_tricks.sliding_window_view(inputs, (3, 3), (1, 2))
    patches = np.moveaxis(patches, 3, 5)  # [n, 4, 4, 3, 3, channels]
    convolved = np.tensordot(patches, kernel, 3)

    axes = (0, 1, 2)
    deviation = np.sqrt(convolved.var(axes) + EPSILON)
    normal = (convolved - convolved.mean(axes)) / deviation
    active = normal * gamma + beta
    features = np.maximum(active, 0).reshape(len(inputs), -1)
    logits = features @ dense + bias

    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    of_logits = (shares - np.eye(CLASSES)[labels]) / len(inputs)
    of_features = of_logits @ dense.T
    of_active = of_features.reshape(active.shape) * (active > 0)

    of_normal = of_active * gamma
    of_convolved = of_normal - of_normal.mean(axes)
    of_convolved -= normal * (of_normal * normal).mean(axes)
    of_convolved /= deviation
    return [
        np.tensordot(patches, of_convolved, (axes, axes)),
        (of_active * normal).sum(axes),
        of_active.sum(axes),
        features.T @ of_logits,
        of_logits.sum(0),
    ]


class Optimizer:
    """SGD, momentum, Nesterov's momentum or Adam, as Keras defines them."""

    def __init__(self, name, values):
        self.name, self.rate = name, RATES[name]
        self.first = [np.zeros_like(value) for value in values]
        self.second = [np.zeros_like(value) for value in values]
        self.steps = 0

    def step(self, values, gradients):
        self.steps += 1
        for index, gradient in enumerate(gradients):
            values[index] = values[index] + self._change(index, gradient)

    def _change(self, index, gradient):
        if self.name == "sgd":
            return -self.rate * gradient
        if self.name == "adam":
            first, second = self.first[index], self.second[index]
            first += (1 - MOMENTUM) * (gradient - first)
            second += (1 - SECOND) * (gradient**2 - second)
            rate = self.rate * np.sqrt(1 - SECOND**self.steps)
            rate /= 1 - MOMENTUM**self.steps
            return -rate * first / (np.sqrt(second) + ADAM_EPSILON)
        self.first[index] *= MOMENTUM
        self.first[index] -= self.rate * gradient
        if self.name == "momentum":
            return self.first[index]
        return MOMENTUM * self.first[index] - self.rate * gradient


def train(optimizer_name, parts=1, strength=STRENGTH, mask=None, steps=STEPS):
    """Trains by hand and returns the values.

    Each step takes the mean of the gradients of `parts` batches: of replicas,
    which normalize their own batch each, or accumulated ones. Where `mask` is
    false, the scale and shift of the channel stay 0.
    """
    values = make_values()
    mask = np.ones(FILTERS, bool) if mask is None else mask
    for index in (1, 2):
        values[index] = values[index] * mask
    optimizer = Optimizer(optimizer_name, values)
    inputs, labels = make_batches(parts)
    for step in range(steps):
        of_parts = [
            gradients(values, inputs[at : at + BATCH], labels[at : at + BATCH])
            for at in range(
                step * parts * BATCH, (step + 1) * parts * BATCH, BATCH
            )
        ]
        means = [np.mean(of_one, 0) for of_one in zip(*of_parts, strict=True)]
        means[1] += strength * np.sign(values[1])
        for index in (1, 2):
            means[index] = means[index] * mask
        optimizer.step(values, means)
    return values


@dataclasses.dataclass(frozen=True)
class Fit:
    """A `fit` of Keras whose result the oracle foretells."""

    optimizer: str = "momentum"
    arguments: dict = dataclasses.field(default_factory=dict)  # of `compile`
    replicas: bool = False
    accumulation: bool = False
    is_slow: bool = True

    @property
    def algorithm(self):
        return tf_rigl.Slimming(STRENGTH)

    @property
    def parts(self):
        return 2 if self.replicas or self.accumulation else 1


# `slimming_test` runs them.
IN_FIT = {
    "sgd": Fit("sgd"),
    "momentum": Fit("momentum", is_slow=False),
    "nesterov": Fit("nesterov"),
    "adam": Fit("adam", is_slow=False),
    "eager": Fit(arguments={"run_eagerly": True}),
    "xla": Fit("adam", {"jit_compile": True}),
    "several_steps": Fit(
        "nesterov", {"jit_compile": True, "steps_per_execution": 5}
    ),
    "replicas": Fit("nesterov", replicas=True, is_slow=False),
    "accumulation": Fit("adam", accumulation=True, is_slow=False),
    "accumulation_xla": Fit(arguments={"jit_compile": True}, accumulation=True),
}


def make_normalized(keras, units, outputs=10):
    """A network of dense layers, the first of them normalized.

    Each example by itself, so that replicas compute what one device does.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(*units, name="hidden"),
            layers.GroupNormalization(4, name="normalization"),
            layers.Activation("relu"),
            layers.Dense(outputs, name="logits"),
        ]
    )
    random = np.random.default_rng(1)
    model.set_weights(
        [
            random.normal(size=weight.shape, scale=0.2).astype(weight.dtype)
            for weight in model.get_weights()
        ]
    )
    return model


SCALES = {"weights": "scales", "start": "dense"}
ROWS = {
    "slimming": table.Row(
        tf_rigl.Slimming(1e-2, step=9),
        SCALES,
        table.dense_until(9),
        over_all=True,
        moves=False,
        part=True,
        build=make_normalized,
    )
}
