import io
import json
import pathlib
import types

import keras
import numpy as np
import pytest
from rich import console as consoles

from tf_rigl.training import artefacts
from tf_rigl.training import experiment
from tf_rigl.training import report
from tf_rigl.training.configuration import Configuration

DENSE = types.SimpleNamespace(
    nonzeros=266_610,
    parameters=266_610,
    macs=266_200,
    dense_macs=266_200,
    flops=532_400,
    dense_flops=532_400,
    bytes=1_066_440,
    dense_bytes=1_066_440,
)
SPARSE = types.SimpleNamespace(
    **{**vars(DENSE), "nonzeros": 5_734, "macs": 5_324, "flops": 10_648}
)


def make_report(method, label, profile, accuracy):
    result = experiment.TrainingResult(
        method=method,
        label=label,
        model=None,
        test_accuracy=accuracy,
        test_loss=0.1,
        seconds=12.34,
        steps=experiment.Steps(78, 780, 585),
        images_seen=780 * 128,
        training_flops=3.0 * profile.flops * 780 * 128,
        profile=profile,
        history={"loss": [0.5, 0.25]},
        masks_before={},
        masks_after={"fc1/kernel": np.eye(3, dtype=bool)},
    )
    files = artefacts.ModelFiles(
        pathlib.Path("a.keras"), pathlib.Path("b"), 10, 1_000, 1e-7
    )
    return report.Report(result, files)


REPORTS = [
    make_report("dense", "Dense", DENSE, 0.9712),
    make_report("rigl", "RigL 98 %", SPARSE, 0.9634),
]


def render(reports):
    output = io.StringIO()
    console = consoles.Console(file=output, width=80)
    console.print(report.comparison_table(reports))
    return output.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1 k"),
        (10_648, "10.6 k"),
        (532_400, "532 k"),
        (1.5e6, "1.5 M"),
        (3.2e11, "320 G"),
        (2e18, "2e+03 P"),
    ],
)
def test_si_number(value, text):
    assert report.si_number(value) == text


def test_table_has_each_measure_of_each_run():
    text = render(REPORTS)
    lines = {
        line.split("│")[1].strip(): [
            cell.strip() for cell in line.split("│")[2:-1]
        ]
        for line in text.splitlines()
        if line.startswith("│")
    }
    assert lines["Test accuracy"] == ["97.12%", "96.34%", "-0.78 points"]
    assert lines["Non-zero weights"] == ["266,610", "5,734", "× 0.0215"]
    assert lines["Inference FLOPs"] == ["532 k", "10.6 k", "× 0.02"]
    assert set(lines) == {measure.name for measure in report.MEASURES}


def test_table_fits_eighty_columns():
    assert max(map(len, render(REPORTS).splitlines())) <= 80
    assert "…" not in render(REPORTS)


def test_one_run_is_not_compared():
    assert "compared" in render(REPORTS)
    assert "compared" not in render(REPORTS[1:])


def test_record_is_json():
    content = report.record(Configuration(compare_dense=True), keras, REPORTS)
    back = json.loads(json.dumps(content))
    assert back == content
    assert back["configuration"]["sparsity"] == 0.98
    assert back["versions"]["keras"] == keras.__version__
    dense, sparse = back["runs"]
    assert dense["profile"]["flops"] == 532_400
    assert sparse["test_accuracy"] == 0.9634
    assert sparse["connections"] == {"fc1/kernel": 3}
    assert sparse["history"] == {"loss": [0.5, 0.25]}
