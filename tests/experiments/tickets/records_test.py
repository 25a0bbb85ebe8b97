import csv
import io

import pytest

from tests.experiments.tickets import support
from tf_rigl.experiments.process_sets.tables import learning_rates
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import settings


def read_all(folder, asked):
    return [
        one
        for point in settings.points(asked)
        for one in records.read(
            folder / "searches" / point.name,
            progress.trainings(asked.search),
            point.settings,
        )
    ]


def test_read_and_summarize(tmp_path):
    trainings = read_all(*support.two_searches(tmp_path))
    assert len(trainings) == 10
    assert trainings[4].kind == "reinit"
    assert trainings[4].draw == 1

    rows = records.summarize(trainings)
    assert [(row.level, row.kind, row.trainings) for row in rows] == [
        (0, "ticket", 2),
        (1, "ticket", 2),
        (2, "ticket", 2),
        (2, "reinit", 4),
    ]
    assert [row.left for row in rows] == [1.0, 0.8, 0.64, 0.64]
    dense = rows[0]
    assert dense.early_stop.mean == 8
    assert dense.there.mean == pytest.approx(0.91)
    assert dense.end.mean == pytest.approx(0.92)
    assert dense.end.deviation == pytest.approx(0.02 / 2**0.5)
    assert rows[2].early_stop.mean == 6
    # Seeds agree once the draws of each are averaged.
    control = rows[3].end
    assert (control.runs, control.mean) == (2, pytest.approx(0.82))
    assert control.deviation == pytest.approx(0)


def test_learning_rates_are_apart_and_lost_values_left_out(tmp_path):
    asked = support.ask("--learning_rates=0.1,9", "--controls=")
    searches = {
        "lr_0.1_s0": {"level_00": support.record(0, 4, 0.9, 0.8)},
        "lr_9.0_s0": {"level_00": support.record(0, None, None, 0.1)},
    }
    support.make_searches(tmp_path, searches, asked)
    rows = records.summarize(read_all(tmp_path, asked))
    assert learning_rates(rows) == [0.1, 9.0]
    assert rows[0].end.mean == 0.8
    assert rows[0].end.deviation is None
    assert rows[1].early_stop is None
    assert rows[1].there is None
    assert rows[1].end.mean == 0.1


def test_a_search_that_has_not_begun(tmp_path):
    (point,) = settings.points(support.ask())
    assert (
        records.read(tmp_path / "nowhere", ["level_00"], point.settings) == []
    )


def test_comma_separated_values(tmp_path):
    asked = support.ask("--control_levels=0", "--draws=4")
    searches = {
        "lr_0.0012_s0": {
            "level_00": support.record(0, 4, 0.9, 0.8),
            # Not asked for any more.
            "control_constant_00_0": support.record(0, 4, 0.9, 0.8),
            "control_random_mask_00_3": support.record(0, None, None, 0.1),
        }
    }
    support.make_searches(tmp_path, searches, asked)
    text = records.to_csv(read_all(tmp_path, asked))
    first, second = csv.DictReader(io.StringIO(text))
    assert first == {
        "seed": "0",
        "learning_rate": "0.0012",
        "level": "0",
        "kind": "ticket",
        "draw": "0",
        "left": "1.0",
        "early_stop_step": "4",
        "early_stop_val_loss": "1.5",
        "early_stop_val_accuracy": "0.5",
        "early_stop_test_loss": "2.5",
        "early_stop_test_accuracy": "0.9",
        "end_step": "12",
        "end_val_loss": "1.5",
        "end_val_accuracy": "0.5",
        "end_test_loss": "2.5",
        "end_test_accuracy": "0.8",
    }
    assert second["kind"] == "random_mask"
    assert second["draw"] == "3"
    assert second["early_stop_step"] == ""
    assert second["end_test_accuracy"] == "0.1"
