import importlib
import json

import pytest
from matplotlib import image

from tf_rigl.experiments import profiling
from tf_rigl.experiments import weight_pictures
from tf_rigl.experiments.runs.settings import RunSettings


def costs(package="keras", **settings):
    keras = importlib.import_module(package)
    return profiling.profile_network(keras, RunSettings(**settings))


def test_dense_is_dense():
    dense = costs(model="lenet_5", sparsity=0.0)
    assert dense.profile.sparsity == 0
    assert dense.published.flops == dense.published.dense_flops
    assert dense.training_share == pytest.approx(1)


def test_both_flavors_cost_the_same():
    settings = {"model": "wrn_22_2", "sparsity": 0.9}
    first, second = costs(**settings), costs("tf_keras", **settings)
    assert first.published == second.published
    assert 0 < first.training_share < 0.3


@pytest.mark.parametrize(
    ("settings", "mflops"),
    [
        ({"sparsity": 0.0}, 1141.544),
        ({"sparsity": 0.9}, 334.134),
        (
            {
                "sparsity": 0.9,
                "distribution": "uniform",
                "dense_layers": ("conv",),
            },
            168.614,
        ),
    ],
    ids=["dense", "erk", "uniform"],
)
def test_published_mobilenet(settings, mflops):
    found = costs(model="mobilenet_v1", budget="reference", **settings)
    assert found.published.flops / 1e6 == pytest.approx(mflops, rel=2e-4)
    assert found.published.dense_flops / 1e6 == pytest.approx(
        1141.544, abs=5e-4
    )


def test_layers_that_stay_dense():
    settings = {"distribution": "uniform", "dense_layers": ("conv1",)}
    found = costs(model="lenet_5", sparsity=0.5, **settings)
    by_path = {row.path: row for row in found.profile.rows}
    assert by_path["conv1/kernel"].sparsity == 0
    with pytest.raises(ValueError, match=r"Received: nothing\. It has"):
        costs(model="lenet_5", sparsity=0.5, dense_layers=("nothing",))


def test_costs_that_a_schedule_decides():
    with pytest.raises(ValueError, match="Received: method='pruning'"):
        costs(model="lenet_5", method="pruning")


def test_picture(tmp_path):
    path = tmp_path / "picture.png"
    found = costs(model="lenet_5", sparsity=0.5)
    weight_pictures.draw_profile(path, found.profile)
    assert image.imread(path).std() > 0.01


def test_plain_values_hold_all_numbers():
    made = costs(model="lenet_5", sparsity=0.9)
    found = json.loads(json.dumps(made.to_dict()))
    total, weights = found["total"], found["weights"]
    assert total["masked_sparsity"] == pytest.approx(0.9, abs=1e-4)
    assert total["sparsity"] < total["masked_sparsity"]
    for name in ("parameters", "nonzeros", "dense_macs", "dense_bytes"):
        assert total[name] == sum(weight[name] for weight in weights)
    assert {len(weight["shape"]) for weight in weights} == {1, 2, 4}
