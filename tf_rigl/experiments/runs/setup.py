"""Preparation of a run, which finds the user's errors before training."""

import dataclasses
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.data import datasets
from tf_rigl.data.batching import Batching
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import strategies
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import optimization
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.settings import RunSettings


class PreparedRun(NamedTuple):
    """A run whose settings, data and devices have been checked."""

    settings: RunSettings
    keras: ModuleType
    strategy: tf.distribute.Strategy
    info: datasets.DataInfo
    task: tasks.Task
    plan: plans.RunPlan


def prepare(settings: RunSettings) -> PreparedRun:
    """Imports the Keras, finds data and devices, and counts the steps.

    Must be called before TensorFlow runs anything else.

    Raises:
        FileNotFoundError: if the data is missing and may not be downloaded.
        ImportError: if the Keras, or a package to read the data, is missing.
        ValueError: if the settings do not suit each other, the data or the
            devices.
    """
    tasks.check_kinds(settings)
    keras = keras_modules.load_keras(settings.keras)
    strategy = strategies.make_strategy(
        settings.strategy,
        settings.keras,
        devices=settings.devices or None,
        tpu=settings.tpu,
        steps_per_execution=settings.steps_per_execution,
    )

    info = tasks.describe_data(settings)
    return PreparedRun(
        settings,
        keras,
        strategy,
        info,
        tasks.make_task(settings, info),
        plans.make_plan(settings, info),
    )


def prepare_elsewhere(settings: RunSettings) -> PreparedRun:
    """Prepares a run that other processes train: without its strategy.

    Raises:
        FileNotFoundError: as `prepare`.
        ImportError: as `prepare`.
        ValueError: as `prepare`.
    """
    return prepare(
        dataclasses.replace(settings, strategy="one_device", devices=0, tpu="")
    )


def load_data(run: PreparedRun, first_step: int = 0) -> datasets.DataSplits:
    """Reads the data of a run, with targets as the loss expects them.

    The batches for training are endless and begin with that of `first_step`.
    Those for validation are those for evaluation if no examples are held out.
    Raises the errors of `tasks.load_splits`.
    """
    settings = run.settings
    epoch, offset = divmod(first_step, run.plan.per_pass)
    batching = Batching(
        settings.batch_size, seed=settings.seed, first_epoch=epoch, endless=True
    )
    splits = tasks.load_splits(settings, batching)

    train = splits.train.skip(offset) if offset else splits.train
    evaluation, validation = (
        tasks.encode(one.take(settings.evaluation_steps or -1), run.task)
        for one in (splits.evaluation, splits.validation or splits.evaluation)
    )
    return splits._replace(
        train=tasks.encode(train, run.task),
        evaluation=evaluation,
        validation=validation,
    )


def build_compiled(run: PreparedRun) -> Any:
    """Builds and compiles the network of a run.

    Raises:
        ValueError: if the settings do not suit the network.
    """
    with run.strategy.scope():
        model = networks.build(run.settings, run.keras, run.task)
    return compile_model(run, model)


def compile_model(run: PreparedRun, model: Any) -> Any:
    """Compiles a network as the settings of a run say, with weight decay."""
    settings, keras = run.settings, run.keras
    schedule = optimization.make_schedule(settings, run.plan)
    with run.strategy.scope():
        optimization.add_weight_decay(model, settings.weight_decay)
        model.compile(
            optimizer=optimization.make_optimizer(
                keras, settings, optimization.keras_schedule(keras, schedule)
            ),
            loss=tasks.make_loss(keras, run.task),
            metrics=tasks.make_metrics(keras, run.task),
            steps_per_execution=settings.steps_per_execution,
        )
    return model
