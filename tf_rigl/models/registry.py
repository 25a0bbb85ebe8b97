"""Registry of the experiments' networks by name."""

import functools
from collections.abc import Callable
from typing import Any

from tf_rigl.models import character_rnn
from tf_rigl.models import conv
from tf_rigl.models import densenet
from tf_rigl.models import lenet5
from tf_rigl.models import mlp
from tf_rigl.models import mobilenet
from tf_rigl.models import predefined
from tf_rigl.models import preresnet
from tf_rigl.models import resnet
from tf_rigl.models import vgg
from tf_rigl.models import vision_transformer
from tf_rigl.models import wide_resnet

# Distributions of initial values that networks may be given, by Keras's names.
INITIALIZERS = (
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
)

_vgg_of_cifar = functools.partial(
    vgg.vgg, input_shape=(32, 32, 3), classes=10, batch_normalization=True
)
_vgg_16_of_cifar = functools.partial(
    _vgg_of_cifar,
    depth=16,
    hidden_units=(512,),
    normalize_hidden=True,
    dropout=0.0,
)

# All builders take the Keras module first, and accept `width` and `name`.
BUILDERS: dict[str, Callable[..., Any]] = {
    "lenet_300_100": mlp.lenet_300_100,
    "lenet_5": lenet5.lenet_5,
    **{
        f"conv_{depth}": functools.partial(conv.conv, depth=depth)
        for depth in conv.DEPTHS
    },
    **{
        f"resnet_{depth}": functools.partial(resnet.small_resnet, depth=depth)
        for depth in (8, 20, 32, 56, 110, 164)
    },
    **{
        f"padded_resnet_{depth}": functools.partial(
            resnet.small_resnet,
            depth=depth,
            shortcuts="padding",
            name=f"padded_resnet_{depth}",
        )
        for depth in (8, 20, 56, 110, 164)
    },
    **{
        f"preresnet_{depth}": functools.partial(
            preresnet.preresnet, depth=depth
        )
        for depth in (101, 164)
    },
    "densenet_40_12": densenet.densenet,
    "resnet_18": functools.partial(resnet.resnet, depth=18),
    "resnet_34": functools.partial(resnet.resnet, depth=34),
    "resnet_50": functools.partial(resnet.resnet, depth=50),
    "resnet_101": functools.partial(resnet.resnet, depth=101),
    "wrn_22_2": functools.partial(
        wide_resnet.wide_resnet, depth=22, widening=2
    ),
    "mobilenet_v1": mobilenet.mobilenet_v1,
    "mobilenet_v2": mobilenet.mobilenet_v2,
    "vgg_16": functools.partial(vgg.vgg, depth=16),
    "vgg_19": functools.partial(vgg.vgg, depth=19),
    "cifar_vgg_19": functools.partial(
        _vgg_of_cifar,
        depth=19,
        hidden_units=(),
        last_pool=False,
        name="cifar_vgg_19",
    ),
    **{
        f"slimming_vgg_{depth}": functools.partial(
            _vgg_of_cifar,
            depth=depth,
            hidden_units=(),
            last_pool=False,
            initialization="slimming",
            name=f"slimming_vgg_{depth}",
        )
        for depth in vgg.DEPTHS
    },
    "cifar_vgg_16": functools.partial(_vgg_16_of_cifar, name="cifar_vgg_16"),
    # Of widths that were chosen by hand.
    "vgg_16_a": functools.partial(
        _vgg_16_of_cifar, widths=predefined.WIDTHS["vgg_16_a"], name="vgg_16_a"
    ),
    **{
        name: functools.partial(
            resnet.small_resnet,
            depth=depth,
            shortcuts="padding",
            widths=predefined.WIDTHS[name],
            name=name,
        )
        for name, depth in (
            ("resnet_56_a", 56),
            ("resnet_56_b", 56),
            ("resnet_110_a", 110),
            ("resnet_110_b", 110),
        )
    },
    **{
        name: functools.partial(
            resnet.resnet, depth=34, widths=predefined.WIDTHS[name], name=name
        )
        for name in ("resnet_34_a", "resnet_34_b")
    },
    **{
        name: functools.partial(
            vgg.vgg, depth=16, widths=predefined.WIDTHS[name], name=name
        )
        for name in ("vgg_16_thinet", "vgg_16_5x")
    },
    "character_gru": functools.partial(character_rnn.character_rnn, cell="gru"),
    "character_lstm": functools.partial(
        character_rnn.character_rnn, cell="lstm"
    ),
    "vit_s_16": vision_transformer.vision_transformer,
}


def builder(name: str) -> Callable[..., Any]:
    """Returns the builder `(keras, **arguments) -> model` of a network.

    The model is named after the network unless `name` is given.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in BUILDERS:
        raise ValueError(
            f"`name` must be one of {sorted(BUILDERS)}. Received: {name!r}."
        )
    return BUILDERS[name]
