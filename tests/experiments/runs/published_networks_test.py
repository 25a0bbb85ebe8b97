"""The base files of the networks in which tickets were first found."""

import pytest

from tests.experiments.runs import support
from tf_rigl.data.datasets import DataInfo
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import optimization
from tf_rigl.experiments.runs.plan import make_plan
from tf_rigl.experiments.runs.settings import RunSettings

INFO = DataInfo(45_000, 10_000, 10, (32, 32, 3))


@pytest.mark.parametrize(
    ("name", "batch", "steps", "rates"),
    [
        ("conv_2", 60, 20_000, {0: 2e-4, 19_999: 2e-4}),
        ("conv_4", 60, 25_000, {0: 3e-4, 24_999: 3e-4}),
        ("conv_6", 60, 30_000, {0: 3e-4, 29_999: 3e-4}),
        (
            "resnet_20",
            128,
            30_000,
            {0: 1.5e-6, 9_999: 0.015, 19_999: 0.03, 20_000: 3e-3, 25_000: 3e-4},
        ),
        (
            "vgg_19",
            64,
            112_500,
            {0: 1e-5, 9_999: 0.1, 56_239: 0.1, 56_240: 0.01, 84_360: 1e-3},
        ),
    ],
)
def test_trains_as_published(name, batch, steps, rates):
    """Frankle and Carbin, arXiv:1803.03635, figure 2 and section 4."""
    settings = RunSettings(**run_flags.base_settings(f"cifar10_{name}"))
    assert settings.batch_size == batch
    assert settings.validation_examples == 5_000
    assert settings.augment is ("conv" not in name)
    plan = make_plan(settings, INFO)
    assert (plan.total, plan.per_epoch) == (steps, 100)
    schedule = optimization.make_schedule(settings, plan)
    found = {
        step: float(optimization.learning_rate(schedule, step))
        for step in rates
    }
    assert found == pytest.approx(rates, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "keras", "arguments"),
    [
        pytest.param(
            "conv_2", "keras3", ["--width=0.25"], marks=pytest.mark.slow
        ),
        pytest.param("conv_2", "keras2", [], marks=pytest.mark.slow),
        *(
            pytest.param(name, keras, [], marks=pytest.mark.slow)
            for name in ("conv_6", "resnet_20", "vgg_19")
            for keras in ("keras3", "keras2")
        ),
    ],
)
def test_trains(name, keras, arguments, tmp_path):
    support.train_in(
        tmp_path,
        f"--flagfile=configs/base/cifar10_{name}.flags",
        *("--data=synthetic_cifar10", "--batch_size=16"),
        *("--epochs=1", "--steps_per_epoch=2", "--evaluation_steps=1"),
        *("--warmup_epochs=0.5", "--decay_epochs=0.75", "--sparsity=0.5"),
        *(f"--keras={keras}", *arguments, *support.QUIET),
        defaults={},
    )
    results = support.read_results(tmp_path)
    assert results["steps"] == 2
