"""The networks of this library and of `keras.applications` as plans."""

import numpy as np

from tests.export.plan import support
from tests.models import registry_test
from tests.support import keras_in_turn
from tf_rigl.models import registry

QUICK = ("lenet_5", "resnet_8")

# By family, with the smallest images that each takes.
APPLICATIONS = {
    "VGG16": 32,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "MobileNetV3Large": 64,
    "DenseNet121": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "Xception": 75,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "NASNetMobile": 64,
}


@keras_in_turn(
    "name",
    registry.BUILDERS,
    lambda name: name not in QUICK,
)
def test_network_of_the_library(keras, name):
    model = support.randomize(registry_test.small(name, keras), 0.5)
    images, _ = registry_test.batch(model)
    support.assert_alike(model, images[:2])


@keras_in_turn("name", APPLICATIONS, lambda name: True)
def test_application(keras, name):
    size = APPLICATIONS[name]
    # A softmax of random logits would be 1 for one class, whatever else is.
    model = getattr(keras.applications, name)(
        weights=None,
        input_shape=(size, size, 3),
        classes=10,
        classifier_activation=None,
    )
    support.randomize(model, 0.9)
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3))
    graph = support.assert_alike(model, images.astype(np.float32))
    # All but the first layers of each block of DenseNet and the like.
    kinds = support.kinds(graph)
    assert kinds.count("affine") <= kinds.count("convolution") + 1
