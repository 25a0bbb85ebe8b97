"""The data sets of the experiments, by name."""

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
    """Functions that find a data set.

    Both functions take `data_dir`, `download` and what is peculiar to the
    data set; the second takes the batching before.
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
    """Returns the size of a data set, from its metadata or, a text, by reading.

    The arguments are those of `splits`; `**arguments` are those that
    `describe` of the data set's module takes.
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
        **arguments: what `splits` of the module of that data set takes.

    Raises:
        FileNotFoundError: if the data is not there.
        ImportError: if TensorFlow Datasets is needed and not installed.
        ValueError: if there is no data set of that name, or an argument is
            wrong.
    """
    return _find(name).splits(batching, data_dir, download, **arguments)


def _find(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(
            f"`name` must be one of {sorted(SOURCES)}. Received: {name!r}."
        )
    return SOURCES[name]
