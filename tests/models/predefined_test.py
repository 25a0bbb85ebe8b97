"""The published digits of networks of given widths, by arithmetic alone."""

import itertools

import keras as keras3
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import predefined
from tf_rigl.models import registry

# Parameters, MACs; Li et al., arXiv:1608.08710, table 1. Of ThiNet-Conv, Luo et
# al., arXiv:1707.06342, table 2: 131.44 M, 9.58e9 FLOPs.
PUBLISHED = {
    "vgg_16_thinet": (131_452_552, 4_791_205_888),
    "vgg_16_5x": (130_879_294, 3_515_283_520),
    "resnet_56_a": (773_336, 112_435_840),
    "resnet_56_b": (735_712, 90_907_264),
    "resnet_110_a": (1_688_522, 212_779_648),
    "resnet_110_b": (1_168_424, 155_124_352),
    "resnet_34_a": (20_151_764, 3_100_184_576),
    "resnet_34_b": (19_469_372, 2_782_269_440),
}


def count(widths, stem, pixels, ends, classes, projects):
    """Counts a residual network of basic blocks.

    Args:
        widths: the filters of all convolutions.
        stem: the kernel's size and the pixels of its outputs.
        pixels: those of each stage's outputs.
        ends: the number of the convolution with which each stage ends.
        classes: the number of logits.
        projects: whether stages begin with a projection.
    """
    size, seen = stem
    parameters = macs = 0
    convolutions = [(3, widths[0], size**2, seen)]
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), 2):
        stage = sum(number > end for end in ends)
        convolutions.append((inputs, outputs, 9, pixels[stage]))
        first = number - 1 in ends[:-1]
        if first and projects:
            new = widths[number]
            convolutions.append((inputs, new, 1, pixels[stage]))
    for inputs, outputs, area, seen in convolutions:
        parameters += area * inputs * outputs + 2 * outputs
        macs += area * inputs * outputs * seen
    logits = widths[-1] * classes
    return parameters + logits + classes, macs + logits


def count_vgg(widths):
    """Counts VGG-16 with biases and with 4,096 hidden units twice."""
    pixels = [224**2 >> 2 * n for n in (0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4)]
    layers = [
        (9 * inputs, outputs, seen)
        for (inputs, outputs), seen in zip(
            itertools.pairwise((3, *widths)), pixels, strict=True
        )
    ]
    units = (49 * widths[-1], 4096, 4096, 1000)
    layers += [(*pair, 1) for pair in itertools.pairwise(units)]
    return (
        sum((inputs + 1) * outputs for inputs, outputs, _ in layers),
        sum(inputs * outputs * seen for inputs, outputs, seen in layers),
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_digits(name):
    widths = predefined.WIDTHS[name]
    if name.startswith("vgg"):
        found = count_vgg(widths)
    elif name.startswith("resnet_34"):
        ends = (7, 15, 27, 33)
        pixels = (56**2, 28**2, 14**2, 7**2)
        found = count(widths, (7, 112**2), pixels, ends, 1000, True)
    else:
        end = (len(widths) - 1) // 3
        ends = (1 + end, 1 + 2 * end, 1 + 3 * end)
        pixels = (32**2, 16**2, 8**2)
        found = count(widths, (3, 32**2), pixels, ends, 10, False)
    assert found == PUBLISHED[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_built(name):
    model = registry.builder(name)(keras3)
    assert model.name == name
    assert support.trainable_parameters(model) == PUBLISHED[name][0]
    profile = tf_rigl.profile(model)
    assert profile.macs == PUBLISHED[name][1]
    assert profile.uncounted == ()


def test_what_is_left_is_rounded_down():
    """16 · 0.4, 32 · 0.7 and 64 · 0.9; what is skipped and the sums stay."""
    found = predefined.pruned(
        (16, 16, 16, 32, 32, 64, 64), (0.6, 0.3, 0.1), (4,)
    )
    assert found == (16, 6, 16, 32, 32, 57, 64)
    found = predefined.pruned((16, 16, 16, 32, 32), (0.6, 0.3), ())
    assert found == (16, 6, 16, 22, 32)
