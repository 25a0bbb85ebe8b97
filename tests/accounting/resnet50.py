"""ResNet-50 v1.5: the stride of a bottleneck is in its 3×3 convolution.

He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385;
layers are named by stage and block.
"""

# Width of the 1×1 and 3×3 convolutions and number of blocks of each stage.
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
EXPANSION = 4


def build(keras, input_shape=(224, 224, 3), classes=1000):
    layers = keras.layers
    images = keras.Input(input_shape, name="images")
    features = convolve(keras, images, 64, 7, 2, "conv1")
    features = layers.ReLU()(features)
    features = layers.MaxPooling2D(3, strides=2, padding="same")(features)
    for stage, (width, blocks) in enumerate(STAGES, start=1):
        for block in range(blocks):
            strides = 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}_{block}"
            features = bottleneck(keras, features, width, strides, name)
    features = layers.GlobalAveragePooling2D()(features)
    logits = layers.Dense(classes, name="fc")(features)
    return keras.Model(images, logits, name="resnet50")


def bottleneck(keras, features, width, strides, name):
    layers = keras.layers
    shortcut = features
    if name.endswith("_0"):
        shortcut = convolve(
            keras, features, EXPANSION * width, 1, strides, f"{name}_downsample"
        )
    branch = convolve(keras, features, width, 1, 1, f"{name}_conv1")
    branch = layers.ReLU()(branch)
    branch = convolve(keras, branch, width, 3, strides, f"{name}_conv2")
    branch = layers.ReLU()(branch)
    branch = convolve(keras, branch, EXPANSION * width, 1, 1, f"{name}_conv3")
    return layers.ReLU()(layers.Add()([shortcut, branch]))


def convolve(keras, features, filters, size, strides, name):
    features = keras.layers.Conv2D(
        filters, size, strides, padding="same", use_bias=False, name=name
    )(features)
    return keras.layers.BatchNormalization(name=f"{name}_norm")(features)
