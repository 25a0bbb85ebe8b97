import pytest

from tf_rigl.core.distribution_types import ER
from tf_rigl.core.distribution_types import ERK
from tf_rigl.core.distribution_types import PerLayer
from tf_rigl.core.distribution_types import Uniform
from tf_rigl.core.distribution_types import with_options
from tf_rigl.core.distributions import allocate

SHAPES = {"conv": (3, 3, 16, 32), "fc": (300, 100), "out": (100, 10)}


def rising(shapes, sparsity):
    del shapes, sparsity
    return {"conv": 0.5, "fc": 0.92, "out": 0.7}


@pytest.mark.parametrize("budget", ["global", "reference"])
@pytest.mark.parametrize(
    ("short", "power", "chosen"),
    [
        ("uniform", 1.0, lambda budget: Uniform(budget=budget)),
        ("er", 0.5, lambda budget: ER(power=0.5, budget=budget)),
        ("erk", 2.0, lambda budget: ERK(power=2.0, budget=budget)),
        ({"fc": 0.8}, 1.0, lambda budget: PerLayer({"fc": 0.8}, budget)),
        (rising, 1.0, lambda budget: PerLayer(rising, budget)),
    ],
)
def test_objects_and_arguments_agree(short, power, chosen, budget):
    # All sparsities of `rising` together.
    sparsity = 0.8595 if short is rising else 0.7
    options = {"dense": ["out"]} if short is not rising else {}
    counts = allocate(
        SHAPES, sparsity, short, budget=budget, power=power, **options
    )
    assert counts == allocate(SHAPES, sparsity, chosen(budget), **options)
    assert with_options(short, budget, power) == chosen(budget)
    assert with_options(chosen(budget)) == chosen(budget)


def test_options_matter():
    found = [
        allocate(SHAPES, 0.7, one, dense=["out"])
        for one in (
            Uniform(),
            Uniform(budget="reference"),
            ER(),
            ERK(),
            ERK(power=0.5),
            ERK(budget="reference"),
        )
    ]
    assert len({tuple(one.values()) for one in found}) == len(found)


@pytest.mark.parametrize("options", [{"power": 0.5}, {"budget": "reference"}])
def test_options_are_given_once(options):
    with pytest.raises(ValueError, match=r"Received: distribution=ERK\(.*Pass"):
        allocate(SHAPES, 0.7, ERK(), **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ERK(budget="all"), ValueError, "`budget` must be one of"),
        (lambda: Uniform("all"), ValueError, "`budget` must be one of"),
        (lambda: PerLayer({}, "all"), ValueError, "`budget` must be one of"),
        (lambda: ER(power=float("nan")), ValueError, "finite.*power=nan"),
        (lambda: ERK(power="2"), ValueError, "finite number.*power='2'"),
        (lambda: PerLayer(0.5), TypeError, "a mapping or a callable.*=0.5"),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
