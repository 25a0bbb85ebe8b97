"""Training of a run to its end, from the state that its folder has."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich import console as consoles

import tf_rigl
from tf_rigl.backend import atomic_files
from tf_rigl.data.datasets import DataSplits
from tf_rigl.experiments import exporting
from tf_rigl.experiments import model_files
from tf_rigl.experiments import terminal
from tf_rigl.experiments.export_settings import ExportSettings
from tf_rigl.experiments.runs import callbacks
from tf_rigl.experiments.runs import fitting
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import optimization
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import step_metrics
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs import update_file
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.export.folders import folder_bytes

# Examples on which the exported model is compared.
_EXAMPLES = 8


def train(
    run: PreparedRun,
    model: Any,
    folder: RunFolder,
    options: RunOptions,
    console: consoles.Console,
    callbacks_before: Sequence[Any] = (),
) -> tuple[dict[str, float], np.ndarray]:
    """Trains the rest of a run and evaluates the model.

    If the process is killed at any time and a new one continues, the final
    weights are the same, bit for bit, as without the interruption. Callbacks of
    `callbacks_before` act before those of the run.

    Returns:
        The measures on the evaluation data, and some of its inputs.

    Raises:
        ValueError: if a checkpoint is damaged or belongs to another model.
    """
    done = folder.trained_steps
    if not folder.writes:
        console = consoles.Console(quiet=True)

    with terminal.Display(run.plan.total, done, console) as display:
        acting = [
            *callbacks_before,
            *_callbacks(run, folder, options, done, display),
        ]
        for stretch in fitting.stretches(run.plan, done):
            data = setup.load_data(run, stretch.first_step)
            if not done:
                _prune(run, model, data)
            evaluate = options.evaluate_every
            fitting.fit(
                model,
                stretch,
                data.train,
                validation_data=data.validation if evaluate else None,
                validation_freq=evaluate or 1,
                callbacks=acting,
            )

    fitting.finish(model)
    scores = model.evaluate(data.evaluation, verbose=0, return_dict=True)
    inputs, _ = next(iter(data.evaluation))
    return tasks.measures(run.task, scores), inputs[:_EXAMPLES].numpy()


def restore(run: PreparedRun, model: Any, folder: RunFolder) -> int:
    """Restores a model from the newest checkpoint of its run.

    Returns:
        The number of steps trained so far, 0 if there is no checkpoint.

    Raises:
        ValueError: if the checkpoint is damaged or belongs to another model.
    """
    with run.strategy.scope():
        algorithm = networks.make_algorithm(run.settings, run.plan)
        if algorithm is not None:
            # A checkpoint includes the state of the method, which must exist,
            # and weights as the method stores them.
            tf_rigl.UpdateMasks(algorithm).set_model(model)
        return tf_rigl.Checkpoints(folder.checkpoints).restore(model)


def load_trained(settings: RunSettings, folder: RunFolder) -> Any:
    """Loads the trained model of a run or, if there is none, a checkpoint.

    The checkpoint is the newest one. It can be loaded on any machine with the
    data of the run, which determines the shapes of the network.

    Returns:
        The model; None if the run has neither.

    Raises:
        FileNotFoundError: if a checkpoint is to be loaded and the data is not
            on this machine.
        ValueError: if a file is damaged.
        ImportError: if the Keras of the model is not installed.
    """
    if folder.model.exists():
        return model_files.load_model(folder.model)
    if not folder.trained_steps:
        return None

    here = dataclasses.replace(
        settings,
        strategy="one_device",
        devices=0,
        tpu="",
        steps_per_execution=1,
        download=False,
    )
    run = setup.prepare(here)
    model = setup.build_compiled(run)
    restore(run, model, folder)
    return model


def write_model(
    run: PreparedRun, model: Any, examples: np.ndarray, folder: RunFolder
) -> dict[str, Any]:
    """Saves and exports a model, and compares the loaded export with it.

    Returns:
        Plain JSON values: sizes in bytes, and the difference of the outputs.
    """
    # Compiled anew, so that the file loads without classes of this package.
    with run.strategy.scope():
        model.compile(
            optimizer="sgd",
            loss=tasks.make_loss(run.keras, run.task),
            metrics=tasks.make_metrics(run.keras, run.task),
        )
    with atomic_files.draft(folder.model) as aside:
        model.save(aside)

    exported = exporting.export(
        model,
        folder.saved_model,
        ExportSettings(overwrite=True),
        examples,
    )
    return {
        "model_bytes": folder.model.stat().st_size,
        "saved_model_bytes": folder_bytes(folder.saved_model),
        "largest_difference": float(exported.difference.error),
        "matches": exported.matches,
    }


def _callbacks(
    run: PreparedRun,
    folder: RunFolder,
    options: RunOptions,
    done: int,
    display: terminal.Display,
) -> list[Any]:
    """Lists the callbacks of a run: the method first, checkpoints last.

    The method's state must exist before a checkpoint is restored. Files of an
    epoch are written before its checkpoint, so a run that is killed in between
    writes them again.
    """
    settings = run.settings
    acting: list[Any] = []
    algorithm = networks.make_algorithm(settings, run.plan)
    if algorithm is not None:
        acting.append(tf_rigl.UpdateMasks(algorithm))
    acting.append(callbacks.MetricsFile(folder.metrics, folder.writes))
    if options.metrics_every and folder.writes:
        acting.append(
            step_metrics.StepMetrics(
                folder.steps,
                folder.tensorboard / "steps" if options.tensorboard else None,
                options.metrics_every,
                done,
                run.plan.total,
                functools.partial(
                    optimization.learning_rate,
                    optimization.make_schedule(settings, run.plan),
                ),
            )
        )

    if settings.is_sparse:
        acting.append(
            tf_rigl.MaskDiagnostics(
                log_dir=folder.tensorboard if options.tensorboard else None,
                json_lines_path=folder.masks,
            )
        )
        if folder.writes:
            acting.append(
                update_file.UpdateFile(
                    folder.updates, settings.update_interval, done
                )
            )
    if options.tensorboard and folder.writes:
        acting.append(
            run.keras.callbacks.TensorBoard(
                str(folder.tensorboard), write_graph=False
            )
        )

    return [
        *acting,
        callbacks.ShowProgress(settings.label, run.plan, done, display),
        tf_rigl.Checkpoints(
            folder.checkpoints,
            also_every=options.checkpoint_every,
            # The first call of `fit` may train the rest of an epoch, from
            # which Keras cannot tell the length of the run.
            total_steps=run.plan.total,
        ),
    ]


def _prune(run: PreparedRun, model: Any, data: DataSplits) -> None:
    classes = run.task.classes if run.task.kind == tasks.IMAGES else 1
    fitting.prune_before(
        model,
        run.settings.method,
        data.train,
        run.settings.batch_size,
        classes,
    )
