"""Training of one run of a sweep from Python."""

import contextlib
import random
from collections.abc import Callable
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from typing import NamedTuple

import numpy as np

import tf_rigl
from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.registry import UpdatePlan
from tf_rigl.backend import atomic_files
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.experiments.runs import callbacks
from tf_rigl.experiments.runs import fitting
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.sweeps import own_models
from tf_rigl.experiments.sweeps.own_data import OwnData


class OwnRun(NamedTuple):
    """One run of a sweep from Python."""

    name: str  # the name of its folder, as in "rigl_0.95_s2"
    method: own_models.OwnMethod
    sparsity: float
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """What records tell runs apart by."""
        return {
            "method": self.method.name,
            "sparsity": self.sparsity,
            "seed": self.seed,
        }


class Training(NamedTuple):
    """What the runs of a sweep share."""

    models: own_models.OwnModels
    load: Callable[[int], OwnData]  # by the seed
    plan: RunPlan
    update_interval: int
    drop_fraction: float
    save_models: bool

    def prepare(self, run: OwnRun) -> tuple[Any, Algorithm | None]:
        """Builds the model of a run and makes its algorithm, None if dense.

        Raises:
            ValueError: if the sparsity or the method does not suit the model.
        """
        model = self.models.make(run.method, run.sparsity, run.seed)
        if not tf_rigl.masks(model):
            return model, None
        plan = UpdatePlan(
            stop_step=self.plan.stop_step,
            update_interval=self.update_interval,
            drop_fraction=self.drop_fraction,
            seed=run.seed,
            total_steps=self.plan.total,
        )
        algorithm = run.method.make_algorithm(model, plan)
        # Calls of `fit` that train a part of the run could not tell its length.
        return model, algorithm.resolve(self.plan.total)


def train(
    run: OwnRun,
    training: Training,
    folder: run_folder.RunFolder,
    on_step: Callable[[int], None],
) -> dict[str, Any]:
    """Trains the rest of a run, evaluates it and writes its results.

    If the process is killed at any time and a new one continues, the final
    weights are the same, bit for bit, where the batches are.

    Args:
        run: the run.
        training: what it shares with the others.
        folder: its folder.
        on_step: called after each step with the number of all so far.

    Returns:
        The record of the run, as in `results.json`.
    """
    model, algorithm = training.prepare(run)
    data, plan = training.load(run.seed), training.plan
    done = folder.trained_steps

    acting = _callbacks(algorithm, folder, plan, done, on_step)
    for stretch in fitting.stretches(plan, done):
        batches = data.train(stretch.first_step)
        if not done:
            fitting.prune_before(
                model,
                run.method.name,
                batches.map(lambda inputs, targets, *rest: (inputs, targets)),
                data.batch_size,
                _outputs(model),
            )
        fitting.fit(
            model,
            stretch,
            batches,
            validation_data=data.validation,
            callbacks=acting,
        )

    fitting.finish(model)
    scores = model.evaluate(data.validation, verbose=0, return_dict=True)
    measures = {name: float(value) for name, value in scores.items()}
    if training.save_models:
        with atomic_files.draft(folder.model) as aside:
            model.save(aside)
    record = _make_record(run, training, data, model, algorithm, measures)
    record["seconds"] = round(
        sum(one["seconds"] for one in run_folder.read_lines(folder.metrics)), 3
    )
    atomic_files.write_json(folder.results, record)
    return record


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Restores the states of Python's and NumPy's generators at the end.

    Keras 3 draws the seeds of initializers from Python's, so that a model that
    is only built changes it, too.
    """
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextlib.contextmanager
def random_numbers(keras: ModuleType) -> Iterator[None]:
    """Makes dropout of Keras 2 use generators that a checkpoint can save."""
    experimental: Any = getattr(keras.backend, "experimental", None)
    switches = hasattr(experimental, "enable_tf_random_generator") and not (
        experimental.is_tf_random_generator_enabled()
    )
    if switches:
        experimental.enable_tf_random_generator()
    try:
        yield
    finally:
        if switches:
            experimental.disable_tf_random_generator()


class _Steps(ModelCallback):
    """Tells after each step how many there were."""

    def __init__(self, done: int, on_step: Callable[[int], None]) -> None:
        super().__init__()
        self._steps = done
        self._on_step = on_step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts a step."""
        # Reading the logs would wait for the device.
        del batch, logs
        self._steps += 1
        self._on_step(self._steps)


def _callbacks(
    algorithm: Algorithm | None,
    folder: run_folder.RunFolder,
    plan: RunPlan,
    done: int,
    on_step: Callable[[int], None],
) -> list[Any]:
    """Lists the callbacks of a run, in the order of those of a program's."""
    masks: list[Any] = []
    if algorithm is not None:
        masks = [
            tf_rigl.UpdateMasks(algorithm),
            tf_rigl.MaskDiagnostics(json_lines_path=folder.masks),
        ]
    return [
        *masks,
        callbacks.MetricsFile(folder.metrics),
        _Steps(done, on_step),
        tf_rigl.Checkpoints(folder.checkpoints, total_steps=plan.total),
    ]


def _outputs(model: Any) -> int:
    """Returns the size of a model's output, which is that of its classes."""
    shape: Any = getattr(model, "output_shape", None)
    is_one = isinstance(shape, tuple) and isinstance(shape[-1], int)
    return shape[-1] if is_one else 1


def _make_record(
    run: OwnRun,
    training: Training,
    data: OwnData,
    model: Any,
    algorithm: Algorithm | None,
    measures: dict[str, float],
) -> dict[str, Any]:
    plan, models = training.plan, training.models
    profile = models.profile(model)
    examples = plan.total * data.batch_size
    return {
        "name": run.name,
        "settings": {
            **run.settings,
            "model": models.name,
            "keras": models.keras.__name__,
            "epochs": plan.epochs,
            "batch_size": data.batch_size,
        },
        "measures": measures,
        "steps": plan.total,
        "epochs": plan.epochs,
        "examples_seen": examples,
        "training_flops": examples
        * _training_flops(run.method, algorithm, profile, plan),
        "profile": results.totals(profile),
        "versions": results.versions(models.keras),
    }


def _training_flops(
    method: own_models.OwnMethod,
    algorithm: Algorithm | None,
    profile: ModelProfile,
    plan: RunPlan,
) -> float:
    pruned_fraction = 1.0
    if algorithm is not None and hasattr(algorithm, "pruned_fraction"):
        pruned_fraction = algorithm.pruned_fraction(plan.total)
    return accounting.training_flops(
        algorithm or method.name,
        profile.flops,
        profile.dense_flops,
        pruned_fraction=pruned_fraction,
    )
