"""Registry of the experiments' data sets by name."""

import functools
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.data import cifar
from tf_rigl.data import datasets
from tf_rigl.data import imagenet
from tf_rigl.data import mnist
from tf_rigl.data import synthetic
from tf_rigl.data import text
from tf_rigl.data.batching import Batching


class Source(NamedTuple):
    """Functions that describe and load a data set.

    Both accept `data_dir`, `download` and arguments specific to the data set;
    `splits` also takes the batching first.
    """

    describe: Callable[..., datasets.DataInfo]
    splits: Callable[..., datasets.DataSplits]


def _source(module: Any, **arguments: Any) -> Source:
    return Source(
        functools.partial(module.describe, **arguments),
        functools.partial(module.splits, **arguments),
    )


SOURCES: dict[str, Source] = {
    "mnist_small": _source(mnist, source="small"),
    "mnist": _source(mnist, source="tfds"),
    "fashion_mnist": _source(mnist, source="fashion_mnist"),
    "cifar10": _source(cifar, name="cifar10"),
    "cifar100": _source(cifar, name="cifar100"),
    "imagenet2012": _source(imagenet),
    "text": _source(text),
    **{
        f"synthetic_{name}": _source(synthetic, name=name)
        for name in synthetic.SIZES
    },
}


def describe(
    name: str,
    data_dir: str | None = None,
    download: bool = False,
    **arguments: Any,
) -> datasets.DataInfo:
    """Returns the size of a data set, from metadata or by reading a text.

    Arguments are those of `splits`; `**arguments` are those of `describe` in
    the data set's module.
    """
    return _find(name).describe(data_dir, download, **arguments)


def splits(
    name: str,
    batching: Batching,
    data_dir: str | None = None,
    download: bool = False,
    **arguments: Any,
) -> datasets.DataSplits:
    """Makes the batches of a data set.

    Args:
        name: a key of `SOURCES`.
        batching: size, seed and share of the batches.
        data_dir: folder of prepared TFDS data, or of text files; None for
            TFDS's default.
        download: whether TFDS may download and prepare missing data.
        **arguments: arguments of `splits` in the data set's module.

    Raises:
        FileNotFoundError: if the data is missing.
        ImportError: if TensorFlow Datasets is needed but not installed.
        ValueError: if the name is unknown or an argument is invalid.
    """
    return _find(name).splits(batching, data_dir, download, **arguments)


def _find(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(
            f"`name` must be one of {sorted(SOURCES)}. Received: {name!r}."
        )
    return SOURCES[name]
