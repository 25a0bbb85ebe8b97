"""The network of a run, masked for its method, and its costs."""

import contextlib
import inspect
from collections.abc import Iterator
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import tf_rigl
from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.backend.flavor import class_flavor
from tf_rigl.core.distribution_types import with_options
from tf_rigl.experiments import methods
from tf_rigl.experiments import user_code
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.choices import REPRODUCIBLE
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.tasks import Task
from tf_rigl.factors import layouts
from tf_rigl.models import registry

# Arguments of builders that some networks have, and settings of these names.
_OPTIONAL = ("dropout", "kernel_initializer")


def build(settings: RunSettings, keras: ModuleType, task: Task) -> Any:
    """Builds the network, masked if the method is sparse.

    All methods start with the same initial weights, except for small-dense,
    whose narrower network is initialized with the same seed.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: if the settings do not suit the network.
    """
    chosen = methods.METHODS[settings.method]
    with _precision(keras, settings.precision):
        if chosen.small:
            budget = _sparse_profile(settings, keras, task).nonzeros
            model = accounting.match_width(
                lambda width: build_dense(settings, keras, task, width),
                parameters=budget,
            ).model
        else:
            model = build_dense(settings, keras, task)
        if chosen.is_sparse:
            model = sparsify(settings, model, **chosen.sparsify)

    how = settings.kernel_initializer
    if how in REPRODUCIBLE and not settings.rank_scale:
        tf_rigl.reinitialize(model, how, seed=settings.seed)
    return model


def build_dense(
    settings: RunSettings, keras: ModuleType, task: Task, width: float = 1.0
) -> Any:
    """Builds the network without masks."""
    if settings.keras == "keras2":
        # Makes dropout use generators that a checkpoint can save.
        keras.backend.experimental.enable_tf_random_generator()
    keras.utils.set_random_seed(settings.seed)
    # Layers without names get the same whatever this process has built before.
    class_flavor(keras.Model).reset_names()
    model = make_network(
        settings.model,
        keras,
        width=settings.width * width,
        **tasks.network_arguments(task),
        **_chosen_arguments(settings),
    )
    return factorize(settings, model) if settings.rank_scale else model


def factorize(settings: RunSettings, model: Any) -> Any:
    """Factorizes a model by the settings, after its values are drawn."""
    check_dense_layers(model, settings.dense_layers)
    if settings.kernel_initializer in REPRODUCIBLE:
        how = settings.kernel_initializer
        tf_rigl.reinitialize(model, how, seed=settings.seed)
    return tf_rigl.factorize(
        model,
        rank_scale=settings.rank_scale,
        frobenius_decay=settings.frobenius_decay,
        layers=lambda layer: (
            layer.name not in settings.dense_layers
            and layouts.unsupported(layer) is None
        ),
        seed=settings.seed,
    )


def make_network(name: str, keras: ModuleType, **arguments: Any) -> Any:
    """Calls the builder of a network, one of ours or a user's function."""
    if user_code.is_reference(name):
        return user_code.build_network(name, keras, **arguments)
    return registry.builder(name)(keras, **arguments)


def final_profile(
    settings: RunSettings, keras: ModuleType, task: Task
) -> ModelProfile:
    """Profiles the network at its final sparsity.

    This also holds for methods that begin with a dense network. If they prune
    by a global threshold, their layers may get other sparsities than here.
    """
    if settings.is_sparse:
        return _sparse_profile(settings, keras, task)
    return tf_rigl.profile(build(settings, keras, task))


def make_algorithm(settings: RunSettings, plan: RunPlan) -> Any:
    """Makes the algorithm of a run; None for dense training.

    A decay of factors needs an update rule, which leaves the rest as it is.
    """
    make = methods.METHODS[settings.method].algorithm
    if make is None:
        return tf_rigl.Static() if settings.frobenius_decay else None
    return make(
        methods.UpdatePlan(
            start_step=plan.start_step,
            stop_step=plan.stop_step,
            update_interval=settings.update_interval,
            drop_fraction=settings.drop_fraction,
            seed=settings.seed,
            ablation_threshold=settings.ablation_threshold,
            strength=settings.slimming_strength,
            total_steps=plan.total,
        )
    )


def training_flops(
    settings: RunSettings, plan: RunPlan, flops: float, dense_flops: float
) -> float:
    """Returns the mean training FLOPs per example by the formulas of RigL.

    `flops` and `dense_flops` are the inference FLOPs of one example.
    """
    algorithm = make_algorithm(settings, plan)
    pruned_fraction = 1.0
    if hasattr(algorithm, "pruned_fraction"):
        pruned_fraction = algorithm.pruned_fraction(plan.total)
    return accounting.training_flops(
        settings.method,
        flops,
        dense_flops,
        update_interval=settings.update_interval,
        pruned_fraction=pruned_fraction,
    )


def _chosen_arguments(settings: RunSettings) -> dict[str, Any]:
    """Returns the arguments of the network's builder that settings change."""
    chosen = {
        name: getattr(settings, name)
        for name in _OPTIONAL
        if getattr(settings, name) not in (None, *REPRODUCIBLE)
    }
    for name, value in chosen.items():
        if not _takes(settings.model, name):
            able = [one for one in registry.BUILDERS if _takes(one, name)]
            raise ValueError(
                f"`{name}` must be left out for a network that has no such "
                f"argument. Received: {name}={value!r} for model="
                f"{settings.model!r}. These have it: {', '.join(able)}."
            )
    return chosen


def _takes(name: str, argument: str) -> bool:
    if user_code.is_reference(name):
        return user_code.network_takes(name, argument)
    return argument in inspect.signature(registry.builder(name)).parameters


@contextlib.contextmanager
def _precision(keras: ModuleType, name: str) -> Iterator[None]:
    """Sets the precision of the layers that are built within the context."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _sparse_profile(
    settings: RunSettings, keras: ModuleType, task: Task
) -> ModelProfile:
    chosen = methods.METHODS[settings.method]
    arguments = {**chosen.sparsify, "start": "random"}
    model = build_dense(settings, keras, task)
    return tf_rigl.profile(sparsify(settings, model, **arguments))


def sparsify(settings: RunSettings, model: Any, **arguments: Any) -> Any:
    """Masks a model by the settings and a method's `arguments`."""
    check_dense_layers(model, settings.dense_layers)
    return tf_rigl.sparsify(
        model,
        settings.sparsity,
        with_options(settings.distribution, settings.budget),
        dense=list(settings.dense_layers),
        seed=settings.seed,
        **{"storage": settings.storage, **arguments},
    )


def check_dense_layers(model: Any, names: Sequence[str]) -> None:
    """Raises a ValueError unless all names are of layers of the model."""
    known = [layer.name for layer in model.layers]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(
            "`dense_layers` must name layers of the model. Received: "
            f"{', '.join(unknown)}. It has {', '.join(known)}."
        )
