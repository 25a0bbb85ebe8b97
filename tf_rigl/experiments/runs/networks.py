"""The network of a run, masked as its method demands, and what it costs."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import tf_rigl
from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.core.distribution_types import with_options
from tf_rigl.experiments import methods
from tf_rigl.experiments.profiling import check_dense_layers
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.plan import Plan
from tf_rigl.experiments.runs.precision import precision_of_layers
from tf_rigl.experiments.runs.settings import Settings
from tf_rigl.experiments.runs.tasks import Task
from tf_rigl.models import registry


def build(settings: Settings, keras: ModuleType, task: Task) -> Any:
    """Builds the network, masked if the method is sparse.

    Every method starts from the same initial weights; small-dense, which is
    narrower, from the same seed.

    Args:
        settings: The run.
        keras: The Keras to build with.
        task: What the network is to be trained for.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: If the settings don't fit the network.
    """
    chosen = methods.METHODS[settings.method]
    with precision_of_layers(keras, settings.precision):
        if chosen.small:
            budget = _sparse_profile(settings, keras, task).nonzeros
            return accounting.match_width(
                lambda width: build_dense(settings, keras, task, width),
                parameters=budget,
            ).model
        model = build_dense(settings, keras, task)
        if not chosen.is_sparse:
            return model
        return _sparsify(settings, model, chosen.sparsify)


def build_dense(
    settings: Settings, keras: ModuleType, task: Task, width: float = 1.0
) -> Any:
    """Builds the network without masks.

    Args:
        settings: The run.
        keras: The Keras to build with.
        task: What the network is to be trained for.
        width: What to multiply the widths by, next to that of the settings.
    """
    if settings.keras == "keras2":
        # Else dropout draws from generators that no checkpoint holds.
        keras.backend.experimental.enable_tf_random_generator()
    keras.utils.set_random_seed(settings.seed)
    return registry.builder(settings.model)(
        keras,
        width=settings.width * width,
        **tasks.network_arguments(task),
    )


def final_profile(
    settings: Settings, keras: ModuleType, task: Task
) -> ModelProfile:
    """What the network costs once it is as sparse as it will be.

    Methods that prune begin with a dense network; a global threshold may
    share the connections out in another way than is reckoned here.
    """
    if settings.is_sparse:
        return _sparse_profile(settings, keras, task)
    return tf_rigl.profile(build(settings, keras, task))


def make_algorithm(settings: Settings, plan: Plan) -> Any:
    """The method, None where it trains densely."""
    make = methods.METHODS[settings.method].algorithm
    if make is None:
        return None
    return make(
        methods.UpdatePlan(
            start_step=plan.start_step,
            stop_step=plan.stop_step,
            update_interval=settings.update_interval,
            drop_fraction=settings.drop_fraction,
            seed=settings.seed,
            ablation_threshold=settings.ablation_threshold,
        )
    )


def training_flops(
    settings: Settings, plan: Plan, flops: float, dense_flops: float
) -> float:
    """FLOPs that training on one example takes, by the RigL paper's formula.

    Args:
        settings: The run.
        plan: Its length.
        flops: Of one example in inference, at the end of the run.
        dense_flops: The same with all weights.
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


def _sparse_profile(
    settings: Settings, keras: ModuleType, task: Task
) -> ModelProfile:
    chosen = methods.METHODS[settings.method]
    arguments = {**chosen.sparsify, "start": "random"}
    model = build_dense(settings, keras, task)
    return tf_rigl.profile(_sparsify(settings, model, arguments))


def _sparsify(
    settings: Settings, model: Any, arguments: Mapping[str, Any]
) -> Any:
    check_dense_layers(model, settings.dense_layers)
    return tf_rigl.sparsify(
        model,
        settings.sparsity,
        with_options(settings.distribution, settings.budget),
        dense=list(settings.dense_layers),
        seed=settings.seed,
        **arguments,
    )
