"""Schedules of TFMOT: as many connections as there, batch by batch."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.tfmot import takeover
from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning
from tf_rigl.masking.masked_weight import masked_weights


class Watch:
    """A callback that notes the connections in each forward pass."""

    def __init__(self, keras, count, before):
        notes, losses = [], []

        class Callback(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if before:
                    notes.append(count(self.model))

            def on_train_batch_end(self, batch, logs=None):
                losses.append(logs["loss"])
                if not before:
                    notes.append(count(self.model))

        self.callback, self.notes, self.losses = Callback(), notes, losses


def watch_theirs(tfmot, keras, schedule, epochs):
    keras.utils.set_random_seed(3)
    theirs = tfmot.prune(takeover.sequential(keras), schedule)
    takeover.compiled(keras, theirs)
    # A wrapper updates its mask before its forward pass.
    watch = Watch(keras, takeover.their_counts, before=False)
    takeover.fit(theirs, [tfmot.step(), watch.callback], epochs)
    return watch


def watch_both(tfmot, keras, schedule):
    one = watch_theirs(tfmot, keras, schedule, 4)
    keras.utils.set_random_seed(3)
    ours = tf_rigl.tfmot.prepare(takeover.sequential(keras), schedule)
    takeover.compiled(keras, ours)
    two = Watch(keras, takeover.our_counts, before=True)
    method = tf_rigl.tfmot.pruning(schedule)
    takeover.fit(ours, [tf_rigl.UpdateMasks(method), two.callback], 4)
    return one, two, ours


SCHEDULES = [
    ("polynomial", (0.3, 0.9, 0, 20), {"frequency": 4}),
    ("polynomial", (0.1, 0.9, 5, 20), {"frequency": 1, "power": 1}),
    ("constant", (0.75, 1, 9), {"frequency": 100}),
]
SLOW_SCHEDULES = [
    ("polynomial", (0.0, 0.87, 1, 17), {"frequency": 3}),
    ("polynomial", (0.5, 0.95, 2, 21), {"frequency": 7, "power": 2.5}),
    ("constant", (0.8, 0), {"frequency": 5}),
]


@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        *SCHEDULES,
        *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW_SCHEDULES),
    ],
)
def test_as_many_connections_as_tfmot_in_every_batch(
    tfmot, keras2, kind, arguments, options
):
    schedule = getattr(tfmot, kind)(*arguments, **options)
    one, two, ours = watch_both(tfmot, keras2, schedule)
    assert len(one.notes) == len(two.notes) == 24
    assert two.notes == one.notes
    assert len({tuple(note) for note in one.notes}) > 1 or arguments[1] == 1
    # The same until TFMOT first prunes a model that has masks.
    seen = [i for i in range(1, 24) if one.notes[i] != one.notes[i - 1]]
    same = seen[1] if len(seen) > 1 else 4
    np.testing.assert_array_equal(one.losses[:same], two.losses[:same])
    for record in masked_weights(ours):
        assert record.target == support.counts(ours)[record.path]


# A graph's powers are rounded as Grappler writes them.
@pytest.mark.usefixtures("grappler")
@pytest.mark.parametrize("power", [1, 2, 3, 0.5, 2.7])
def test_counts_of_tfmot_in_a_graph(tfmot, power):
    """★ k = max(round(n · (1 - s)), 1) up to four million elements."""
    random = np.random.default_rng(int(power * 10))
    for size in (7, 1_234_567, 4_000_000):
        begin, span = (
            int(random.integers(0, 50)),
            int(random.integers(60, 9000)),
        )
        frequency = max(1, span // 15)
        initial, final = random.uniform(0, 0.4), random.uniform(0.5, 0.99)
        schedule = tfmot.polynomial(
            initial, final, begin, begin + span, power, frequency
        )
        step = tf.Variable(0, dtype=tf.int64)
        found = tf.Variable(-1)

        @tf.function
        def update(schedule=schedule, size=size, step=step, found=found):
            def assign():
                kept = tf.cast(size, tf.float32) * (1 - schedule(step)[1])
                kept = tf.maximum(tf.round(kept), 1)
                found.assign(tf.cast(kept, tf.int32))
                return tf.no_op()

            tf.cond(schedule(step)[0], assign, tf.no_op)
            return found.read_value()

        times = np.arange(begin, begin + span + 1, frequency)
        expected = []
        for time in times:
            step.assign(time)
            expected.append(int(update()))
        method = tf_rigl.tfmot.pruning(schedule)
        np.testing.assert_array_equal(method.kept(size, times), expected)


def test_from_configuration(tfmot):
    schedule = tfmot.polynomial(0.1, 0.9, 10, 90, 2, 5)
    expected = TFMOTPruning(0.1, 0.9, 10, 90, 5, 2)
    assert tf_rigl.tfmot.pruning(schedule) == expected
    assert tf_rigl.tfmot.pruning(schedule.get_config()) == expected
    assert TFMOTPruning(**expected.get_config()) == expected
    constant = tfmot.constant(0.4, 3)
    expected = TFMOTPruning(0.4, 0.4, 3, -1, 100)
    assert tf_rigl.tfmot.pruning(constant) == expected
    assert tf_rigl.tfmot.pruning(constant, offset=7).offset == 7


@pytest.mark.parametrize("fresh_optimizer", [False, True])
def test_goes_on_halfway_through_a_schedule(tfmot, keras2, fresh_optimizer):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 24, frequency=3)
    one = watch_theirs(tfmot, keras2, schedule, 5)
    keras2.utils.set_random_seed(3)
    half = takeover.pruned(
        tfmot, takeover.sequential(keras2), schedule, epochs=2
    )
    if fresh_optimizer:
        takeover.compiled(keras2, half)
    method = tf_rigl.tfmot.pruning(half)
    assert method.offset == (12 if fresh_optimizer else 0)
    ours = tf_rigl.tfmot.convert(half, keep_pruning=True)
    two = Watch(keras2, takeover.our_counts, before=True)
    takeover.fit(ours, [tf_rigl.UpdateMasks(method), two.callback], 3)
    assert two.notes == one.notes[12:]
    assert all(r.num_active() == r.target for r in masked_weights(ours))


def test_an_update_that_is_due_is_made_on_the_way(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.9, 1, 13, frequency=6)
    theirs = takeover.pruned(
        tfmot, takeover.sequential(keras2), schedule, epochs=2
    )
    masks = takeover.their_masks(theirs)
    # The last one comes before the 13th batch.
    ours = tf_rigl.tfmot.convert(theirs, keep_pruning=True)
    for record in masked_weights(ours):
        before = masks[id(record.storage.variable)] == 1
        assert record.num_active() == record.target < before.sum()
        assert not np.any(record.mask.numpy() & ~before)
    support.assert_masked(ours, slots_too=False)


def test_schedule_of_tfmot_prunes_a_model_of_either_keras(tfmot, keras):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 12, frequency=2)
    model = tf_rigl.tfmot.prepare(support.make_mlp(keras), schedule)
    method = tf_rigl.tfmot.pruning(schedule)
    assert all(m.all() for m in tf_rigl.masks(model).values())
    support.train(keras, model, method)
    for record in masked_weights(model):
        expected = max(round(np.float32(record.size) * np.float32(1 - 0.9)), 1)
        assert record.num_active() == record.target == expected
    support.assert_masked(model)


def test_model_that_is_built_later(tfmot, keras2):
    schedule = tfmot.polynomial(0.2, 0.9, 0, 4, frequency=2)
    model = tf_rigl.tfmot.prepare(takeover.built_late(keras2), schedule)
    takeover.compiled(keras2, model)
    method = tf_rigl.tfmot.pruning(schedule)
    takeover.fit(model, [tf_rigl.UpdateMasks(method)])
    assert support.counts(model)["dense/kernel"] == 24
    with pytest.raises(ValueError, match="needs a model that is built"):
        tf_rigl.tfmot.prepare(
            takeover.built_late(keras2), tfmot.constant(0.5, 1)
        )


def test_errors_of_schedules(tfmot, keras2):
    def convert(*arguments, **options):
        tf_rigl.tfmot.pruning(tfmot.polynomial(*arguments, **options))

    with pytest.raises(ValueError, match=r"not below .* final_sparsity=0.1"):
        convert(0.5, 0.1, 0, 10)
    with pytest.raises(ValueError, match="`end_step` must be after"):
        convert(0.1, 0.5, 10, 10)
    with pytest.raises(ValueError, match=r"`power` must .* power=0"):
        convert(0.1, 0.5, 0, 10, 0)

    class Steps(type(tfmot.constant(0.5, 0))):
        pass

    with pytest.raises(ValueError, match=r"one of .*class_name='Steps'"):
        tf_rigl.tfmot.pruning(Steps(0.5, 0))
    with pytest.raises(TypeError, match=r"schedule=0.5"):
        tf_rigl.tfmot.pruning(0.5)
    model = takeover.sequential(keras2)
    with pytest.raises(ValueError, match="must have pruning wrappers"):
        tf_rigl.tfmot.pruning(model)
