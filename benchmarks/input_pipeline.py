#!/usr/bin/env python3
"""Throughput of input pipelines, compared with that of the training step.

For each data set, measures in turn the images per second of the pipeline
alone, of the training step alone on a batch in memory, and of the step fed by
the pipeline as in `fit`. A pipeline that is faster than the step costs no time,
unless both share the CPU, as they do on a machine without an accelerator.

If ImageNet is not prepared in `--data_dir`, JPEGs of random pixels of its usual
image size take its place, which TFDS reads from a temporary folder.

Usage: python benchmarks/input_pipeline.py [--dataset=NAME] [--rounds=3]
"""

import pathlib
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tensorflow as tf

from benchmarks import measure
from benchmarks import prepared_images
from tf_rigl.data import registry as data_sets
from tf_rigl.data import synthetic
from tf_rigl.data.batching import Batching
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.settings import RunSettings

_IMAGENET = "imagenet2012"
_RANDOM_IMAGES = 1024


class FeedCase(NamedTuple):
    """A network for a data set, and the length of a round."""

    network: str
    batch_size: int
    steps: int  # the training steps of a round
    # The least batches of a round of the pipeline alone: many more than it has
    # prefetched when the clock starts.
    batches: int


CASES = {
    _IMAGENET: FeedCase("resnet_50", 8, 2, 128),
    "cifar10": FeedCase("wrn_22_2", 128, 4, 390),
    "mnist": FeedCase("lenet_300_100", 128, 400, 400),
    "mnist_small": FeedCase("lenet_300_100", 128, 400, 400),
}


def define_flags() -> None:
    flags.DEFINE_multi_enum(
        "dataset",
        [_IMAGENET, "cifar10", "mnist_small"],
        list(CASES),
        "Data set.",
    )
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")

    flags.DEFINE_integer(
        "image_size", 224, "Side of ImageNet images, pixels.", lower_bound=32
    )
    flags.DEFINE_integer("batch_size", None, "Images in a step.", lower_bound=1)
    flags.DEFINE_integer("steps", None, "Steps in a round.", lower_bound=1)


def chosen_case(name: str) -> FeedCase:
    case = CASES[name]
    if flags.FLAGS.smoke:
        case = FeedCase(case.network, batch_size=4, steps=2, batches=2)
    steps = flags.FLAGS.steps or case.steps
    return case._replace(
        batch_size=flags.FLAGS.batch_size or case.batch_size,
        steps=steps,
        batches=max(steps, case.batches),
    )


def prepare(name: str, scratch: pathlib.Path) -> str | None:
    """Returns the folder of a data set; makes random images for ImageNet.

    Raises:
        FileNotFoundError: if a data set other than ImageNet is missing.
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


def measure_case(
    name: str, case: FeedCase, data_dir: str | None
) -> dict[str, list[float]]:
    """Measures the images per second of pipeline, step and both, in turn."""
    run = setup.prepare(
        RunSettings(
            model=case.network,
            method="dense",
            data=name,
            data_dir=data_dir,
            image_size=flags.FLAGS.image_size,
            batch_size=case.batch_size,
        )
    )
    batches = setup.load_data(run).train
    in_memory = synthetic.batches(
        run.info, Batching(case.batch_size, endless=True)
    )
    model = setup.build_compiled(run)
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()

    def take_batches(iterator: Iterator[Any], count: int) -> None:
        for _ in range(count):
            next(iterator)

    def take_steps(iterator: Iterator[Any], count: int) -> None:
        logs: Any = {}
        for _ in range(count):
            logs = model.train_function(iterator)
        float(logs["loss"])  # waits for a device

    def rate(
        dataset: tf.data.Dataset,
        take: Callable[[Iterator[Any], int], None],
        count: int,
    ) -> float:
        # A waiting iterator would have prefetched more, so make a new one.
        iterator = iter(dataset)
        take(iterator, 2)
        seconds = measure.seconds(lambda: take(iterator, count))
        return count * case.batch_size / seconds

    take_steps(iter(in_memory), 1)
    return measure.alternate(
        {
            "pipeline": lambda: rate(batches, take_batches, case.batches),
            "step": lambda: rate(in_memory, take_steps, case.steps),
            "both": lambda: rate(batches, take_steps, case.steps),
        }
    )


def report(measured: dict[str, dict[str, list[float]]]) -> None:
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
    logging.set_verbosity(logging.ERROR)  # TFDS logs a lot
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
            results[name] = measure_case(name, cases[name], data_dir)
            print(f"{name} is measured", flush=True)

    report(results)
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
