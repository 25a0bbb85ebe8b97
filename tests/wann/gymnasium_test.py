"""Walking and driving, where `gymnasium` and its physics are installed."""

import importlib.util
import pickle
import sys

import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl.wann import scoring
from tf_rigl.wann import searching
from tf_rigl.wann.breeding import SearchOptions
from tf_rigl.wann.tasks import encoders
from tf_rigl.wann.tasks import gymnasium_tasks

SHORT = SearchOptions(tournament=2, champion_episodes=1)


@pytest.fixture(name="installed")
def installed_fixture():
    pytest.importorskip("gymnasium")
    pytest.importorskip("Box2D")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "make",
    [
        gymnasium_tasks.BipedalWalker,
        pytest.param(gymnasium_tasks.CarRacing, marks=pytest.mark.slow),
    ],
)
def test_three_generations(make):
    task = make(steps=4)
    result = searching.search(
        task, 4, 3, shared_weights=(-1.0, 1.0), episodes=1, options=SHORT
    )
    assert len(result.history) == 3
    assert result.best.inputs == task.inputs
    assert np.all(np.isfinite(result.scores))


@pytest.mark.usefixtures("installed")
def test_rewards_are_those_of_the_environment():
    import gymnasium

    one = evolved.evolve(24, 4, steps=12, seed=1)
    task = gymnasium_tasks.BipedalWalker(steps=6)
    found = scoring.score(task, [one], [0.5], [3, 4])
    for place, seed in enumerate([3, 4]):
        environment = gymnasium.make("BipedalWalker-v3")
        seen, _ = environment.reset(seed=seed)
        total = 0.0
        for _ in range(6):
            action = np.clip(evolved.oracle(one, seen, 0.5), -1, 1)
            seen, gained, *_ = environment.step(action.astype("float32"))
            total += gained
        assert found[0, 0, place] == pytest.approx(total, rel=1e-5)
    # Environments are used again, which must not matter.
    again = scoring.score(task, [one], [0.5], [3, 4])
    np.testing.assert_array_equal(found, again)


@pytest.mark.usefixtures("installed")
def test_an_encoder_of_your_own():
    task = gymnasium_tasks.CarRacing(steps=2, encoder=corner, features=2)
    assert (task.inputs, task.settings()["encoder"]) == (2, "corner")
    one = evolved.evolve(2, 3, steps=2, seed=1)
    assert scoring.score(task, [one], [1.0], [0]).shape == (1, 1, 1)
    assert pickle.loads(pickle.dumps(task)) == task
    wrong = gymnasium_tasks.CarRacing(steps=2, encoder=corner, features=3)
    with pytest.raises(ValueError, match="must return `features` numbers"):
        wrong.encode(np.zeros((96, 96, 3)))


def corner(image):
    return image[0, 0, :2] / 255


def test_the_mean_of_tiles():
    image = np.zeros((96, 96, 3), "uint8")
    image[:21, :24] = 255
    image[84:] = 255  # the black bar, which does not count
    found = encoders.mean_of_tiles(image)
    np.testing.assert_allclose(found, [1.0, *[-1.0] * 15])


def test_without_the_package(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("gymnasium", "Box2D") else find(name),
    )
    monkeypatch.delitem(sys.modules, "gymnasium", raising=False)
    with pytest.raises(
        ImportError,
        match=r"BipedalWalker needs gymnasium and "
        r"Box2D\. Install them with `pip install 'tf_rigl\[wann",
    ):
        gymnasium_tasks.BipedalWalker()
