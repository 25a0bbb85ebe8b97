"""Trains a run to its end, from wherever an earlier process has left it."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
from rich import console as consoles

import tf_rigl
from tf_rigl.experiments import exporting
from tf_rigl.experiments import methods
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.progress_bar import show_progress
from tf_rigl.experiments.runs.recording import MetricsFile
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import Run
from tf_rigl.export.folders import folder_bytes

# Of each class, to prune by before training; the GraSP paper's number.
_PRUNING_EXAMPLES = 10
# To compare the exported model on.
_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Options:
    """What has no influence on the outcome of a run.

    Attributes:
        checkpoint_every: Batches from one checkpoint to the next; 0 for one
            at the end of each epoch.
        evaluate_every: Epochs from one evaluation to the next; 0 for none but
            that at the end.
        tensorboard: Whether to write for TensorBoard.
        export: Whether to write the trained model.
        compare_dense: Whether to train the dense network first, and compare.
        report: Whether to write a page of curves, masks and sizes.

    Raises:
        ValueError: If a number is negative.
    """

    checkpoint_every: int = 0
    evaluate_every: int = 1
    tensorboard: bool = True
    export: bool = True
    compare_dense: bool = False
    report: bool = False

    def __post_init__(self) -> None:
        for name in ("checkpoint_every", "evaluate_every"):
            value = getattr(self, name)
            if value < 0:
                raise ValueError(
                    f"`{name}` must be at least 0. Received: {name}={value}."
                )


class Checkpoints(tf_rigl.Checkpoints):
    """Checkpoints at the ends of a run's epochs and, if asked for, between.

    That of an epoch's last batch is left to the end of the epoch, when its
    metrics are written. The first call of `fit` in a process may train the
    rest of an epoch, from which the length of the run can't be told.

    Args:
        directory: Where they are.
        every: Batches from one to the next within an epoch; 0 for none.
    """

    def __init__(self, directory: str | os.PathLike[str], every: int) -> None:
        super().__init__(directory)
        self._every = every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves when it is time, or when the process is told to end."""
        super().on_train_batch_end(batch, logs)
        due = self._every and self._batches - self._saved >= self._every
        if due and batch + 1 < self.params["steps"]:
            self.save(self.model, self._batches)

    def _announced(self) -> float:
        return float("inf")


class Trained(NamedTuple):
    """A run that has ended."""

    model: Any  # with its masks
    measures: Mapping[str, float]  # on the evaluation data
    examples: np.ndarray  # some inputs, of the evaluation data


class ModelFiles(NamedTuple):
    """What was written of a model."""

    model_bytes: int  # of the .keras file
    saved_model_bytes: int
    exported: exporting.Exported


def checkpoints_of(folder: RunFolder, options: Options) -> Checkpoints:
    """The checkpoints of a run."""
    return Checkpoints(folder.checkpoints, options.checkpoint_every)


def check_resumable(run: Run, folder: RunFolder) -> None:
    """Raises a ValueError where a run can't go on with these settings."""
    plans.check_resumable(
        run.plan,
        checkpoints_of(folder, Options()).step,
        run.settings.steps_per_execution,
    )


def train(
    run: Run,
    model: Any,
    folder: RunFolder,
    options: Options,
    console: consoles.Console,
) -> Trained:
    """Trains what is left of a run and evaluates.

    Killed at any moment and called again in a new process, it ends with the
    same weights, bit for bit, as if it had not been killed.

    Args:
        run: The run.
        model: What `setup.build_compiled` made; trained in place.
        folder: The run's folder, open.
        options: How to go about it.
        console: Where to show progress.

    Raises:
        ValueError: If a checkpoint is damaged or of another model.
    """
    checkpoints = checkpoints_of(folder, options)
    done = checkpoints.step
    stretches = plans.remaining(run.plan, done)
    if not stretches:
        # Nothing to train, but to restore.
        stretches = [plans.Stretch(run.plan.epochs, run.plan.epochs, done, 1)]
    callbacks = _callbacks(run, folder, options, console, checkpoints)
    for stretch in stretches:
        data = setup.load_data(run, stretch.first_step)
        if not done:
            _prune(run, model, data)
        evaluate = options.evaluate_every
        model.fit(
            data.train,
            steps_per_epoch=stretch.steps_per_epoch,
            initial_epoch=stretch.first_epoch,
            epochs=stretch.end_epoch,
            validation_data=data.evaluation if evaluate else None,
            validation_freq=evaluate or 1,
            shuffle=False,  # the pipeline does it
            verbose=0,
            callbacks=callbacks,
        )
    scores = model.evaluate(data.evaluation, verbose=0, return_dict=True)
    inputs, _ = next(iter(data.evaluation))
    return Trained(
        model,
        tasks.measures(run.task, scores),
        inputs[:_EXAMPLES].numpy(),
    )


def restore(run: Run, model: Any, folder: RunFolder) -> int:
    """Gives a model the state of the newest checkpoint of its run.

    Args:
        run: The run.
        model: What `setup.build_compiled` made; changed in place.
        folder: The run's folder.

    Returns:
        Steps that it was trained for; 0 where there is no checkpoint.

    Raises:
        ValueError: If the checkpoint is damaged or of another model.
    """
    checkpoints = checkpoints_of(folder, Options())
    if checkpoints.step:
        # No epoch: callbacks begin and end, and see no batch.
        model.fit(
            setup.example_batch(run),
            steps_per_epoch=1,
            initial_epoch=1,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[*_mask_updates(run), checkpoints],
        )
    return checkpoints.step


def write_model(run: Run, trained: Trained, folder: RunFolder) -> ModelFiles:
    """Saves and exports a trained model, loads the export and compares.

    Args:
        run: The run.
        trained: What came out; its model is compiled anew.
        folder: The run's folder, open.
    """
    setup.compile_plainly(run, trained.model)
    aside = folder.model.with_name(".model.keras")
    trained.model.save(aside)
    os.replace(aside, folder.model)
    exported = exporting.export(
        trained.model,
        folder.saved_model,
        exporting.Settings(overwrite=True),
        trained.examples,
    )
    size = folder_bytes(folder.saved_model)
    return ModelFiles(folder.model.stat().st_size, size, exported)


def _callbacks(
    run: Run,
    folder: RunFolder,
    options: Options,
    console: consoles.Console,
    checkpoints: Checkpoints,
) -> list[Any]:
    """The method first, whose state is restored, and the checkpoints last.

    What an epoch leaves in files is there before its checkpoint is: a run
    that is killed between the two writes it again.
    """
    callbacks = _mask_updates(run)
    callbacks.append(MetricsFile(folder.metrics, folder.writes))
    if run.settings.is_sparse:
        callbacks.append(
            tf_rigl.MaskDiagnostics(
                log_dir=folder.tensorboard if options.tensorboard else None,
                json_lines_path=folder.masks,
            )
        )
    if options.tensorboard and folder.writes:
        callbacks.append(
            run.keras.callbacks.TensorBoard(
                str(folder.tensorboard), write_graph=False
            )
        )
    if folder.writes:
        callbacks.append(
            show_progress(
                run.settings.label, run.plan, checkpoints.step, console
            )
        )
    return [*callbacks, checkpoints]


def _mask_updates(run: Run) -> list[Any]:
    algorithm = networks.make_algorithm(run.settings, run.plan)
    return [] if algorithm is None else [tf_rigl.UpdateMasks(algorithm)]


def _prune(run: Run, model: Any, data: setup.Data) -> None:
    """Prunes before the first step, by methods that do so."""
    method = methods.METHODS[run.settings.method]
    if method.prune_by is None:
        return
    examples = _PRUNING_EXAMPLES
    if run.task.kind == tasks.IMAGES:
        examples *= run.task.classes
    batches = -(-examples // run.settings.batch_size)
    tf_rigl.prune(
        model,
        method.prune_by,
        data.train.take(batches),
        scope=method.prune_scope,
    )
