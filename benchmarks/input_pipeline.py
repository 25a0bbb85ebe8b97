#!/usr/bin/env python3
"""Whether input pipelines keep the training step fed.

For each data set, images per second of the pipeline alone, of the training
step alone, on a batch that is in memory, and of the step on what the pipeline
gives, as `fit` takes it. These take turns. A pipeline that is faster than the
step hides behind it, where the two don't share the processor; on a machine
without accelerator they do.

Where ImageNet is not prepared in `--data_dir`, JPEGs of random pixels, of the
size of its usual images, take its place: TFDS reads them from a temporary
folder.

Usage: python benchmarks/input_pipeline.py [--dataset=NAME] [--rounds=3]
"""

import dataclasses
import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import keras
import tensorflow as tf

from benchmarks import measure
from benchmarks import prepared_images
from tf_rigl.data import registry as data_sets
from tf_rigl.data import synthetic
from tf_rigl.data.batching import Batching
from tf_rigl.data.datasets import DataInfo
from tf_rigl.models import registry as networks

_IMAGENET = "imagenet2012"
_RANDOM_IMAGES = 1024


@dataclasses.dataclass(frozen=True)
class FeedCase:
    """A network to train on a data set, and for how long."""

    network: str
    batch_size: int
    steps: int  # of a round
    # Of a round of the pipeline alone, at least: many more than it has in
    # store when the time begins.
    batches: int


CASES = {
    _IMAGENET: FeedCase("resnet_50", 8, 2, 128),
    "cifar10": FeedCase("wrn_22_2", 128, 4, 390),
    "mnist": FeedCase("lenet_300_100", 128, 400, 400),
    "mnist_small": FeedCase("lenet_300_100", 128, 400, 400),
}


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_multi_enum(
        "dataset",
        [_IMAGENET, "cifar10", "mnist_small"],
        list(CASES),
        "Which data set.",
    )
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")

    flags.DEFINE_integer(
        "image_size", 224, "Of ImageNet, pixels.", lower_bound=32
    )
    flags.DEFINE_integer(
        "batch_size", None, "Images in a step; unset: as usual.", lower_bound=1
    )
    flags.DEFINE_integer(
        "steps", None, "Steps in a round; unset: as usual.", lower_bound=1
    )


def chosen_case(name: str) -> FeedCase:
    """Returns the case of a data set with what the flags change."""
    case = CASES[name]
    if flags.FLAGS.smoke:
        case = FeedCase(case.network, batch_size=4, steps=2, batches=2)
    steps = flags.FLAGS.steps or case.steps
    return dataclasses.replace(
        case,
        batch_size=flags.FLAGS.batch_size or case.batch_size,
        steps=steps,
        batches=max(steps, case.batches),
    )


def prepare(name: str, scratch: pathlib.Path) -> str | None:
    """Returns the folder of a data set, made of random images if need be.

    Raises:
        FileNotFoundError: if another data set than ImageNet is missing.
    """
    data_dir = flags.FLAGS.data_dir
    try:
        data_sets.describe(name, data_dir)
    except FileNotFoundError:
        if name != _IMAGENET:
            raise
    else:
        return data_dir

    count = 16 if flags.FLAGS.smoke else _RANDOM_IMAGES
    folder = prepared_images.write(
        _IMAGENET,
        {
            "train": prepared_images.imagenet_examples(count),
            "validation": prepared_images.imagenet_examples(1),
        },
        scratch,
        shards=4,
    )

    size = sum(file.stat().st_size for file in folder.glob("*-train.*"))
    print(
        f"{name} is not prepared: {count} JPEGs of random pixels, "
        f"{size / count / 1e3:.0f} kB each, take its place",
        flush=True,
    )
    return str(scratch)


class FedNetwork:
    """A data set and a network in training on it."""

    def __init__(self, name: str, case: FeedCase, data_dir: str | None) -> None:
        arguments = (
            {"image_size": flags.FLAGS.image_size} if name == _IMAGENET else {}
        )
        self._case = case
        batching = Batching(case.batch_size, endless=True)
        splits = data_sets.splits(name, batching, data_dir, **arguments)
        self._batches = splits.train
        self._batch = synthetic.batches(splits.info, batching)
        self._model = _compiled_model(case.network, splits.info)
        self._take_steps(iter(self._batch), 1)

    def contenders(self) -> dict[str, Callable[[], float]]:
        """Lists what takes turns; each returns images per second."""
        case = self._case
        return {
            "pipeline": functools.partial(
                self._rate, self._batches, _take_batches, case.batches
            ),
            "step": functools.partial(
                self._rate, self._batch, self._take_steps, case.steps
            ),
            "both": functools.partial(
                self._rate, self._batches, self._take_steps, case.steps
            ),
        }

    def _rate(
        self,
        dataset: tf.data.Dataset,
        take: Callable[[Iterator[Any], int], None],
        count: int,
    ) -> float:
        # A new iterator: one that waits would have more in store.
        iterator = iter(dataset)
        take(iterator, 2)
        seconds = measure.seconds(lambda: take(iterator, count))
        return count * self._case.batch_size / seconds

    def _take_steps(self, iterator: Iterator[Any], steps: int) -> None:
        logs: Any = {}
        for _ in range(steps):
            logs = self._model.train_function(iterator)
        float(logs["loss"])  # waits for a device


def _take_batches(iterator: Iterator[Any], steps: int) -> None:
    for _ in range(steps):
        next(iterator)


def _compiled_model(network: str, info: DataInfo) -> Any:
    model = networks.builder(network)(
        keras, input_shape=info.example_shape, classes=info.classes
    )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    return model


def report(measured: dict[str, dict[str, list[float]]]) -> None:
    """Prints the table."""
    rows = [
        [
            name,
            *(f"{measure.summarize(each):,.0f}" for each in rates.values()),
            f"{measure.ratios(rates['pipeline'], rates['step']):,.0f}",
            f"{measure.ratios(rates['both'], rates['step']):.2f}",
        ]
        for name, rates in measured.items()
    ]
    measure.print_table(
        "Images per second, median of rounds (lowest to highest)",
        ["", "pipeline", "step", "both", "pipeline / step", "both / step"],
        rows,
    )


def main() -> dict[str, dict[str, list[float]]]:
    logging.set_verbosity(logging.ERROR)  # TFDS says much
    devices = [device.name for device in tf.config.list_logical_devices()]
    print(f"Devices: {', '.join(devices)}")
    cases = {name: chosen_case(name) for name in flags.FLAGS.dataset}
    measure.print_entries("Cases", cases)
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folders = {
                name: prepare(name, pathlib.Path(scratch)) for name in cases
            }
        except (FileNotFoundError, ImportError) as error:
            sys.exit(str(error))
        for name, data_dir in folders.items():
            fed = FedNetwork(name, cases[name], data_dir)
            results[name] = measure.alternate(fed.contenders())
            print(f"{name} is measured", flush=True)

    report(results)
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
