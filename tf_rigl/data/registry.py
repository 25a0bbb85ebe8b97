"""Registry of the experiments' data sets by name.

Imports no TensorFlow, so that a command line can list the names: the module
of a data set is imported when the data set is asked for.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

if TYPE_CHECKING:
    from tf_rigl.data import datasets
    from tf_rigl.data.batching import Batching


class Source(NamedTuple):
    """The module that reads a data set, with the arguments to call it with.

    Its functions `describe` and `splits` accept `data_dir`, `download` and
    arguments specific to the data set; `splits` also takes the batching first.
    """

    module: str  # in this folder
    arguments: Mapping[str, Any] = {}
    holds_out: bool = True  # whether `splits` takes `validation_examples`

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Calls a function of the module."""
        module = importlib.import_module(f"tf_rigl.data.{self.module}")
        return getattr(module, function)(*args, **self.arguments, **kwargs)


SOURCES: dict[str, Source] = {
    "mnist_small": Source("mnist", {"source": "small"}),
    "mnist": Source("mnist", {"source": "tfds"}),
    "fashion_mnist": Source("mnist", {"source": "fashion_mnist"}),
    "cifar10": Source("cifar", {"name": "cifar10"}),
    "cifar100": Source("cifar", {"name": "cifar100"}),
    "imagenet2012": Source("imagenet", holds_out=False),
    "text": Source("text", holds_out=False),
    **{
        f"synthetic_{name}": Source("synthetic", {"name": name})
        for name in ("mnist", "cifar10", "imagenet2012", "characters")
    },
}


def describe(
    name: str,
    data_dir: str | None = None,
    download: bool = False,
    **arguments: Any,
) -> "datasets.DataInfo":
    """Returns the size of a data set, from metadata or by reading a text.

    Arguments are those of `splits`; `**arguments` are those of `describe` in
    the data set's module.
    """
    return _find(name).call("describe", data_dir, download, **arguments)


def splits(
    name: str,
    batching: "Batching",
    data_dir: str | None = None,
    download: bool = False,
    **arguments: Any,
) -> "datasets.DataSplits":
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
    return _find(name).call("splits", batching, data_dir, download, **arguments)


def _find(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(
            f"`name` must be one of {sorted(SOURCES)}. Received: {name!r}."
        )
    return SOURCES[name]
