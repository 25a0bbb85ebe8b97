import dataclasses
import math

import pytest

from tf_rigl.training import configuration as configurations
from tf_rigl.training import methods
from tf_rigl.training.configuration import Configuration

WRONG = [
    ("steps_per_execution", 0),
    ("method", "rigle"),
    ("sparsity", 1.0),
    ("sparsity", -0.1),
    ("sparsity", math.nan),
    ("distribution", "ERK"),
    ("keras", "keras"),
    ("data", "cifar10"),
    ("epochs", 0),
    ("batch_size", 0),
    ("learning_rate", 0.0),
    ("momentum", 1.0),
    ("seed", -1),
    ("update_interval", 0),
    ("drop_fraction", 0.0),
    ("drop_fraction", 1.1),
    ("stop_fraction", 0.0),
    ("stop_fraction", 1.5),
    ("strategy", "two_devices"),
    ("devices", -1),
]


def test_defaults_are_legal():
    assert Configuration().methods == ("rigl",)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_names_rule_and_value(name, value):
    with pytest.raises(ValueError) as caught:
        Configuration(**{name: value})
    text = str(caught.value)
    assert text.startswith(f"`{name}` must be ")
    assert f"Received: {name}={value!r}" in text


def test_every_rule_has_a_wrong_value():
    assert {name for name, _ in WRONG} == set(configurations.RULES)


def test_rules_are_about_fields():
    fields = {field.name for field in dataclasses.fields(Configuration)}
    assert set(configurations.RULES) <= fields


def test_comparison_trains_dense_first():
    settings = Configuration(method="static", compare_dense=True)
    assert settings.methods == ("dense", "static")


def test_dense_cannot_be_compared_with_itself():
    with pytest.raises(ValueError, match="`compare_dense` needs a sparse"):
        Configuration(method="dense", compare_dense=True)


@pytest.mark.parametrize("method", methods.METHODS)
def test_each_method_of_the_table_is_legal(method):
    assert Configuration(method=method).method == method


def test_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Configuration().epochs = 3
