"""What a search cost, by its records."""

import json
import shutil

import pytest

import tf_rigl
from tests import support
from tests.tickets.search_test import make_model
from tests.tickets.search_test import run
from tests.tickets.search_test import train
from tf_rigl.accounting import search_flops

STEPS = 12  # of a level that begins at the start
SIZE, LEVELS = 480, [480, 400, 335]  # connections, rate 0.2, logits 0.1


@support.one_keras("keras")
def test_steps_and_costs(keras, tmp_path):
    """Rewound to step 4, later levels train the 8 steps that are left."""
    model = make_model(keras)
    search = run(model, tmp_path, rewind_step=4)
    for level in search.control("random_mask", level=2):
        train(model, level)
    steps = [record["steps"] for record in search.records()]
    assert steps == [STEPS, 8, 8, 8]

    costs = search_flops(tf_rigl.profile(model), search.records())

    # A matrix costs 2 FLOPs for each connection, three times.
    assert [row.flops_per_step for row in costs.rows] == [
        6 * connections for connections in LEVELS
    ]
    expected = 1 + 8 * (LEVELS[1] + LEVELS[2]) / (STEPS * SIZE)
    assert costs.dense_trainings == pytest.approx(expected)
    assert str(search).splitlines()[-1] == (
        f"The search cost {expected:.2f} dense trainings, by the FLOPs of 3 "
        "levels."
    )


@support.one_keras("tf_keras")
def test_steps_of_fine_tuning(keras, tmp_path):
    model = make_model(keras)
    search = run(model, tmp_path, rounds=1, retrain="fine_tune")
    assert [record["steps"] for record in search.records()] == [STEPS, STEPS]


@support.one_keras("keras")
def test_a_folder_of_before(keras, tmp_path):
    """It has no steps: the search goes on, and its cost is not known."""
    model = make_model(keras)
    run(model, tmp_path / "new", rounds=1)
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    for name in ("level_00", "level_01"):
        folder = tmp_path / "old" / name
        (folder / "begin.json").unlink()
        record = json.loads((folder / "record.json").read_text())
        del record["steps"]
        (folder / "record.json").write_text(json.dumps(record))

    search = run(make_model(keras), tmp_path / "old", rounds=1)

    assert len(search.records()) == 2
    assert "83.33 %" in str(search)
    assert "dense trainings" not in str(search)
    with pytest.raises(ValueError, match="'level_00' with steps=None"):
        search_flops(tf_rigl.profile(model), search.records())


@support.one_keras("keras")
def test_a_loop_with_another_optimizer(keras, tmp_path):
    """Its steps are not those of the model's, so nothing is claimed."""
    model = make_model(keras)
    for level in tf_rigl.TicketSearch(model, tmp_path, rounds=1):
        level.done({"accuracy": 0.5})
    search = tf_rigl.TicketSearch(model, tmp_path, rounds=1)
    assert [record["steps"] for record in search.records()] == [None, None]
    assert "dense trainings" not in str(search)
