import dataclasses

import keras
import numpy as np
import pytest

import tf_rigl
from tests.experiments.compress import support
from tf_rigl.experiments.compress import cutting
from tf_rigl.experiments.runs import setup
from tf_rigl.masking import model_weights
from tf_rigl.models import registry
from tf_rigl.tickets.scales import find_scales

# LeNet-5, halved: 3 and 8 filters, 60 and 42 units.
KEPT = {"conv1": 2, "conv2": 4, "fc1": 30, "fc2": 21}


def prepare(keras_flag, *arguments):
    asked = support.ask(f"--keras={keras_flag}", *arguments)
    return setup.prepare(asked.base), asked


def values(model):
    found = model_weights.model_weights(model_weights.walk_model(model))
    return {one.path: np.array(one.variables[0]) for one in found}


@pytest.mark.parametrize("keras_flag", ["keras3", "keras2"])
def test_tickets_and_networks_from_scratch(keras_flag):
    """Of the same channels: first values, or new ones of the seed alone."""
    run, asked = prepare(keras_flag)
    large = cutting.build_large(run)
    first = tf_rigl.Snapshot.of(large)
    generator = np.random.default_rng(0)
    large.set_weights(
        [generator.normal(size=one.shape) for one in large.get_weights()]
    )
    last = tf_rigl.Snapshot.of(large)

    small, masks, _ = cutting.prune(
        run, asked.compress, asked.targets[0], large
    )
    for name, kept in KEPT.items():
        assert masks[name].sum() == kept
        # By the trained values.
        kernel = last.weights[f"{name}/kernel"]
        scores = np.abs(kernel).sum(tuple(range(kernel.ndim - 1)))
        assert set(np.flatnonzero(masks[name])) == set(
            np.argsort(scores)[len(scores) - kept :]
        )

    for snapshot in (first, last):
        cut = cutting.cut(cutting.build_large(run, snapshot), masks)
        found = values(cut)
        np.testing.assert_array_equal(
            found["conv2/kernel"],
            snapshot.weights["conv2/kernel"][:, :, masks["conv1"]][
                ..., masks["conv2"]
            ],
        )
        np.testing.assert_array_equal(
            found["logits/kernel"],
            snapshot.weights["logits/kernel"][masks["fc2"]],
        )
    # What is fine-tuned is the network that was measured.
    for path, value in values(small).items():
        np.testing.assert_array_equal(value, found[path])

    new = values(cutting.redraw(run, cut))
    again = values(cutting.redraw(run, small))
    settings = dataclasses.replace(run.settings, seed=1)
    other = values(cutting.redraw(run._replace(settings=settings), small))
    for path, value in new.items():
        np.testing.assert_array_equal(value, again[path])
        if path.endswith("kernel"):
            earlier = [one.weights[path].ravel() for one in (first, last)]
            # Of thousands of float32 some are equal by chance.
            shared = np.isin(
                value, np.concatenate([*earlier, other[path].flat])
            )
            assert shared.mean() < 0.01


PRE_ACTIVATION = (
    *("--model=densenet_40_12", "--width=0.25"),
    *("--data=synthetic_cifar10", "--criterion=slimming", "--select"),
)


def test_each_normalization_loses_channels_by_itself():
    """⌊.4 n⌋ of all scales; the streams keep all channels."""
    run, asked = prepare("keras3", *PRE_ACTIVATION, "--ratios=0.4")
    large = cutting.build_large(run)
    found = find_scales(large)
    generator = np.random.default_rng(0)
    for one in found.values():
        one.assign(generator.uniform(0.1, 1, one.shape))
    before = [*map(np.array, large.get_weights())]
    small, masks, _ = cutting.prune(
        run, asked.compress, asked.targets[0], large
    )
    for one, other in zip(large.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)

    assert masks.keys() == found.keys()
    left = np.concatenate([*masks.values()])
    scales = np.concatenate([one.numpy() for one in found.values()])
    assert (~left).sum() == int(0.4 * left.size)
    assert scales[left].min() > scales[~left].max()
    for path, mask in masks.items():
        name = path.removesuffix("/gamma")
        assert small.get_layer(name).gamma.shape == (mask.sum(),)

    # As if the others were zero; new values change nothing of the network.
    inputs = generator.random((2, 32, 32, 3)).astype("float32")
    cut = cutting.cut(cutting.build_large(run), masks)
    assert [one.shape for one in cut.weights] == [
        one.shape for one in small.weights
    ]
    for path, mask in masks.items():
        layer = large.get_layer(path.removesuffix("/gamma"))
        layer.gamma.assign(layer.gamma * mask)
        layer.beta.assign(layer.beta * mask)
    np.testing.assert_allclose(
        small(inputs, training=False),
        large(inputs, training=False),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("resnet_56_a", "resnet_56_b", "resnet_110_a", "resnet_110_b"),
        *("resnet_34_a", "resnet_34_b"),
    ],
)
def test_predefined_networks_are_cut_of_large_ones(name):
    large = name[:-2] if "34" in name else f"padded_{name[:-2]}"
    data = (
        "synthetic_imagenet2012"
        if large == "resnet_34"
        else "synthetic_cifar10"
    )
    run, asked = prepare(
        "keras3",
        *(f"--model={large}", "--width=1", f"--data={data}", "--ratios="),
        f"--pruned_models={name}",
    )
    network = cutting.build_large(run)
    small = cutting.prune(run, asked.compress, asked.targets[0], network).model
    other = registry.builder(name)(keras)
    assert [tuple(one.shape) for one in small.weights] == [
        tuple(one.shape) for one in other.weights
    ]


def test_widths_of_another_network():
    """VGG-16-A of VGG-16: convolutions as narrow, the head as wide."""
    run, asked = prepare(
        "keras3",
        *("--model=cifar_vgg_16", "--width=0.0625"),
        *("--data=synthetic_cifar10", "--ratios="),
        "--pruned_models=vgg_16_a",
    )
    (target,) = asked.targets
    large = cutting.build_large(run)
    small = cutting.prune(run, asked.compress, target, large).model
    other = registry.builder("vgg_16_a")(keras, width=0.0625)
    assert [tuple(one.shape) for one in small.weights] == [
        tuple(one.shape) for one in other.weights
    ]

    wrong = target._replace(name="cifar_vgg_19")
    with pytest.raises(ValueError, match=r"layers of `model`.*'conv3_4'"):
        cutting.prune(run, asked.compress, wrong, large)


def test_layers_of_a_single_channel_are_named():
    """What follows them learns little; one of one always has."""
    channels = {"a": (8, 4), "b": (8, 1), "c": (1, 1)}
    cut = cutting.Cut(None, {}, channels)
    first, second = cutting.describe(cut, 0.25)
    assert first == "25.00 % of parameters"
    assert second.startswith("a single channel is left of b, ")
    assert second.endswith("--min_channels keeps more")
    assert len(list(cutting.describe(cut._replace(channels={}), 0.25))) == 1
