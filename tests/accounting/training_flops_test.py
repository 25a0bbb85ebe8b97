import pytest

from tf_rigl import algorithms
from tf_rigl.accounting.training_flops import formula
from tf_rigl.accounting.training_flops import method_names
from tf_rigl.accounting.training_flops import training_flops
from tf_rigl.algorithms import registry


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("dense", 300.0),
        ("static", 30.0),
        ("set", 30.0),
        ("snfs", 120.0),
        # (3 · 10 · 100 + 2 · 10 + 100) / 101
        ("rigl", 3120 / 101),
        ("RigL", 3120 / 101),
        ("SNFS", 120.0),
    ],
)
def test_formula(method, expected):
    assert training_flops(method, 10, 100) == expected


@pytest.mark.parametrize("interval", [1, 7, 100])
def test_published_formula_of_rigl(interval):
    """Equals (3 f_S ΔT + 2 f_S + f_D) / (ΔT + 1) to the last bit."""
    sparse, dense = 0.1234567, 9.87654
    expected = (3 * sparse * interval + (2 * sparse + dense)) / (interval + 1)
    assert training_flops("rigl", sparse, dense, interval) == expected
    assert training_flops("srigl", sparse, dense, interval) == expected
    one = algorithms.RigL(100, interval)
    assert training_flops(one, sparse, dense) == expected


def test_several_dense_gradients_in_an_interval():
    """3 of 10 batches pay 2 f_S + f_D, the others 3 f_S."""
    method = algorithms.RigL(90, 9, gradient_steps=3)
    assert training_flops(method, 10, 100) == (7 * 30 + 3 * 120) / 10
    # All of an interval but the batch that follows an update.
    method = algorithms.RigL(90, 9, gradient_steps=9)
    assert training_flops(method, 10, 100) == (30 + 9 * 120) / 10


@pytest.mark.parametrize(
    "method",
    [
        algorithms.RigL(batch_size=8192),
        algorithms.RigL("never", 50, decay="constant"),
    ],
)
def test_the_interval_is_that_of_the_method(method):
    assert training_flops(method, 10, 100) == training_flops(
        "rigl", 10, 100, update_interval=50
    )
    assert training_flops(method, 10, 100, 100) == training_flops(
        "rigl", 10, 100
    )


@pytest.mark.parametrize("row", registry.ROWS, ids=lambda row: row.class_name)
def test_a_method_and_its_name_cost_the_same(row):
    for name, command in row.commands.items():
        method = row.make()
        if name == "slimming":  # by itself it does not prune
            plan = registry.UpdatePlan(1, 70, 0.3)
            method = row.make(**command.arguments(plan))
        by_name = training_flops(name, 10, 100, 70, 0.25)
        assert training_flops(method, 10, 100, 70, 0.25) == by_name
        # The formula says what is counted.
        text = formula(method).replace("ΔT", "70").replace("−", "-")
        text = text.replace("p (", "0.25 * (").replace("3 ", "3 * ")
        text = (
            text.replace("2 f", "2 * f")
            .replace(" (2", " * (2")
            .replace("f_S 7", "f_S * 7")
            .replace("f_S (7", "f_S * (7")
        )
        value = eval(text, {"f_S": 10, "f_D": 100})
        assert value == pytest.approx(by_name, rel=1e-12)


def test_steady_averages_no_more_than_an_interval():
    method = algorithms.RigL(update_interval=7, preset="steady")
    by_name = training_flops("rigl_steady", 10, 100, 7)
    assert training_flops(method, 10, 100) == by_name
    assert by_name == (30 + 7 * 120) / 8


def test_formula_of_several_gradients():
    text = formula(algorithms.RigL(gradient_steps=4))
    assert text == "(3 f_S (ΔT − 3) + 4 (2 f_S + f_D)) / (ΔT + 1)"


def test_what_is_pruned_on_the_way_costs_less():
    for name, cost in (("pruning", 165.0), ("snip", 30.0), ("set", 30.0)):
        assert training_flops(name, 10, 100, pruned_fraction=0.5) == cost


@pytest.mark.parametrize("method", method_names())
def test_without_sparsity_all_methods_cost_the_same(method):
    assert training_flops(method, 7, 7) == 21.0


# RigL on ResNet-50 at 80 and 90 %, ERK and uniform, ΔT = 100: training and
# inference cost the same share of dense in google-research/rigl, README.md.
@pytest.mark.parametrize("share", [0.42, 0.23, 0.24, 0.13])
def test_published_shares(share):
    cost = training_flops("rigl", share, 1) / training_flops("dense", share, 1)
    assert cost == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("method", ["adam", "", None, 3])
def test_unknown_method(method):
    last = sorted(method_names())[-1]
    received = rf"'{last}'\]. Received: method={method!r}"
    with pytest.raises(ValueError, match=received):
        training_flops(method, 1, 1)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((-1, 1), "flops=-1, dense_flops=1"),
        ((1, -1), "flops=1, dense_flops=-1"),
        ((1, 1, 0), "Received: update_interval=0"),
    ],
)
def test_wrong_numbers(numbers, message):
    with pytest.raises(ValueError, match=message):
        training_flops("rigl", *numbers)
