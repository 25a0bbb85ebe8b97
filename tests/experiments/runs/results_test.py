import io
import re

from rich import console as consoles

from tf_rigl.experiments.runs import results

DENSE = {
    "label": "Dense",
    "settings": {"model": "lenet_300_100", "data": "mnist"},
    "measures": {"accuracy": 0.9712, "cross_entropy": 0.1},
    "profile": {
        "nonzeros": 266_610,
        "parameters": 266_610,
        "flops": 532_400,
        "bytes": 1_066_440,
    },
    "training_flops": 1.5e12,
    "files": {"saved_model_bytes": 1_087_179},
    "seconds": 12.34,
}
SPARSE = {
    **DENSE,
    "label": "RigL 98 %",
    "measures": {"accuracy": 0.9634, "cross_entropy": 0.125},
    "profile": {**DENSE["profile"], "nonzeros": 5_734, "flops": 10_648},
    "training_flops": 3e10,
}


def render(*records):
    output = io.StringIO()
    consoles.Console(file=output, width=80).print(
        results.results_table(records)
    )
    return output.getvalue()


def rows_of(text):
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {name: cells for name, *cells in rows if len(cells) > 1}


def test_two_runs_are_compared():
    text = render(DENSE, SPARSE)
    assert "lenet_300_100 on mnist" in text
    assert rows_of(text) == {
        "Dense": ["RigL 98 %", "compared"],
        "accuracy": ["97.12%", "96.34%", "-0.78 points"],
        "cross entropy": ["0.1000", "0.1250", "+0.0250"],
        "non-zero weights": ["266,610", "5,734", "× 0.0215"],
        "parameters": ["266,610", "266,610", "× 1"],
        "inference FLOPs": ["532 k", "10.6 k", "× 0.02"],
        "training FLOPs": ["1.5 T", "30 G", "× 0.02"],
        "packed weights, bytes": ["1,066,440", "1,066,440", "× 1"],
        "SavedModel on disk, bytes": ["1,087,179", "1,087,179", "× 1"],
        "training time": ["12.3 s", "12.3 s", "× 1"],
    }


def test_fits_eighty_columns():
    text = render(DENSE, SPARSE)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_one_run_is_not_compared():
    text = render({**SPARSE, "files": {}})
    assert "compared" not in text
    assert "SavedModel on disk, bytes" not in rows_of(text)
