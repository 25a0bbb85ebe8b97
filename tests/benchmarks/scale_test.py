import json
import sys
import time

import pytest
import tensorflow as tf

from benchmarks import scale

VALUES = tf.TensorSpec((3, 4), tf.float32)


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
            "dense": {"bytes": 100, "rounds": rounds(0.010)},
            "tf_rigl": {"bytes": 100, "rounds": rounds(0.011)},
        },
        ("workers", "tf_keras"): {
            "dense": {"bytes": 108, "rounds": rounds(0.1)},
            "tf_rigl": {"bytes": 118, "rounds": rounds(0.2)},
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


def total(values):
    """A sum over replicas, traced only."""
    return tf.raw_ops.CollectiveReduceV2(
        input=values,
        group_size=2,
        group_key=1,
        instance_key=1,
        ordering_token=[],
        merge_op="Add",
        final_op="Id",
    )


def bytes_of(function, *specs):
    traced = tf.function(function, autograph=False)
    return scale.summed_bytes(
        traced.get_concrete_function(*specs or [VALUES]).graph
    )


def test_counts_bytes_of_what_is_summed():
    assert bytes_of(total) == 3 * 4 * 4
    assert bytes_of(lambda x: total(tf.cast(x, tf.float16))) == 3 * 4 * 2
    assert bytes_of(lambda x: total(x) + total(x[0])) == 3 * 4 * 4 + 4 * 4


def test_counts_each_call_of_a_function():
    inner = tf.function(total)
    assert bytes_of(lambda x: inner(inner(x))) == 2 * 48


def test_counts_branches_and_loops():
    def branches(x):
        return tf.cond(x[0, 0] > 0, lambda: total(x), lambda: total(x) + 1)

    def loop(x):
        return tf.while_loop(lambda x: x[0, 0] > 0, lambda x: [total(x)], [x])

    assert bytes_of(branches) == 2 * 48
    assert bytes_of(loop) == 48


def test_sums_on_one_device_are_none():
    assert bytes_of(lambda x: tf.add_n([x, tf.reduce_sum(x, 0)[None] + x])) == 0


def test_unknown_shape():
    with pytest.raises(ValueError, match=r"shape=\(None, 4\)"):
        bytes_of(total, tf.TensorSpec((None, 4), tf.float32))
