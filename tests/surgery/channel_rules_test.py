"""The three tables of layers, held together by their keys."""

import types

from tf_rigl.accounting import mac_rules
from tf_rigl.masking import layer_rules
from tf_rigl.surgery import channel_rules

MASKED = set(layer_rules.RULES)
COUNTED = set(mac_rules.RULES)
CUT = set(channel_rules.RULES)

# Why a class stands in some of the tables only.
WITHOUT_CHANNELS = {
    "`shrink` cuts SimpleRNN, GRU and LSTM, which hold the cell": (
        "SimpleRNNCell GRUCell LSTMCell"
    ),
    "each position has weights of its own": (
        "LocallyConnected1D LocallyConnected2D"
    ),
}
WITHOUT_SPARSE_WEIGHTS = {
    "the weights are those of a cell within": "RNN SimpleRNN GRU LSTM",
    "the projections are EinsumDense layers within": (
        "MultiHeadAttention GroupedQueryAttention"
    ),
    "products of activations, without a kernel": (
        "Attention AdditiveAttention Dot"
    ),
    "a subclass of Embedding, whose row it has": "ReversibleEmbedding",
    "weights of other layers": (
        "StackedRNNCells TimeDistributed Bidirectional SpectralNormalization"
    ),
    "a scale or shift for each channel, no kernel": (
        "BatchNormalization SyncBatchNormalization LayerNormalization "
        "GroupNormalization RMSNormalization UnitNormalization LayerScale "
        "Normalization PReLU"
    ),
    "no weights": (
        "Discretization AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
        "AdaptiveAveragePooling3D Activation ReLU LeakyReLU ELU "
        "ThresholdedReLU Dropout SpatialDropout1D SpatialDropout2D "
        "SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise "
        "ActivityRegularization MaxPooling1D MaxPooling2D MaxPooling3D "
        "AveragePooling1D AveragePooling2D AveragePooling3D "
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
        "GlobalAveragePooling1D GlobalAveragePooling2D "
        "GlobalAveragePooling3D Cropping1D Cropping2D Cropping3D "
        "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D "
        "ZeroPadding3D Flatten Reshape Permute RepeatVector InputLayer "
        "Concatenate Add Subtract Multiply Average Maximum Minimum "
        "Rescaling Softmax Identity StochasticDepth AdaptiveMaxPooling1D "
        "AdaptiveMaxPooling2D AdaptiveMaxPooling3D Resizing CenterCrop "
        "RandomBrightness RandomContrast RandomCrop RandomElasticTransform "
        "RandomErasing RandomFlip RandomGaussianBlur RandomHeight "
        "RandomPerspective RandomRotation RandomShear RandomTranslation "
        "RandomWidth RandomZoom"
    ),
}
# Their weights take no part in multiply-accumulates.
LOOKED_UP = ("Embedding",)


def names(exceptions):
    return {name for some in exceptions.values() for name in some.split()}


def test_each_layer_with_sparse_weights_is_counted():
    assert MASKED <= COUNTED


def test_each_layer_with_sparse_weights_is_cut_or_excepted():
    assert names(WITHOUT_CHANNELS) == MASKED - CUT


def test_each_other_layer_is_excepted():
    assert names(WITHOUT_SPARSE_WEIGHTS) == (COUNTED | CUT) - MASKED


def test_each_weight_that_may_be_sparse_is_counted():
    for name, rule in layer_rules.RULES.items():
        layer = types.SimpleNamespace(**{one: one for one in rule.weights})
        counted = set(mac_rules.RULES[name].weights(layer))
        expected = set() if name in LOOKED_UP else set(rule.weights)
        assert counted == expected, name
