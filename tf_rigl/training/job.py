"""The whole job of a training program, from configuration to files.

`prepare` does everything that can fail early, so that a wrong setting or a
missing data set shows before any training. `describe` prints what would be
trained; `run` trains, writes and reports.
"""

import atexit
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from rich import console as consoles

from tf_rigl.data import mnist
from tf_rigl.training import artefacts
from tf_rigl.training import configuration as configurations
from tf_rigl.training import experiment
from tf_rigl.training import flavours
from tf_rigl.training import methods
from tf_rigl.training import progress
from tf_rigl.training import report
from tf_rigl.training import strategies
from tf_rigl.training.extras import check_matplotlib
from tf_rigl.training.terminal import printer

RESULTS_FILE = "results.json"
PIXELS_FILE = "connections_per_pixel.png"
UNITS_FILE = "connections_per_unit.png"
FIRST_LAYER = "fc1"


class Job(NamedTuple):
    """A checked experiment, ready to train."""

    configuration: configurations.Configuration
    keras: ModuleType
    strategy: tf.distribute.Strategy
    models: Mapping[str, Any]  # by method, in the order of training


def prepare(configuration: configurations.Configuration) -> Job:
    """Imports the Keras, finds the devices and builds the models.

    Call it before TensorFlow runs anything else.

    Args:
        configuration: The experiment.

    Returns:
        The job.

    Raises:
        ImportError: If the Keras or matplotlib is not installed.
        ValueError: If the settings don't fit the network, the data or the
            devices.
    """
    check_matplotlib()
    experiment.count_steps(configuration)
    keras = flavours.load_keras(configuration.keras)
    strategy = strategies.make_strategy(
        configuration.strategy,
        configuration.keras,
        devices=configuration.devices or None,
        tpu=configuration.tpu,
        steps_per_execution=configuration.steps_per_execution,
    )
    with strategy.scope():
        models = {
            method: experiment.build(configuration, keras, method)
            for method in configuration.methods
        }
    return Job(configuration, keras, strategy, models)


def load_data(configuration: configurations.Configuration) -> mnist.Mnist:
    """Reads the data of an experiment.

    Raises:
        FileNotFoundError: If the data is missing and may not be downloaded.
    """
    source = configurations.DATA_SOURCES[configuration.data]
    return mnist.load(source, configuration.data_dir, configuration.download)


def make_output_dir(path: str, job: Job) -> pathlib.Path:
    """Makes the folder for the results.

    Of several workers the first writes there; the others, who must take part
    in writing, get a folder that is removed when the process ends.

    Raises:
        ValueError: If it can't be made.
    """
    if not job.strategy.extended.should_checkpoint:
        folder = pathlib.Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            "`output_dir` must be a folder that can be written. "
            f"Received: output_dir={path!r} ({error.strerror})."
        ) from error
    return folder


def describe(job: Job, console: consoles.Console) -> None:
    """Prints the network, connections of each weight, FLOPs and steps."""
    write = printer(console)
    # Without masks, which Keras would count as parameters.
    network = experiment.build(job.configuration, job.keras, "dense")
    network.summary(line_length=78, print_fn=write)
    steps = experiment.count_steps(job.configuration)
    images = steps.total * job.configuration.batch_size
    for method in job.models:
        profile = experiment.final_profile(job.configuration, job.keras, method)
        flops = experiment.training_flops(job.configuration, method, profile)
        console.rule(experiment.label(job.configuration, method))
        write(str(profile))
        write(f"Training FLOPs in all: {report.si_number(flops * images)}")
    console.rule()
    write(
        f"{job.configuration.epochs} epochs of {steps.per_epoch:,} steps, "
        f"{steps.total:,} in all; masks stay from step {steps.stop_step:,} on"
    )


def run(
    job: Job,
    digits: mnist.Mnist,
    output_dir: pathlib.Path,
    console: consoles.Console,
) -> bool:
    """Trains all models of a job, writes their files and prints the table.

    Args:
        job: What to train; its models are trained in place.
        digits: The data.
        output_dir: An existing folder; each method gets one inside.
        console: Where to report.

    Returns:
        Whether every SavedModel gave the outputs of its model.
    """
    reports = [
        _train_one(job, method, digits, output_dir / method, console)
        for method in job.models
    ]
    artefacts.write_json(
        output_dir / RESULTS_FILE,
        report.record(job.configuration, job.keras, reports),
    )
    console.print()
    console.print(report.comparison_table(reports))
    return _print_files(reports, output_dir, console)


def matches(files: artefacts.ModelFiles) -> bool:
    """Whether the SavedModel gave the model's outputs; NaN does not."""
    return files.largest_difference <= artefacts.TOLERANCE


def _train_one(
    job: Job,
    method: str,
    digits: mnist.Mnist,
    folder: pathlib.Path,
    console: consoles.Console,
) -> report.Report:
    result = experiment.train(
        job.configuration,
        job.keras,
        method,
        job.models[method],
        digits,
        callbacks=[
            progress.progress_callback(
                job.keras,
                experiment.label(job.configuration, method),
                job.configuration.epochs,
                experiment.count_steps(job.configuration).per_epoch,
                console,
            )
        ],
    )
    files = artefacts.write_model(result.model, digits.test_images, folder)
    if methods.METHODS[method].is_sparse:
        _draw(result, folder)
    return report.Report(result, files)


def _draw(result: experiment.TrainingResult, folder: pathlib.Path) -> None:
    # Matplotlib is an extra, and `prepare` says so better than its absence.
    from tf_rigl.training import pictures

    before, after = (
        _first_layer(masks)
        for masks in (result.masks_before, result.masks_after)
    )
    kernel = result.model.get_layer(FIRST_LAYER).get_weights()[0]
    pictures.draw_pixels(
        folder / PIXELS_FILE, before, after, mnist.IMAGE_SHAPE, result.label
    )
    pictures.draw_units(
        folder / UNITS_FILE, kernel, after, mnist.IMAGE_SHAPE, result.label
    )


def _first_layer(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    return next(
        mask for path, mask in masks.items() if FIRST_LAYER in path.split("/")
    )


def _print_files(
    reports: list[report.Report],
    output_dir: pathlib.Path,
    console: consoles.Console,
) -> bool:
    write = printer(console)
    for one in reports:
        folder = one.files.checkpoint.parent
        write(f"\n{one.result.label}")
        write(f"  checkpoint  {one.files.checkpoint}")
        verdict = "matches" if matches(one.files) else "DIFFERS FROM"
        write(
            f"  SavedModel  {one.files.saved_model}\n"
            f"              loaded back, {verdict} the trained model: largest "
            f"difference {one.files.largest_difference:.1e}"
        )
        for name in (PIXELS_FILE, UNITS_FILE):
            if (folder / name).exists() and one.result.masks_after:
                write(f"  picture     {folder / name}")
    write(f"\nresults       {output_dir / RESULTS_FILE}")
    return all(matches(one.files) for one in reports)
