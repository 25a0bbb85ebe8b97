import keras
import numpy as np
import pytest

import tf_rigl
from tests.experiments.runs.support import tiny
from tf_rigl.data.datasets import DataInfo
from tf_rigl.experiments import methods
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.plan import make_plan

GRADUAL = ("pruning", "pruning_global", "random_pruning")
# 32,000 steps, in which the RigL paper's ResNet-50 is pruned from 10,000 to
# 25,000 every 1,000.
RESNET_50 = {
    "steps_per_epoch": 320,
    "epochs": 100,
    "update_interval": 1000,
    "start_fraction": 0.3125,
    "stop_fraction": 0.78125,
}
INFO = DataInfo(1_281_167, 50_000, 1000, (224, 224, 3))


def prepared(**changes):
    settings = tiny(**{**RESNET_50, **changes})
    return settings, make_plan(settings, INFO)


TASK = tasks.Task(tasks.IMAGES, 10, (28, 28, 1))


def test_builders_get_the_settings_that_are_set():
    changes = {"dropout": 0.25, "kernel_initializer": "he_normal"}
    model = networks.build_dense(tiny(**changes), keras, TASK)
    assert model.get_layer("drop1").rate == 0.25
    initializer = model.get_layer("logits").kernel_initializer
    assert type(initializer).__name__ == "HeNormal"
    names = [
        one.name for one in networks.build_dense(tiny(), keras, TASK).layers
    ]
    assert names == ["images", "flatten", "fc1", "fc2", "logits"]


@pytest.mark.parametrize("method", ["edge_popup", "dense"])
def test_values_that_are_reproducible(method):
    """Networks that do not know them have them, too."""
    settings = tiny(
        method=method, model="lenet_5", kernel_initializer="signed_kaiming"
    )
    model = networks.build(settings, keras, TASK)
    kernel = np.array(model.get_layer("conv2").kernel)
    fan_in = np.prod(kernel.shape[:-1])
    np.testing.assert_allclose(np.abs(kernel), np.sqrt(2 / fan_in), rtol=1e-6)
    assert 0.4 < np.mean(kernel > 0) < 0.6


@pytest.mark.parametrize("model", ["lenet_5", "os.path:join"])
def test_networks_without_an_argument(model):
    with pytest.raises(
        ValueError,
        match=f"`dropout` must be left out.*=0.5 for model='{model}'.*wrn_22_2",
    ):
        networks.build_dense(tiny(model=model, dropout=0.5), keras, TASK)


@pytest.mark.parametrize("method", GRADUAL)
def test_pruning_begins_and_ends_in_time(method):
    schedule = networks.make_algorithm(*prepared(method=method)).schedule
    times = [
        schedule.time_of_update(update)
        for update in range(schedule.num_updates)
    ]
    assert times == list(range(10_000, 25_001, 1000))


@pytest.mark.parametrize("method", sorted({*methods.METHODS} - {*GRADUAL}))
def test_others_begin_with_the_first_step(method):
    late, early = (
        networks.make_algorithm(*prepared(method=method, start_fraction=start))
        for start in (0.3125, 0.0)
    )
    assert late == early


def test_the_ablation_threshold_is_srigls():
    assert networks.make_algorithm(
        *prepared(method="srigl", ablation_threshold=0.5)
    ).ablation_threshold == pytest.approx(0.5)
    assert networks.make_algorithm(
        *prepared(method="rigl", ablation_threshold=0.5)
    ) == networks.make_algorithm(*prepared(method="rigl"))


def test_slimming_prunes_channels_at_the_stop():
    found = networks.make_algorithm(
        *prepared(method="slimming", slimming_strength=1e-5)
    )
    assert found.strength == 1e-5
    assert found.step == 25_000
    arguments = {"method": "slimming", "sparsity": 0.5, "model": "resnet_8"}
    task = tasks.Task(tasks.IMAGES, 10, (32, 32, 3))
    model = networks.build(tiny(**arguments, width=0.125), keras, task)
    assert {path.split("/")[-1] for path in tf_rigl.masks(model)} == {"gamma"}


@pytest.mark.parametrize(
    ("start", "dense_steps", "updates"), [(0.3125, 10_000, 15), (0.0, 0, 25)]
)
def test_training_flops_are_those_of_the_schedule(start, dense_steps, updates):
    settings, plan = prepared(method="pruning", start_fraction=start)
    found = networks.training_flops(settings, plan, 0.0, 1.0) / 3
    # What the cubic schedule leaves, for 1,000 steps each; the step of an
    # update still computes with what was there before.
    left = sum((update / updates) ** 3 for update in range(1, updates + 1))
    expected = (dense_steps + 1000 * left + 1) / 32_000
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("inference", "published"), [(0.2241, 0.56), (0.1272, 0.51)]
)
def test_training_flops_are_the_published(inference, published):
    # Of ResNet-50 at 80 and 90 %, uniform: the table of the paper's Figure 2,
    # for which a 33rd thousand of steps is counted.
    settings, plan = prepared(method="pruning")
    found = networks.training_flops(settings, plan, inference, 1.0) / 3
    assert found == pytest.approx(published, abs=0.015)


@pytest.mark.parametrize("method", ["dense", "rigl"])
def test_factors_come_before_masks(method):
    settings = tiny(
        method=method,
        rank_scale=0.1,
        frobenius_decay=0.5,
        dense_layers=("logits",),
        kernel_initializer="signed_kaiming",
    )
    model = networks.build(settings, keras, TASK)
    rows = tf_rigl.ranks(model).rows
    assert [(row.path, row.rank) for row in rows] == [
        ("fc1/kernel", 3),
        ("fc2/kernel", 1),
    ]
    # They are those of the values that the settings ask for.
    if method == "dense":
        rank = np.linalg.matrix_rank(np.array(model.get_layer("fc1").kernel))
        assert rank == 3
    masked = {path.rpartition("/")[2] for path in tf_rigl.masks(model)}
    factors = {"kernel_v", "kernel_u"} if method == "rigl" else set()
    # The mask of `logits` is full.
    assert masked - {"kernel"} == factors

    settings, plan = prepared(method=method, rank_scale=0.1, frobenius_decay=1)
    algorithm = networks.make_algorithm(settings, plan)
    assert type(algorithm).__name__ == (
        "RigL" if method == "rigl" else "Static"
    )
