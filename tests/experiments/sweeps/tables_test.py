import io

import pytest
from rich import console as consoles

from tests.experiments.sweeps.support import make_records
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.records import summarize

HEADING = tables.Heading(
    command="tf-rigl sweep",
    network="net on data",
    epochs=3,
    seeds=2,
    runs=5,
    ended=5,
    versions="tensorflow 2.0",
)


@pytest.fixture(scope="module")
def summary():
    return summarize(
        make_records({"dense": [0.95, 0.97], "rigl": [0.8, 0.9], "set": [0.7]})
    )


def printed(summary):
    file = io.StringIO()
    console = consoles.Console(file=file, width=80)
    console.print(tables.summary_table(summary, HEADING))
    return file.getvalue()


def test_markdown(summary):
    first, _, command, _, names, rule, *rows = tables.markdown(
        summary, HEADING
    ).splitlines()
    assert first.startswith("net on data, epochs: 3, seeds: 2; mean ± sample")
    assert "highest is best" in first
    assert "So far" not in first
    assert command == "`tf-rigl sweep`"

    assert names.count("|") == rule.count("|") == rows[0].count("|") == 10
    assert rows == [
        "| Dense | – | 96.00% ± 1.41% | 95.00% to 97.00% | 2 | 400 | 1,600 "
        "| 1 × | 1 × |",
        "| RigL | 90 % | 85.00% ± 7.07% | 80.00% to 90.00% | 2 | 40 | 210 "
        "| 0.1 × | 0.11 × |",
        "| SET | 90 % | 70.00% | 70.00% to 70.00% | 1 | 40 | 210 "
        "| 0.1 × | 0.11 × |",
    ]


def test_says_what_is_missing(summary):
    text = tables.markdown(summary, HEADING._replace(runs=6))
    assert "So far 5 of 6 runs." in text.splitlines()[0]


def test_long_labels_leave_room_for_numbers():
    made = make_records({"rigl": [0.8]})
    made[0]["settings"]["method"] = "rigl(drop_fraction=0.1, drop_delay=20)"
    text = printed(summarize(made))
    assert "80.00%" in text
    assert "0.11 ×" in text
    assert "RigL(drop_fraction=0.1, " in text


def test_fits_a_terminal(summary):
    lines = printed(summary).splitlines()
    assert max(map(len, lines)) <= 80
    cells = "RigL 90 % 85.00% ± 7.07% 2 40 0.1 × 0.11 ×".split()
    assert cells in [line.split() for line in lines]


def test_runs_of_different_lengths():
    """What each costs is compared with the dense run that limits them."""
    made = make_records({"dense": [0.9]}, epochs=1)
    made += make_records({"rigl": [0.8]}, epochs=6)
    found = summarize(made, HEADING.epochs)
    first, *_, names, _, dense, rigl = tables.markdown(
        found, HEADING
    ).splitlines()
    assert "epochs: by FLOPs" in first
    assert "the whole training, dense for 3 epochs" in first
    assert "| runs | epochs | non-zero weights |" in names
    assert dense.endswith("| 1 | 400 | 1,600 | 1 × | 0.333 × |")
    assert rigl.endswith("| 6 | 40 | 210 | 0.1 × | 0.22 × |")
    assert " 6 " in printed(found)
