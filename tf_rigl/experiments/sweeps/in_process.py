"""Sweeps from Python: a user's own function that builds, and her own data."""

import hashlib
import inspect
import os
import pathlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

import tf_rigl
from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.core import checks
from tf_rigl.experiments import fields
from tf_rigl.experiments import methods as known_methods
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import grid
from tf_rigl.experiments.sweeps import own_data
from tf_rigl.experiments.sweeps import own_runs
from tf_rigl.experiments.sweeps.own_models import OwnMethod
from tf_rigl.experiments.sweeps.own_models import OwnModels
from tf_rigl.experiments.sweeps.own_runs import OwnRun
from tf_rigl.experiments.sweeps.own_sweep import OwnSweep
from tf_rigl.experiments.sweeps.sweep_result import SweepResult

# Arguments that `sparsify` gets from the sweep itself.

_GIVEN = {"model", "sparsity", "seed"}
_UPDATES = 20  # the fewest of a training, by default, if it is long enough
_LONGEST = 100  # characters in the name of a folder


@own_runs.generators_restored()
def sweep(
    build: Callable[..., Any],
    data: Any,
    methods: Sequence[str | Algorithm] = ("dense", "static", "rigl"),
    sparsities: Sequence[float] = (0.8, 0.9),
    seeds: Iterable[int] = range(3),
    *,
    epochs: int = 10,
    batch_size: int = 128,
    steps_per_epoch: int | None = None,
    update_interval: int | None = None,
    drop_fraction: float = 0.3,
    stop_fraction: float = 0.75,
    sparsify_arguments: Mapping[str, Any] | None = None,
    measure: str | None = None,
    folder: str | os.PathLike[str] = "runs/sweep",
    save_models: bool = False,
    verbose: bool = True,
) -> SweepResult:
    """Trains your own model by several methods, sparsities and seeds.

    It is `tf-rigl sweep` for Python and notebooks: the same table, plots and
    records, in this process. For each run, the model is built, made sparse and
    trained by `fit` with `UpdateMasks`, then evaluated. Table and plots in
    `folder` are up to date after each run.

    Call it again after an interruption: runs that are finished are not
    repeated, and the one that was interrupted goes on from its last epoch.
    With more methods, sparsities or seeds, only the missing runs are trained.

    Before each run, Python, NumPy and TensorFlow are seeded by
    `keras.utils.set_random_seed`. The states of Python's and NumPy's
    generators are restored at the end; TensorFlow's seed stays set.

    Args:
        build: a function that returns a new compiled model of Keras 3 or
            tf_keras, not sparse. The method "small_dense" needs one that takes
            `width`, a multiplier of the widths of its layers.
        data: the data to train and to validate on: `((inputs, targets),
            (inputs, targets))`, arrays whose batches are shuffled by the seed
            of the run; two `tf.data.Dataset`s of batches; or a function that
            returns either, which gets `seed` if it takes it. Pass a data set
            that shuffles as a function, so that each run begins with the same
            batches and resumes with those that it would have had.
        methods: names of the command line, such as "dense", "set" or
            "pruning", or algorithm objects, such as `tf_rigl.RigL(
            drop_fraction=0.1)`, whose seed becomes that of the run.
        sparsities: fractions of zeros in the masked weights, in [0, 1).
        seeds: seeds of initial weights, masks and batches, in [0, 2**31).
        epochs: the epochs of each run.
        batch_size: the examples in a batch of arrays.
        steps_per_epoch: optimizer steps of an epoch, required for data sets of
            unknown length; by default a pass over the training data.
        update_interval: optimizer steps from one mask update to the next, by
            default 100, or fewer for 20 updates in a short training; this and
            the next two are for methods given by name.
        drop_fraction: the fraction of connections that the first update
            drops, in (0, 1].
        stop_fraction: the fraction of the steps after which masks stay fixed,
            in (0, 1].
        sparsify_arguments: further arguments of `tf_rigl.sparsify` for all
            methods, such as `{"distribution": "uniform", "dense": ["out"]}`.
            What a method requires, such as a dense start, goes first.
        measure: the measure of the table and the plots, one of those that
            `evaluate` returns; by default the first accuracy or, without one,
            the loss. The highest is best for names that end in "accuracy",
            "acc" or "auc", the lowest for all others.
        folder: the folder of the table, the plots and the runs.
        save_models: whether each run also saves its model, masks included, to
            `model.keras` in its folder.
        verbose: whether to show the progress.

    Returns:
        The rows of the table and the records of the runs; `print` shows the
        table.

    Raises:
        TypeError: if `build`, `data` or a method has another type.
        ValueError: if an argument is out of range; `build` returns no model or
            one that is not compiled; a method does not suit the model; or the
            folder is in use or has a sweep with other arguments.
        ImportError: if matplotlib, which draws the plots, is not installed.

    Example:
        >>> result = tf_rigl.sweep(
        ...     build, data, ["dense", "rigl"], [0.9], folder="runs/mine"
        ... )
        >>> print(result)
    """
    optional_packages.check_matplotlib()
    seeds, sparsities = list(seeds), [float(one) for one in sparsities]
    own_methods = _as_methods(methods)
    _check_lists(sparsities, seeds, any(map(grid.has_sparsity, own_methods)))
    _check_numbers(epochs, batch_size, steps_per_epoch, stop_fraction)
    arguments = sparsify_arguments or {}
    _check_sparsify(arguments)

    def load(seed: int) -> own_data.OwnData:
        return own_data.load(data, seed, batch_size, steps_per_epoch)

    first = load(seeds[0])
    (batch,) = first.train(0).take(1)
    models = OwnModels(build, batch, arguments)
    for method in own_methods.values():
        models.check(method)

    runs = [
        OwnRun(_folder_name(name), own_methods[method], sparsity, seed)
        for name, method, sparsity, seed in grid.combinations(
            list(own_methods), sparsities, seeds
        )
    ]
    plan = _make_plan(first.steps_per_epoch, epochs, stop_fraction)
    if update_interval is None:
        update_interval = min(100, max(1, plan.stop_step // _UPDATES))
    training = own_runs.Training(
        models,
        load,
        plan,
        update_interval,
        drop_fraction,
        save_models,
    )
    # The arguments that a sweep must keep when it is called again.
    kept = {
        **models.description,
        **first.description,
        "epochs": epochs,
        "batch_size": first.batch_size,
        "update_interval": update_interval,
        "drop_fraction": drop_fraction,
        "stop_fraction": stop_fraction,
        "sparsify_arguments": known_methods.text_of(arguments),
    }
    command = (
        f"tf_rigl.sweep({getattr(build, '__name__', 'build')}, data, "
        f"[{', '.join(map(_expression, own_methods.values()))}], "
        f"{list(sparsities)}, {seeds}, epochs={epochs})"
    )
    return OwnSweep(
        training, runs, pathlib.Path(folder), measure, command, verbose
    ).run(kept)


def _expression(method: OwnMethod) -> str:
    """Returns the Python expression of a method, as the user may write it."""
    if method.algorithm is None:
        return repr(method.name)
    arguments = method.name.partition("(")[2]
    return f"{type(method.algorithm).__name__}({arguments}"


def _folder_name(name: str) -> str:
    """Returns the name of a run's folder, which a file system allows."""
    name = name.replace(os.sep, "_")
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[:_LONGEST]}_{digest}"


def _check_lists(
    sparsities: list[float], seeds: list[int], has_sparse: bool
) -> None:
    rules = fields.rules(RunSettings)
    if has_sparse or sparsities:
        grid.check_list("sparsities", sparsities, rules["sparsity"])
    rule = fields.FieldRule(
        lambda seed: (
            isinstance(seed, int | np.integer) and rules["seed"].holds(seed)
        ),
        f"an integer {rules['seed'].text}",
    )
    grid.check_list("seeds", seeds, rule)


def _check_numbers(
    epochs: int,
    batch_size: int,
    steps_per_epoch: int | None,
    stop_fraction: float,
) -> None:
    checks.check_at_least("epochs", epochs, 1)
    checks.check_at_least("batch_size", batch_size, 1)
    if steps_per_epoch is not None:
        checks.check_at_least("steps_per_epoch", steps_per_epoch, 1)
    checks.check_fraction("stop_fraction", stop_fraction, "a fraction")


def _as_methods(methods: Sequence[str | Algorithm]) -> dict[str, OwnMethod]:
    """Checks methods; returns them by name."""
    if isinstance(methods, str | Algorithm):
        raise TypeError(
            "`methods` must be a list of names and algorithm objects. "
            f"Received: methods={methods!r}. Put it into a list."
        )
    named = [
        OwnMethod(known_methods.name_of(one), one)
        if isinstance(one, Algorithm)
        else OwnMethod(one)
        for one in methods
    ]
    known = fields.one_of(known_methods.METHODS)
    objects = {one.name for one in named if one.algorithm is not None}
    rule = fields.FieldRule(
        lambda name: known.holds(name) or name in objects,
        f"{known.text}, or an algorithm object",
    )
    grid.check_list("methods", [one.name for one in named], rule)
    return {one.name: one for one in named}


def _check_sparsify(arguments: Mapping[str, Any]) -> None:
    allowed = set(inspect.signature(tf_rigl.sparsify).parameters) - _GIVEN
    unknown = sorted(set(arguments) - allowed)
    if unknown:
        raise ValueError(
            "`sparsify_arguments` must be arguments of `tf_rigl.sparsify`, of "
            f"{', '.join(sorted(allowed))}. Received: {', '.join(unknown)}."
        )


def _make_plan(per_epoch: int, epochs: int, stop_fraction: float) -> RunPlan:
    return RunPlan(
        per_epoch=per_epoch,
        epochs=epochs,
        start_step=0,
        # At least 1, so that even a very short run updates its masks.
        stop_step=max(1, round(stop_fraction * per_epoch * epochs)),
        warmup_steps=0,
        decay_steps=(),
        per_pass=per_epoch,
    )
