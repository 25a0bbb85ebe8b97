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


def test_layers_by_epoch(tmp_path):
    masks = [
        {
            "epoch": epoch,
            "total": {},
            "weights": {"a": {"churn": churn}, "b": {"churn": None}},
        }
        for epoch, churn in ((0, 0.5), (1, 0.25))
    ]
    found = series.layer_series(record(tmp_path, [], masks), "churn")
    assert found.paths == ["a", "b"]
    assert found.epochs.tolist() == [1, 2]
    np.testing.assert_array_equal(
        found.values, [[0.5, 0.25], [math.nan, math.nan]]
    )


def test_masks_have_only_panels_of_what_is_known(tmp_path):
    total = {"density": 0.1, "churn": 0.3, "exploration": None}
    masks = [{"epoch": 0, "total": total, "weights": {}}]
    found = panels(series.mask_panels(record(tmp_path, [], masks)))
    assert list(found) == ["density", "churn"]
    assert found["churn"].lines[0].y.tolist() == [0.3]
