import json

import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.report import dense
from tf_rigl.experiments.report.reading import read_run
from tf_rigl.experiments.runs.run_folder import RunFolder

RESULTS = {
    "measures": {},
    "headline": "accuracy",
    "profile": {},
    "steps": 1,
    "epochs": 1,
    "files": {},
}


def begin(path, **settings):
    folder, wanted = RunFolder(path), tiny(**settings)
    with folder.open(wanted):
        folder.keep_settings(wanted)
    return read_run(path)


@pytest.fixture
def sparse(tmp_path):
    return begin(tmp_path / "sparse", sparsity=0.98, seed=1)


@pytest.mark.parametrize("place", ["sparse/dense", "another"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        # Of masks, or of where a run is.
        {"sparsity": 0.0, "distribution": "uniform", "update_interval": 7},
        {"data_dir": "/elsewhere", "evaluation_steps": 3},
    ],
    ids=str,
)
def test_one_that_differs_in_its_masks_only(sparse, tmp_path, place, changes):
    begin(tmp_path / place, method="dense", seed=1, **changes)
    found = dense.find_dense(sparse)
    assert found.folder.path.samefile(tmp_path / place)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "static"},
        {"seed": 2},
        {"epochs": 4},
        {"learning_rate": 0.5},
        {"width": 0.5},
        {"keras": "keras2"},
    ],
    ids=str,
)
def test_others_are_not_compared(sparse, tmp_path, changes):
    begin(tmp_path / "other", **{"method": "dense", "seed": 1, **changes})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "configuration.json").write_text("{")
    (tmp_path / "file").touch()
    assert dense.find_dense(sparse) is None


def test_finished_ones_go_first(sparse, tmp_path, monkeypatch):
    begin(sparse.folder.path / "dense", method="dense", seed=1)
    finished = begin(tmp_path / "z", method="dense", seed=1).folder
    totals = dict.fromkeys(dense.reading.TOTALS, 0)
    finished.results.write_text(json.dumps({**RESULTS, "profile": totals}))
    assert dense.find_dense(sparse).folder.path.name == "z"
    # Also where the run is named by ".".
    monkeypatch.chdir(sparse.folder.path)
    assert dense.find_dense(read_run(".")).folder.path.name == "z"


def test_a_dense_run_is_compared_with_none(tmp_path):
    one = begin(tmp_path / "one", method="dense")
    begin(tmp_path / "two", method="dense")
    assert dense.find_dense(one) is None


def test_one_that_the_user_names(sparse, tmp_path):
    other = tmp_path / "elsewhere" / "run"
    begin(other, method="dense", seed=5, epochs=9)
    assert dense.read_dense(sparse, other).settings.epochs == 9


def test_what_cannot_be_compared_is_named(sparse, tmp_path):
    begin(tmp_path / "static", method="static")
    with pytest.raises(ValueError, match="must be the folder of a dense run"):
        dense.read_dense(sparse, tmp_path / "static")
    begin(tmp_path / "other", method="dense", model="lenet_5")
    with pytest.raises(ValueError, match="of lenet_5 on mnist_small"):
        dense.read_dense(sparse, tmp_path / "other")
    one = begin(tmp_path / "one", method="dense")
    with pytest.raises(ValueError, match="for a dense run"):
        dense.read_dense(one, tmp_path / "one")
