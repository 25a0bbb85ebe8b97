import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.sweeps.grid import points


def test_lists_every_run_once():
    grid = Grid(("dense", "small_dense", "rigl"), (0.9, 0.95), seeds=2)
    base = tiny(sparsity=0.5, seed=7)
    found = points(grid, base)

    assert [point.name for point in found] == [
        "dense_s0",
        "small_dense_0.9_s0",
        "small_dense_0.95_s0",
        "rigl_0.9_s0",
        "rigl_0.95_s0",
        "dense_s1",
        "small_dense_0.9_s1",
        "small_dense_0.95_s1",
        "rigl_0.9_s1",
        "rigl_0.95_s1",
    ]
    assert found[-1].settings == tiny(method="rigl", sparsity=0.95, seed=1)
    # Not that of the base: another one would contradict a stored run.
    assert found[0].settings == tiny(method="dense", sparsity=0.0, seed=0)


def test_dense_needs_no_sparsity():
    grid = Grid(("dense",), (), seeds=1)
    assert [point.name for point in points(grid, tiny())] == ["dense_s0"]


@pytest.mark.parametrize(
    ("methods", "sparsities", "seeds", "message"),
    [
        ((), (0.9,), 1, "`methods` must name at least one"),
        (("rigl", "magic"), (0.9,), 1, "Change 'magic'"),
        (("set", "set"), (0.9,), 1, "must differ"),
        (("rigl",), (), 1, "`sparsities` must name at least one"),
        (("rigl",), (0.9, 1.0), 1, r"must be in \[0, 1\).*Change 1.0"),
        (("dense",), (-0.1,), 1, r"must be in \[0, 1\)"),
        (("rigl",), (0.9, 0.90), 1, "must differ"),
        (("rigl",), (0.9,), 0, "`seeds` must be at least 1"),
    ],
)
def test_errors(methods, sparsities, seeds, message):
    with pytest.raises(ValueError, match=message):
        Grid(methods, sparsities, seeds)
