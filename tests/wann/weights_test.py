import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl import wann


class Value(wann.Task):
    """Wants the output of a network to be 3 − w for inputs of a seed."""

    inputs = 2
    outputs = 1

    def evaluate(self, networks, seeds):
        inputs = np.array([[seed, 1.0] for seed in seeds]).T
        outputs = networks(inputs[:, None, None])[0]
        return -np.abs(outputs - 3.0)


def line(weights=(1.0, 1.0)):
    """A network with two connections: from the bias and the second input."""
    return wann.Genome(
        nodes=[0, 1, 2, 3],
        kinds=[0, 1, 1, 2],
        functions=[1] * 4,
        innovations=[0, 1, 2],
        sources=[0, 1, 2],
        destinations=[3, 3, 3],
        weights=[weights[0], 9.0, weights[1]],
        enabled=[True, False, True],
    )


def test_the_best_weight():
    """The sum of the bias and of an input of 1 is 2 w."""
    best = wann.best_weight(line(), Value(), episodes=3)
    assert (best.weight, best.score) == (1.5, 0.0)
    assert best.weights[:2] == (-2.0, -1.9) and len(best.weights) == 41
    np.testing.assert_allclose(
        best.scores, [-abs(2 * w - 3) for w in best.weights], atol=1e-12
    )
    chosen = wann.best_weight(line(), Value(), [-1.0, 2.0], episodes=1)
    assert chosen == (2.0, -1.0, (-1.0, 2.0), (-5.0, -1.0))


def test_an_ensemble_votes():
    random = np.random.default_rng(0)
    one = evolved.evolve(3, 4, steps=40, seed=5)
    inputs = random.normal(size=(20, 3))
    weights = [-2.0, -0.5, 0.5, 1.0, 2.0]
    together = wann.ensemble(one, weights)
    votes = together.votes(inputs)
    assert votes.shape == (20, 4) and np.all(votes.sum(axis=1) == 5)
    for row, given in zip(votes, inputs, strict=True):
        chosen = [np.argmax(evolved.oracle(one, given, w)) for w in weights]
        assert list(row) == [chosen.count(label) for label in range(4)]
    np.testing.assert_array_equal(together(inputs), votes.argmax(axis=1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: wann.best_weight(line(), Value(), []),
        lambda: wann.ensemble(line(), []),
    ],
)
def test_no_weights(call):
    with pytest.raises(ValueError, match="at least one weight"):
        call()


class Fit(wann.Task):
    """Wants a linear function with the weights 1.5 and −0.5."""

    inputs = 2
    outputs = 1

    def evaluate(self, networks, seeds):
        inputs = np.stack(
            [np.random.default_rng(seed).normal(size=2) for seed in seeds], 1
        )
        outputs = networks(inputs[:, None, None])[0]
        return -((outputs - (1.5 - 0.5 * inputs[1])) ** 2)


def test_tuning_finds_single_weights():
    seen = []
    arguments = {
        "iterations": 60,
        "on_iteration": lambda *one: seen.append(one),
    }
    tuned = wann.tune(line(), Fit(), 1.0, **arguments)
    np.testing.assert_allclose(
        tuned.genome.weights, [1.5, 9.0, -0.5], atol=0.01
    )
    assert tuned.before < -0.5 < -1e-4 < tuned.score <= 0
    assert [number for number, _ in seen] == list(range(1, 61))
    assert tuned.history == tuple(score for _, score in seen)
    # The topology is the same, and so is the result of the same seed.
    assert tuned.genome.replace(weights=line().weights) == line()
    assert wann.tune(line(), Fit(), 1.0, **arguments).genome == tuned.genome


def test_tuning_never_makes_it_worse():
    """Where weights are right already, they stay."""
    right = line((1.5, -0.5))
    tuned = wann.tune(right, Fit(), None, iterations=2, spread=1.0)
    assert tuned.genome == right
    assert tuned.score == tuned.before == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "`iterations` must be at least 1"),
        ({"spread": 0.0}, "`spread` must be greater than 0"),
        ({"samples": 2}, "`samples` must be at least 4"),
    ],
)
def test_arguments_of_tuning(arguments, message):
    with pytest.raises(ValueError, match=message):
        wann.tune(line(), Fit(), **arguments)


def test_nothing_to_tune():
    one = line().replace(enabled=[False] * 3)
    with pytest.raises(ValueError, match="has no weights to tune"):
        wann.tune(one, Fit())
