"""Networks whose training steps `native_step.py` measures."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from absl import flags

# The 1×1 convolutions of MobileNet at 96² pixels: side, inputs, outputs and
# how often.
_POINTWISE = (
    (48, 32, 64, 1),
    (24, 64, 128, 1),
    (24, 128, 128, 1),
    (12, 128, 256, 1),
    (12, 256, 256, 1),
    (6, 256, 512, 1),
    (6, 512, 512, 5),
    (3, 512, 1024, 1),
    (3, 1024, 1024, 1),
)
# Side and channels of the 3×3 convolutions of ResNet-50.
_CONVOLUTIONS = {"conv56": (56, 64), "conv14": (14, 256), "conv7": (7, 512)}
# Characters of a text, and how many there are of each.
_LENGTH, _VOCABULARY = 64, 64


class Network(NamedTuple):
    """A model, a batch for it and its loss."""

    model: Any
    inputs: Any
    labels: Any
    loss: Any
    dense: Sequence[str] = ()  # names of layers that no method makes sparse


def dense(keras: Any, random: Any) -> Network:
    """Wide Dense layers and a readout of ten classes."""
    width, batch = flags.FLAGS.width, flags.FLAGS.batch or 128
    # Not built, so that no compressed kernel is ever dense.
    layers = []
    for _ in range(flags.FLAGS.layers):
        layers.append(keras.layers.Dense(width, activation="relu"))
    layers.append(keras.layers.Dense(10, name="out"))
    return Network(
        keras.Sequential(layers),
        random.normal(size=(batch, width)).astype("float32"),
        random.integers(0, 10, batch),
        _classes(keras),
        ["out"],
    )


def gru(keras: Any, random: Any) -> Network:
    """The character GRU with 512 units, on texts of 64 characters."""
    from tf_rigl.models import character_rnn

    model = character_rnn.character_rnn(
        keras, vocabulary=_VOCABULARY, length=_LENGTH
    )
    return _of_text(keras, random, model, flags.FLAGS.batch or 64, ["logits"])


def transformer(keras: Any, random: Any) -> Network:
    """Four blocks of 512 features and 8 heads, on texts of 64 characters."""
    layers = keras.layers
    characters = keras.Input((_LENGTH,), dtype="int32")
    features = layers.Embedding(_VOCABULARY, 512)(characters)
    for _ in range(4):
        inner = layers.LayerNormalization()(features)
        inner = layers.MultiHeadAttention(8, 64)(
            inner, inner, use_causal_mask=True
        )
        features = layers.Add()([features, inner])
        inner = layers.LayerNormalization()(features)
        inner = layers.Dense(2048, activation="relu")(inner)
        features = layers.Add()([features, layers.Dense(512)(inner)])
    logits = layers.Dense(_VOCABULARY, name="logits")(features)
    model = keras.Model(characters, logits)
    return _of_text(keras, random, model, flags.FLAGS.batch or 8, ["logits"])


def mobilenet(keras: Any, random: Any) -> Network:
    """MobileNet with images of 96²; only its 1×1 layers are sparse."""
    model = keras.applications.MobileNet(
        (96, 96, 3), weights=None, classes=10, classifier_activation=None
    )
    batch = flags.FLAGS.batch or 32
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    convolutions = [one for one in model.layers if isinstance(one, kinds)]
    names = [one.name for one in convolutions if "pw" not in one.name]
    return Network(
        model,
        random.normal(size=(batch, 96, 96, 3)).astype("float32"),
        random.integers(0, 10, batch),
        _classes(keras),
        names,
    )


def pointwise(keras: Any, random: Any) -> Network:
    """The 1×1 layers of MobileNet at 96², side by side."""
    layers = [
        (side, inputs, outputs, 1)
        for side, inputs, outputs, count in _POINTWISE
        for _ in range(count)
    ]
    return _side_by_side(keras, random, layers)


def convolution(side: int, channels: int) -> Callable[[Any, Any], Network]:
    """Two 3×3 convolutions, side by side."""

    def make(keras: Any, random: Any) -> Network:
        return _side_by_side(keras, random, [(side, channels, channels, 3)] * 2)

    return make


NETWORKS: dict[str, Callable[[Any, Any], Network]] = {
    "dense": dense,
    "gru": gru,
    "transformer": transformer,
    "mobilenet": mobilenet,
    "pointwise": pointwise,
    **{name: convolution(*one) for name, one in _CONVOLUTIONS.items()},
}


def _classes(keras: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _of_text(
    keras: Any, random: Any, model: Any, batch: int, names: Sequence[str]
) -> Network:
    return Network(
        model,
        random.integers(0, _VOCABULARY, (batch, _LENGTH)).astype("int32"),
        random.integers(0, _VOCABULARY, (batch, _LENGTH)),
        _classes(keras),
        names,
    )


def _side_by_side(
    keras: Any, random: Any, layers: Sequence[tuple[int, int, int, int]]
) -> Network:
    """Convolutions of inputs of their own: side, channels, filters, window.

    Each scales its inputs first, so that gradients of inputs are needed.
    """
    batch = flags.FLAGS.batch or 32
    inputs, outputs, arrays = [], [], []
    for side, channels, filters, window in layers:
        inputs.append(keras.Input((side, side, channels)))
        scaled = keras.layers.BatchNormalization()(inputs[-1])
        features = keras.layers.Conv2D(filters, window, padding="same")(scaled)
        outputs.append(keras.layers.GlobalAveragePooling2D()(features))
        size = batch, side, side, channels
        arrays.append(random.normal(size=size).astype("float32"))
    joined = keras.layers.Concatenate()(outputs)
    return Network(keras.Model(inputs, joined), arrays, 0.0, _mean_square)


def _mean_square(labels: Any, outputs: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean((outputs - labels) ** 2)
