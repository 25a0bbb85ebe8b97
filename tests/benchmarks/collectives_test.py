import pytest
import tensorflow as tf

from benchmarks import collectives

VALUES = tf.TensorSpec((3, 4), tf.float32)


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
    return collectives.summed_bytes(
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
