"""Calls of `fit` that train the rest of a run, and pruning before them."""

from typing import Any

import tensorflow as tf

import tf_rigl
from tf_rigl.experiments import methods
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.updating import supermasks

# Examples of each class for pruning before training, as in the GraSP paper.
_PRUNING_EXAMPLES = 10


def stretches(plan: plans.RunPlan, done: int) -> list[plans.Stretch]:
    """Lists the calls of `fit` that are left after `done` steps, at least one.

    After the last step, it is one without epochs, which restores the model.
    """
    left = plans.remaining(plan, done)
    return left or [plans.Stretch(plan.epochs, plan.epochs, done, 1)]


def fit(
    model: Any,
    stretch: plans.Stretch,
    batches: tf.data.Dataset,
    **arguments: Any,
) -> None:
    """Trains a stretch of a run, silently.

    Args:
        model: a compiled model of either Keras.
        stretch: the epochs to train.
        batches: the batches from the first step of the stretch on, endless
            and in the order of training.
        **arguments: further arguments of `fit`, such as `callbacks`.
    """
    model.fit(
        batches,
        steps_per_epoch=stretch.steps_per_epoch,
        initial_epoch=stretch.first_epoch,
        epochs=stretch.end_epoch,
        shuffle=False,  # the data pipeline shuffles
        verbose=0,
        **arguments,
    )


def prune_before(
    model: Any,
    method: str,
    batches: tf.data.Dataset,
    batch_size: int,
    classes: int,
) -> None:
    """Prunes a model if its method prunes before training, as GraSP does.

    Args:
        model: the model, which has all connections yet.
        method: the name of the method.
        batches: the batches of training, of which the first ones are used.
        batch_size: the number of examples in a batch.
        classes: the number of classes, for each of which ten examples are
            used.
    """
    command = methods.find(method).command
    if command is None or command.prune_by is None:
        return
    count = -(-_PRUNING_EXAMPLES * classes // batch_size)
    tf_rigl.prune(
        model, command.prune_by, batches.take(count), scope=command.prune_scope
    )


def finish(model: Any) -> None:
    """Gives a model its final masks, if its method draws them until the end."""
    if supermasks.are_trained(model):
        tf_rigl.threshold_masks(model)
