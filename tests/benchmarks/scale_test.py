import json
import sys
import time

import pytest

from benchmarks import scale


def test_keras_3_runs_on_no_workers():
    chosen = scale.settings(["2", "workers"], ["keras", "tf_keras"])
    assert list(chosen) == [
        ("2", "keras"),
        ("2", "tf_keras"),
        ("workers", "tf_keras"),
    ]


def test_workers_know_each_other():
    ports = scale.free_ports(2)
    assert len(set(ports)) == 2
    first, second = (json.loads(scale.cluster(ports, n)) for n in range(2))
    assert first["cluster"] == second["cluster"]
    assert first["cluster"]["worker"] == [f"localhost:{p}" for p in ports]
    assert [one["task"]["index"] for one in (first, second)] == [0, 1]


def test_a_failure_ends_all(tmp_path):
    program = "import sys, time; time.sleep(int(sys.argv[1])); sys.exit('why')"
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"exit code 1 of.*printed\nwhy"):
        scale.run_together(
            [[sys.executable, "-c", program, wait] for wait in ("60", "0")],
            tmp_path,
        )
    assert time.monotonic() - start < 30


def test_table_compares_within_devices():
    def rounds(step):
        return [{"step": step, "plain": step, "update": 2 * step}]

    measured = {
        ("2", "keras"): {
            "dense": scale.DeviceFigures(100, rounds(0.010)),
            "tf_rigl": scale.DeviceFigures(100, rounds(0.011)),
        },
        ("workers", "tf_keras"): {
            "dense": scale.DeviceFigures(108, rounds(0.1)),
            "tf_rigl": scale.DeviceFigures(118, rounds(0.2)),
        },
    }
    rows = scale.table(measured)
    assert rows[1] == [
        "2 keras/tf_rigl",
        "11.00",
        "1.100 (1.100 to 1.100)",
        "1.100 (1.100 to 1.100)",
        "2.200 (2.200 to 2.200)",
        "100",
        "0",
    ]
    assert rows[3][0] == "2 workers tf_keras/tf_rigl"
    assert rows[3][-2:] == ["118", "10"]
