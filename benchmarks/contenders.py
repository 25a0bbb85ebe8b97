"""Dense and sparse trainings that the benchmarks compare.

TFMOT trains only models of Keras 2, so this library is measured with both
Kerases. Compare `keras/tf_rigl` with `keras/dense`, and `tf_keras/tf_rigl` and
`tf_keras/tfmot` with `tf_keras/dense`.
"""

import math
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

# Imported first, because it decides which Keras `tf.keras` is.
import tensorflow_model_optimization as tfmot  # isort: skip
import keras
import tensorflow as tf
import tf_keras

import tf_rigl
from benchmarks.networks import Network

UPDATE_INTERVAL = 100
SPARSITY = 0.9
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda package: package.optimizers.SGD(0.01, momentum=0.9),
    "adam": lambda package: package.optimizers.Adam(0.001),
}
_KERAS = {"keras": keras, "tf_keras": tf_keras}
_FAR_AWAY = 1000 * UPDATE_INTERVAL

# The layers whose weights tf_rigl masks. TFMOT is limited to them here, since
# it prunes embeddings as well by default.
_SPARSE_LAYERS = (
    tf_keras.layers.Conv2D,
    tf_keras.layers.Dense,
    tf_keras.layers.GRU,
)


class TimedTraining:
    """A model in training, continued by each call of `run`.

    A step is the same as in `fit`: the model's train function on an iterator,
    between the hooks of the callbacks.
    """

    def __init__(
        self,
        package: Any,
        network: Network,
        model: Any,
        callbacks: Sequence[Any],
        set_step: Callable[[int], None],
        averaged_steps: int = 0,
    ) -> None:
        self.model = model
        # Returns the seconds of now.
        self.clock: Callable[[], float] = time.perf_counter
        # Steps before each update in which gradients are averaged.
        self.averaged_steps = averaged_steps
        self._set_step = set_step
        self._batch = 0
        batch = network.batch()
        self._iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
        model.optimizer.build(model.trainable_variables)
        self._callbacks = package.callbacks.CallbackList(
            list(callbacks), model=model, epochs=1, steps=None, verbose=0
        )
        model.make_train_function()
        self._callbacks.on_train_begin()
        self._callbacks.on_epoch_begin(0)

    def run(self, steps: int) -> float:
        logs: Any = {}
        start = self.clock()
        for _ in range(steps):
            self._callbacks.on_train_batch_begin(self._batch)
            logs = self.model.train_function(self._iterator)
            self._callbacks.on_train_batch_end(self._batch, logs)
            self._batch += 1
        float(logs["loss"])  # waits for a device
        return self.clock() - start

    def go_to_update(self, offset: int = 0) -> None:
        """Advances the step counter so that the next step updates masks.

        With a negative offset it is a step as far before the update.
        """
        self._batch = (self._batch // UPDATE_INTERVAL + 1) * UPDATE_INTERVAL
        self._batch += offset
        self._set_step(self._batch)

    def warm_up(self) -> None:
        """Takes a step of each kind, so that all are traced and compiled."""
        self.go_to_update(-1)
        self.run(3)


def start_training(
    contender: str,
    network: Network,
    jit_compile: bool | None = None,
    optimizer: str = "sgd",
) -> TimedTraining:
    """Starts the training of one of `measure.CONTENDERS` or `STEADY`.

    If `jit_compile` is None, the default of the Keras applies, which does not
    compile by XLA on CPUs.
    """
    name, method = contender.split("/")
    package = _KERAS[name]
    package.utils.set_random_seed(0)
    model = network.build(package)
    callbacks: list[Any] = []
    averaged_steps = 0
    if method in ("tf_rigl", "steady"):
        tf_rigl.sparsify(model, SPARSITY)
        preset = "paper" if method == "tf_rigl" else "steady"
        algorithm = tf_rigl.RigL(_FAR_AWAY, UPDATE_INTERVAL, preset=preset)
        averaged_steps = (algorithm.gradient_steps or 1) - 1
        callbacks.append(tf_rigl.UpdateMasks(algorithm))
    elif method == "tfmot":
        model = _with_pruning(model)
        callbacks.append(tfmot.sparsity.keras.UpdatePruningStep())
    model.compile(
        OPTIMIZERS[optimizer](package),
        package.losses.SparseCategoricalCrossentropy(from_logits=True),
        **({} if jit_compile is None else {"jit_compile": jit_compile}),
    )

    def set_step(step: int) -> None:
        model.optimizer.iterations.assign(step)
        for layer in model.layers:
            if hasattr(layer, "pruning_step"):
                # TFMOT increments it before it compares.
                layer.pruning_step.assign(step - 1)

    return TimedTraining(
        package, network, model, callbacks, set_step, averaged_steps
    )


def masked_elements(training: TimedTraining) -> int:
    """Counts the elements of all weights that have a mask."""
    pruned = [
        weight
        for layer in training.model.layers
        for weight, _, _ in getattr(layer, "pruning_vars", ())
    ]
    if pruned:
        return sum(weight.shape.num_elements() for weight in pruned)
    return sum(mask.size for mask in tf_rigl.masks(training.model).values())


def variable_bytes(training: TimedTraining) -> int:
    """Counts the bytes of all variables of the model and its optimizer.

    They include masks, counters and other state beside the weights.
    """
    variables = tf_rigl.training_variables(training.model)
    return sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in variables
        if variable.dtype != "string"
    )


def _with_pruning(model: Any) -> Any:
    """Clones a model with TFMOT's wrappers around the layers to prune."""
    sparsity = tfmot.sparsity.keras
    schedule = sparsity.ConstantSparsity(
        SPARSITY, begin_step=0, frequency=UPDATE_INTERVAL
    )

    def prune(layer: Any) -> Any:
        if type(layer) in _SPARSE_LAYERS:
            return sparsity.prune_low_magnitude(layer, schedule)
        return layer

    return tf_keras.models.clone_model(model, clone_function=prune)
