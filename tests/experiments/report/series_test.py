import math

import numpy as np
import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.runs.run_folder import RunFolder


def lines(**columns):
    """Lines of metrics with these values, one an epoch."""
    return [
        {
            "epoch": epoch,
            "steps": 4,
            "seconds": 1.0,
            **dict(zip(columns, row, strict=True)),
        }
        for epoch, row in enumerate(zip(*columns.values(), strict=True))
    ]


def record(tmp_path, epochs, masks=(), **settings):
    folder = RunFolder(tmp_path)
    return RunRecord(folder, tiny(**settings), epochs, list(masks), None)


def panels(found):
    return {panel.title: panel for panel in found}


def test_training_is_drawn_with_its_evaluation(tmp_path):
    found = panels(
        series.training_panels(
            record(
                tmp_path,
                lines(
                    accuracy=[0.5, 0.75, None],
                    # The loss without weight decay: none here.
                    cross_entropy=[2.0, 1.000001, 0.5],
                    loss=[2.0, 1.0, 0.5],
                    sparsity=[0.9] * 3,
                    val_accuracy=[None, 0.625, None],
                    val_cross_entropy=[3.0, 2.0, 2.0],
                    val_loss=[3.0, 2.0, 2.0],
                ),
            )
        )
    )

    assert list(found) == ["loss", "accuracy", "learning rate, by the schedule"]
    training, evaluation = found["accuracy"].lines
    assert training.label == "training"
    assert training.x.tolist() == [1, 2]
    assert training.y.tolist() == [0.5, 0.75]
    assert evaluation.x.tolist() == [2]
    assert evaluation.y.tolist() == [0.625]
    assert found["accuracy"].percent
    assert not found["loss"].percent


def test_learning_rates_are_those_of_the_whole_run(tmp_path):
    found = panels(
        series.training_panels(
            record(
                tmp_path,
                lines(loss=[1.0]),
                schedule="step",
                decay_epochs=(1, 2.5),
                learning_rate=0.5,
            )
        )
    )

    (line,) = found["learning rate, by the schedule"].lines
    # Three epochs of four steps.
    assert line.x.tolist() == [step / 4 for step in range(12)]
    expected = [0.5] * 4 + [0.05] * 6 + [0.005] * 2
    assert line.y == pytest.approx(expected)


def test_a_dense_run_is_drawn_beside(tmp_path):
    run = record(tmp_path, lines(loss=[2.0, 1.0], val_loss=[3.0, 2.0]))
    dense = record(tmp_path, lines(loss=[1.5], val_loss=[2.5]), method="dense")
    loss, *_ = series.training_panels(run, dense)
    assert [(line.label, line.y.tolist()) for line in loss.lines] == [
        ("training", [2.0, 1.0]),
        ("evaluation", [3.0, 2.0]),
        ("dense, training", [1.5]),
        ("dense, evaluation", [2.5]),
    ]


def masks_of(*numbers):
    """Lines of masks of two weights; the second one is never updated."""
    return [
        {
            "epoch": epoch,
            "total": {"updates": updates, "moved": moved, "connections": 20},
            "weights": {
                "a": {"density": 0.5, "moved": moved, "connections": 10},
                "b": {"density": None, "moved": 0, "connections": 10},
            },
        }
        for epoch, (updates, moved) in enumerate(numbers)
    ]


def test_layers_by_epoch(tmp_path):
    found = series.layer_densities(
        record(tmp_path, [], masks_of((1, 4), (1, 4)))
    )
    assert found.paths == ["a", "b"]
    assert found.ends.tolist() == [1, 2]
    np.testing.assert_array_equal(found.values, [[0.5, 0.5], [math.nan] * 2])


# Updates and moved connections so far: an epoch without an update, then one
# with two, then the rest without any.
UPDATED = masks_of((1, 4), (1, 4), (3, 10), (3, 10), (3, 10))


def test_churn_is_by_update(tmp_path):
    found = panels(series.mask_panels(record(tmp_path, [], UPDATED)))
    churn = found["churn"]
    assert churn.axis == "mask updates"
    (line,) = churn.lines
    # The mean of the second and the third update, in their middle.
    assert line.x.tolist() == [1, 2.5]
    assert line.y.tolist() == [4 / 20, 6 / 20 / 2]

    by_layer = series.layer_churn(record(tmp_path, [], UPDATED))
    assert by_layer.axis == "mask update"
    assert by_layer.ends.tolist() == [1, 3]
    np.testing.assert_array_equal(by_layer.values, [[0.4, 0.3], [0, 0]])


def test_each_update_has_its_churn_where_it_has_its_line(tmp_path):
    updates = masks_of((1, 4), (2, 6), (3, 10))
    run = record(tmp_path, [], UPDATED)._replace(updates=updates)
    (line,) = panels(series.mask_panels(run))["churn"].lines
    assert line.x.tolist() == [1, 2, 3]
    assert line.y.tolist() == [4 / 20, 2 / 20, 4 / 20]
    by_layer = series.layer_churn(run)
    assert by_layer.ends.tolist() == [1, 2, 3]
    assert by_layer.values[0].tolist() == [0.4, 0.2, 0.4]


def test_churn_goes_on_in_an_epoch_that_was_interrupted(tmp_path):
    """What a process has moved before it was killed is in no line's churn."""
    masks = masks_of((1, 4), (3, 10))
    masks[1]["total"]["churn"] = 0.05
    (_, line) = series.layer_churn(record(tmp_path, [], masks)).values.T
    assert line.tolist() == [0.3, 0]


def test_without_updates_there_is_no_churn(tmp_path):
    run = record(tmp_path, [], masks_of((0, 0), (0, 0)))
    assert series.layer_churn(run) is None
    assert "churn" not in panels(series.mask_panels(run))


def test_masks_have_only_panels_of_what_is_known(tmp_path):
    total = {"density": 0.1, "exploration": None, "updates": 1}
    total |= {"moved": 3, "connections": 10}
    masks = [{"epoch": 0, "total": total, "weights": {}}]
    found = panels(series.mask_panels(record(tmp_path, [], masks)))
    assert list(found) == ["density", "churn"]
    assert found["churn"].lines[0].y.tolist() == [0.3]
