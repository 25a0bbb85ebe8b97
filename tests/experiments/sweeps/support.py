import json

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.sweeps import request
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.sweeps.grid import points
from tf_rigl.experiments.sweeps.records import make_record

# Of one example, and what training takes by the formulas.
DENSE_FLOPS = 1000
EXAMPLES = 50


def make_records(values, headline="accuracy", sparsity=0.9, epochs=3):
    """Records by method, with the given values of the seeds."""
    records = []
    for method, measures in values.items():
        grid = Grid((method,), (sparsity,), seeds=len(measures))

        for point, value in zip(points(grid, tiny()), measures, strict=True):
            dense = method == "dense"
            results = {
                "headline": headline,
                "measures": {headline: value},
                "steps": 12,
                "epochs": epochs,
                "examples_seen": EXAMPLES,
                "seconds": 1.5,
                "training_flops": (3000.0 if dense else 330.0) * EXAMPLES,
                "profile": {
                    "nonzeros": 400 if dense else 40,
                    "bytes": 1600 if dense else 210,
                    "flops": DENSE_FLOPS if dense else 100,
                    # A small-dense network knows only its own.
                    "dense_flops": 100
                    if method == "small_dense"
                    else DENSE_FLOPS,
                },
                "versions": {"tensorflow": "2.0"},
            }
            records.append(make_record(point, results))
    return records


def make_sweep(folder, records, missing=(), **known):
    """Writes a folder as the program of sweeps does; returns it."""
    folder.mkdir(exist_ok=True)
    for record in records:
        run = folder / request.RUNS / record["name"]
        run.mkdir(parents=True)
        (run / "results.json").write_text(json.dumps(record))
    names = (*(record["name"] for record in records), *missing)
    asked = request.SweepRequest("the command", "net on data", names, **known)
    request.write(folder, asked)
    return folder
