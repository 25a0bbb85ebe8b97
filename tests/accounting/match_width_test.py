import pytest

import tf_rigl
from tf_rigl.models import mlp


def lenet(keras):
    return lambda width: mlp.lenet_300_100(keras, width=width)


@pytest.mark.parametrize("measure", ["parameters", "flops"])
def test_widest_network_within_the_budget(keras, measure):
    sparse = tf_rigl.sparsify(mlp.lenet_300_100(keras), 0.95)
    profile = tf_rigl.profile(sparse)
    cost = {"parameters": "nonzeros", "flops": "flops"}[measure]
    budget = getattr(profile, cost)
    match = tf_rigl.match_width(lenet(keras), **{measure: budget})
    assert getattr(match.profile, cost) <= budget
    wider = lenet(keras)(match.width + 1 / 1024)
    # Rounding of 300 and 100 units leaves steps of several widths.
    for extra in range(2, 12):
        if getattr(tf_rigl.profile(wider), cost) > budget:
            break
        wider = lenet(keras)(match.width + extra / 1024)
        assert wider.count_params() == match.model.count_params()
    assert match.model.count_params() == match.profile.nonzeros


def test_a_budget_of_everything_is_the_network_itself(keras):
    model = mlp.lenet_300_100(keras)
    match = tf_rigl.match_width(lenet(keras), parameters=model.count_params())
    assert match.width == 1


@pytest.mark.parametrize("budgets", [{}, {"parameters": 1, "flops": 1}])
def test_exactly_one_budget(budgets):
    with pytest.raises(ValueError, match="Exactly one of `parameters` and"):
        tf_rigl.match_width(lambda width: None, **budgets)


def test_budget_too_small(keras):
    with pytest.raises(ValueError, match=r"parameters=10, .*Raise the budget"):
        tf_rigl.match_width(lenet(keras), parameters=10)
