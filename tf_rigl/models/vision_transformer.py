"""The vision transformer ViT-S/16."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import size

_MLP = 4  # width of a block's hidden layer, as a multiple of the model's


def vision_transformer(
    keras: ModuleType,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    patch_size: int = 16,
    blocks: int = 12,
    heads: int = 6,
    head_units: int = 64,
    dropout: float = 0.0,
    width: float = 1.0,
    name: str = "vit_s_16",
) -> Any:
    """Builds a vision transformer with a class token.

    Blocks use pre-normalization, before the attention and before the two fully
    connected layers. The defaults give ViT-S/16, with 22,050,664 parameters and
    4,598,882,304 multiply-accumulates, of which 357,663,744 are products of
    attention.

    The class token and the positions are embeddings of constant indices. All
    layers are therefore Keras's own, and saved models load without this
    library.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        input_shape: height, width and channels of an image; the first two must
            be multiples of `patch_size`.
        classes: number of logits.
        patch_size: height and width of a patch, in pixels.
        blocks: number of blocks.
        heads: number of heads in each attention layer.
        head_units: width of a head; `heads` times this is the model's width.
        dropout: dropout rate after the positions and after each attention and
            fully connected layer, in [0, 1).
        width: multiplier of `head_units`. A head keeps at least one unit.
        name: name of the model.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if images cannot be divided into patches, `dropout` is not
            in [0, 1), or a number is not positive.

    References: Dosovitskiy et al., "An Image is Worth 16x16 Words",
    arXiv:2010.11929; Touvron et al., "Training Data-Efficient Image
    Transformers", arXiv:2012.12877, for the size S and initial values.
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    if min(blocks, heads, head_units, patch_size) < 1:
        raise ValueError(
            "`blocks`, `heads`, `head_units` and `patch_size` must be "
            f"positive. Received: blocks={blocks}, heads={heads}, "
            f"head_units={head_units}, patch_size={patch_size}."
        )

    height, breadth, _ = input_shape = tuple(input_shape)
    if height % patch_size or breadth % patch_size:
        raise ValueError(
            "Height and width of images must be multiples of `patch_size`. "
            f"Received: input_shape={input_shape}, patch_size={patch_size}."
        )

    layers = keras.layers
    head_units = size.narrow(head_units, width)
    units = heads * head_units
    count = (height // patch_size) * (breadth // patch_size)

    images = keras.Input(shape=input_shape, name="images")
    patches = layers.Conv2D(
        units,
        patch_size,
        patch_size,
        kernel_initializer=keras.initializers.VarianceScaling(),
        name="patches",
    )(images)
    patches = layers.Reshape((count, units))(patches)

    class_token = _learned(keras, patches, 1, "class_token")
    positions = _learned(keras, patches, 1 + count, "positions")
    tokens = layers.Concatenate(axis=1)([class_token, patches])
    tokens = layers.Add()([tokens, positions])
    tokens = layers.Dropout(dropout)(tokens)

    for index in range(blocks):
        tokens = _attend(keras, tokens, heads, dropout, f"block{index}")
        tokens = _transform(keras, tokens, dropout, f"block{index}")

    tokens = _normalize(keras, tokens, "norm")
    features = layers.Flatten()(layers.Cropping1D((0, count))(tokens))
    logits = _dense(keras, features, classes, "logits")
    return keras.Model(images, logits, name=name)


def _learned(keras: ModuleType, patches: Any, count: int, name: str) -> Any:
    """Returns trainable vectors that are the same for every image.

    The result is `[batch, count, units]`. The batch size and units are those of
    `patches`, whose values are not used.
    """
    layers = keras.layers
    _, number, units = patches.shape

    # No layer creates constants, so patches are padded with zeros, and all but
    # the padding is cropped.
    zeros = layers.Cropping1D((number, 0))(
        layers.ZeroPadding1D((0, count))(patches)
    )
    zeros = layers.GlobalMaxPooling1D(data_format="channels_first")(zeros)

    # 16-bit floats cannot represent all indices above 256.
    numbers = layers.Rescaling(
        1.0, offset=[float(i) for i in range(count)], dtype="float32"
    )(zeros)

    return layers.Embedding(
        count,
        units,
        embeddings_initializer=_initializer(keras),
        dtype="float32",
        name=name,
    )(numbers)


def _attend(
    keras: ModuleType, tokens: Any, heads: int, dropout: float, name: str
) -> Any:
    """Applies a residual attention layer."""
    layers = keras.layers
    features = _normalize(keras, tokens, f"{name}_norm1")
    features = layers.MultiHeadAttention(
        heads,
        tokens.shape[-1] // heads,
        kernel_initializer=_initializer(keras),
        name=f"{name}_attention",
    )(features, features)
    features = layers.Dropout(dropout)(features)
    return layers.Add()([tokens, features])


def _transform(
    keras: ModuleType, tokens: Any, dropout: float, name: str
) -> Any:
    """Applies the two residual fully connected layers of a block."""
    layers = keras.layers
    units = tokens.shape[-1]
    features = _normalize(keras, tokens, f"{name}_norm2")
    features = _dense(keras, features, _MLP * units, f"{name}_fc1", "gelu")
    features = layers.Dropout(dropout)(features)
    features = _dense(keras, features, units, f"{name}_fc2")
    features = layers.Dropout(dropout)(features)
    return layers.Add()([tokens, features])


def _normalize(keras: ModuleType, tokens: Any, name: str) -> Any:
    return keras.layers.LayerNormalization(epsilon=1e-6, name=name)(tokens)


def _dense(
    keras: ModuleType,
    features: Any,
    units: int,
    name: str,
    activation: str | None = None,
) -> Any:
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=_initializer(keras),
        name=name,
    )(features)


def _initializer(keras: ModuleType) -> Any:
    return keras.initializers.TruncatedNormal(stddev=0.02)
