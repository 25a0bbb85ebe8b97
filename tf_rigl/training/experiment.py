"""Builds, trains and evaluates one network.

```python
settings = configuration.Configuration(method="rigl", sparsity=0.98)
keras = flavours.load_keras(settings.keras)
digits = mnist.load("small")
model = experiment.build(settings, keras, "rigl")
result = experiment.train(settings, keras, "rigl", model, digits)
```
"""

import dataclasses
import time
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from typing import NamedTuple

import numpy as np

import tf_rigl
from tf_rigl import accounting
from tf_rigl.data import mnist
from tf_rigl.models import mlp
from tf_rigl.training import configuration as configurations
from tf_rigl.training import methods

# Of each class, to prune by before training; the GraSP paper's number.
PRUNING_EXAMPLES = 10


class Steps(NamedTuple):
    """The length of a run, in optimizer updates."""

    per_epoch: int
    total: int
    stop_step: int  # the masks stay from there on


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What one training run gave.

    Attributes:
        method: A key of `methods.METHODS`.
        label: The method and its sparsity, for people.
        model: The trained model, still masked if the method is sparse.
        test_accuracy: Fraction of the test images classified right.
        test_loss: Mean cross-entropy on the test images.
        seconds: Wall time of `fit`.
        steps: The length of the run.
        images_seen: Training images, each epoch's counted.
        training_flops: FLOPs of the whole run by the formula of the RigL
            paper.
        profile: Counts of the trained model, dense beside sparse.
        history: Metrics by epoch.
        masks_before: Masks at the start by weight path; empty if dense.
        masks_after: Masks at the end by weight path; empty if dense.
    """

    method: str
    label: str
    model: Any
    test_accuracy: float
    test_loss: float
    seconds: float
    steps: Steps
    images_seen: int
    training_flops: float
    profile: Any
    history: Mapping[str, Sequence[float]]
    masks_before: Mapping[str, np.ndarray]
    masks_after: Mapping[str, np.ndarray]


def count_steps(configuration: configurations.Configuration) -> Steps:
    """Counts the steps of a run without loading its data.

    Raises:
        ValueError: If a batch is larger than the training set.
    """
    source = configurations.DATA_SOURCES[configuration.data]
    examples = mnist.TRAIN_EXAMPLES[source]
    if configuration.batch_size > examples:
        raise ValueError(
            "`batch_size` must not exceed the number of training images. "
            f"Received: batch_size={configuration.batch_size} for {examples:,} "
            f"images of data={configuration.data!r}. Choose a smaller batch."
        )
    per_epoch = examples // configuration.batch_size
    total = per_epoch * configuration.epochs
    # At least one, so that a very short run still updates its masks.
    stop_step = max(1, round(configuration.stop_fraction * total))
    return Steps(per_epoch, total, stop_step)


def label(configuration: configurations.Configuration, method: str) -> str:
    """Names a method with its sparsity, as in "RigL 98 %"."""
    return methods.label(method, configuration.sparsity)


def build(
    configuration: configurations.Configuration,
    keras: ModuleType,
    method: str,
) -> Any:
    """Builds LeNet-300-100, masked if the method is sparse.

    Every method starts from the same initial weights; small-dense, which is
    narrower, from the same seed.

    Args:
        configuration: The experiment.
        keras: The Keras to build with.
        method: A key of `methods.METHODS`.

    Returns:
        The model, not compiled.
    """
    chosen = methods.METHODS[method]
    if chosen.small:
        return accounting.match_width(
            lambda width: _network(configuration, keras, width),
            parameters=final_profile(configuration, keras, "static").nonzeros,
        ).model
    model = _network(configuration, keras)
    if not chosen.is_sparse:
        return model
    return _sparsify(configuration, model, chosen.sparsify)


def final_profile(
    configuration: configurations.Configuration,
    keras: ModuleType,
    method: str,
) -> Any:
    """What the network costs once it is as sparse as it will be.

    Methods that prune begin with a dense network; a global threshold may
    share the connections out in another way than is reckoned here.
    """
    chosen = methods.METHODS[method]
    if not chosen.is_sparse:
        return tf_rigl.profile(build(configuration, keras, method))
    arguments = {**chosen.sparsify, "start": "random"}
    model = _network(configuration, keras)
    return tf_rigl.profile(_sparsify(configuration, model, arguments))


def _sparsify(
    configuration: configurations.Configuration,
    model: Any,
    arguments: Mapping[str, Any],
) -> Any:
    return tf_rigl.sparsify(
        model,
        configuration.sparsity,
        configuration.distribution,
        seed=configuration.seed,
        **arguments,
    )


def _network(
    configuration: configurations.Configuration,
    keras: ModuleType,
    width: float = 1.0,
) -> Any:
    keras.utils.set_random_seed(configuration.seed)
    return mlp.lenet_300_100(
        keras, mnist.IMAGE_SHAPE, mnist.CLASSES, width=width
    )


def training_flops(
    configuration: configurations.Configuration, method: str, profile: Any
) -> float:
    """FLOPs that training on one image takes, by the RigL paper's formula."""
    steps = count_steps(configuration)
    algorithm = _algorithm(configuration, method, steps)
    pruned_fraction = 1.0
    if hasattr(algorithm, "pruned_fraction"):
        pruned_fraction = algorithm.pruned_fraction(steps.total)
    return accounting.training_flops(
        method,
        profile.flops,
        profile.dense_flops,
        update_interval=configuration.update_interval,
        pruned_fraction=pruned_fraction,
    )


def train(
    configuration: configurations.Configuration,
    keras: ModuleType,
    method: str,
    model: Any,
    digits: mnist.Mnist,
    callbacks: Sequence[Any] = (),
) -> TrainingResult:
    """Trains a model that `build` made and evaluates it.

    Args:
        configuration: The experiment.
        keras: The Keras that the model was built with.
        method: A key of `methods.METHODS`.
        model: The model; trained in place.
        digits: The data.
        callbacks: More Keras callbacks for `fit`. They run after the one that
            updates the masks and so see its logs.

    Returns:
        The record of the run.
    """
    steps = count_steps(configuration)
    with model.distribute_strategy.scope():
        _compile(configuration, keras, model, steps)
    criterion = methods.METHODS[method].prune_by
    if criterion is not None:
        tf_rigl.prune(model, criterion, _pruning_batch(digits))
    masks_before = _masks(model, method)
    start = time.perf_counter()
    history = model.fit(
        mnist.pipeline(
            digits.train_images,
            digits.train_labels,
            configuration.batch_size,
            configuration.seed,
            training=True,
        ),
        epochs=configuration.epochs,
        shuffle=False,  # the pipeline does it
        verbose=0,
        callbacks=[*_mask_updates(configuration, method, steps), *callbacks],
    )
    seconds = time.perf_counter() - start
    scores = model.evaluate(
        mnist.pipeline(
            digits.test_images,
            digits.test_labels,
            configuration.batch_size,
            configuration.seed,
            training=False,
        ),
        verbose=0,
        return_dict=True,
    )
    profile = tf_rigl.profile(model)
    images_seen = steps.total * configuration.batch_size
    return TrainingResult(
        method=method,
        label=label(configuration, method),
        model=model,
        test_accuracy=float(scores["accuracy"]),
        test_loss=float(scores["loss"]),
        seconds=seconds,
        steps=steps,
        images_seen=images_seen,
        training_flops=images_seen
        * training_flops(configuration, method, profile),
        profile=profile,
        history={
            name: [float(value) for value in values]
            for name, values in history.history.items()
        },
        masks_before=masks_before,
        masks_after=_masks(model, method),
    )


def _compile(
    configuration: configurations.Configuration,
    keras: ModuleType,
    model: Any,
    steps: Steps,
) -> None:
    schedule = keras.optimizers.schedules.CosineDecay(
        configuration.learning_rate, decay_steps=steps.total
    )
    model.compile(
        optimizer=keras.optimizers.SGD(
            schedule, momentum=configuration.momentum, nesterov=True
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=configuration.steps_per_execution,
    )


def _algorithm(
    configuration: configurations.Configuration, method: str, steps: Steps
) -> Any:
    """The method, None where it trains densely."""
    algorithm = methods.METHODS[method].algorithm
    if algorithm is None:
        return None
    plan = methods.UpdatePlan(
        stop_step=steps.stop_step,
        update_interval=configuration.update_interval,
        drop_fraction=configuration.drop_fraction,
        seed=configuration.seed,
    )
    return algorithm(plan)


def _mask_updates(
    configuration: configurations.Configuration, method: str, steps: Steps
) -> list[Any]:
    algorithm = _algorithm(configuration, method, steps)
    return [] if algorithm is None else [tf_rigl.UpdateMasks(algorithm)]


def _pruning_batch(digits: mnist.Mnist) -> list[tuple[Any, Any]]:
    """The first ten images of each class, as one batch."""
    chosen = np.concatenate(
        [
            np.flatnonzero(digits.train_labels == digit)[:PRUNING_EXAMPLES]
            for digit in range(mnist.CLASSES)
        ]
    )
    batch = mnist.pipeline(
        digits.train_images[chosen],
        digits.train_labels[chosen],
        len(chosen),
        seed=0,
        training=False,
    )
    return list(batch)


def _masks(model: Any, method: str) -> dict[str, np.ndarray]:
    if not methods.METHODS[method].is_sparse:
        return {}
    return dict(tf_rigl.masks(model))
