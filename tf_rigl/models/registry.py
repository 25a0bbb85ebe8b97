"""Registry of the experiments' networks by name."""

import functools
from collections.abc import Callable
from typing import Any

from tf_rigl.models import character_rnn
from tf_rigl.models import lenet5
from tf_rigl.models import mlp
from tf_rigl.models import mobilenet
from tf_rigl.models import resnet
from tf_rigl.models import vgg
from tf_rigl.models import vision_transformer
from tf_rigl.models import wide_resnet

# All builders take the Keras module first, and accept `width` and `name`.
BUILDERS: dict[str, Callable[..., Any]] = {
    "lenet_300_100": mlp.lenet_300_100,
    "lenet_5": lenet5.lenet_5,
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
