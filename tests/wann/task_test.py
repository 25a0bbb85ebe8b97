"""Tasks have the settings of the article's searches."""

import importlib.util

import numpy as np
import pytest

from tf_rigl import wann
from tf_rigl.wann import activations
from tf_rigl.wann import breeding
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation

# Inputs, outputs and the length of an episode; then population, generations,
# tournament, episodes and the share of connections at the start
# (`prob_initEnable`) of the published configurations.
ARTICLE = {
    "SwingUp": ((5, 1, 1000), (192, 1024, 8, 3, 0.5)),
    "BipedalWalker": ((24, 4, 1600), (480, 2048, 16, 4, 0.25)),
    "Digits": ((256, 10, 1000), (960, 4096, 32, 1, 0.05)),
    "CarRacing": ((16, 3, 1000), (64, 1024, 8, 2, 0.5)),
}


@pytest.fixture(name="task", params=ARTICLE)
def task_fixture(request, monkeypatch):
    """Each task, also where what simulates it is not installed."""
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda _: True)
        return getattr(wann, request.param)()


def test_defaults_are_those_of_the_article(task):
    sizes, defaults = ARTICLE[task.name]
    length = getattr(task, "batch_size" if task.name == "Digits" else "steps")
    assert (task.inputs, task.outputs, length) == sizes
    assert task.defaults == defaults


def test_searches_begin_as_in_the_article(task):
    *_, tournament, _, connect = ARTICLE[task.name][1]
    options = breeding.fill(None, task)
    assert (options.tournament, options.connect) == (tournament, connect)

    group = breeding.first_generation(task, 40, 0, breeding.SearchOptions())
    enabled = np.concatenate([one.enabled for one in group])
    assert len(enabled) == 40 * (task.inputs + 1) * task.outputs
    deviation = (connect * (1 - connect) / len(enabled)) ** 0.5
    assert abs(enabled.mean() - connect) < 4 * deviation


def test_functions(task):
    """All ten, but for digits, whose nodes have no step."""
    names = {activations.name_of(number) for number in task.functions}
    assert len(names) == len(task.functions)
    without = {one.name for one in activations.ACTIVATIONS.values()} - names
    assert without == ({"step"} if task.name == "Digits" else set())


@pytest.mark.parametrize("task", [wann.SwingUp(), wann.Digits()])
def test_children_have_the_functions_of_their_task(task):
    """Each of them in the end, and no other."""
    group = breeding.first_generation(task, 25, 0, breeding.SearchOptions())
    innovations = mutation.Innovations.after(group[0])
    seen = set()
    for generation in range(20):
        scores = np.arange(25.0)
        group = breeding.next_generation(
            group, scores, scores, innovations, task, 0, generation, None
        )
        for one in group:
            hidden = one.kinds == genomes.HIDDEN
            seen.update(one.functions[hidden].tolist())
    assert seen == set(task.functions)
