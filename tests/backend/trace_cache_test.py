import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend.trace_cache import TraceCache
from tf_rigl.updating import mask_update
from tf_rigl.updating import update_rule


@pytest.mark.parametrize(
    ("jit_compile", "keras"),
    support.in_turn([False, True]),
    indirect=["keras"],
)
def test_an_update_is_traced_once_for_a_step_that_is_traced_twice(
    keras, monkeypatch, jit_compile
):
    """The first call of `fit` makes slots and variables of metrics."""
    steps, updates = [], []
    own_take = update_rule.UpdateRule._step_replica
    own_update = mask_update.update_masks

    def take(self, items):
        steps.append(items)
        own_take(self, items)

    def update_masks(*args):
        updates.append(args)
        own_update(*args)

    monkeypatch.setattr(update_rule.UpdateRule, "_step_replica", take)
    monkeypatch.setattr(mask_update, "update_masks", update_masks)
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    loss = support.crossentropy(keras)
    model.compile(optimizer, loss, jit_compile=jit_compile)
    # Not by `support.fit`, which makes the slots before.
    inputs, labels = support.make_data((20,), 256)
    callback = tf_rigl.UpdateMasks(tf_rigl.RigL(update_interval=2))
    model.fit(inputs, labels, verbose=0, callbacks=[callback])
    assert support.moved(model) > 0
    assert (len(steps), len(updates)) == (2, 1)


@support.one_keras("tf_keras")
def test_slots_follow_a_learning_rate_that_is_replaced(keras):
    """A function that is kept must not keep what it has read."""
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    optimizer = keras.optimizers.SGD(1.0, momentum=0.9)
    algorithm = tf_rigl.RigL(
        stop_step=100, update_interval=2, slot_scale=1.0, decay="constant"
    )
    tf_rigl.attach(optimizer, model, algorithm)
    *first, last = support.batches(96)
    for batch in first:
        tf.function(support.make_step(keras, model, optimizer))(*batch)
    optimizer.learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1], [0.0, 0.0]
    )
    before = tf_rigl.masks(model)
    tf.function(support.make_step(keras, model, optimizer))(*last)
    flavor = support.flavor_of(model)
    for weight in support.masked_weights(model):
        grown = weight.mask.numpy() & ~before[weight.path]
        assert grown.any()
        for slot in support.slots.slots_of(flavor, optimizer, weight):
            np.testing.assert_equal(flavor.raw(slot).numpy()[grown], 0)


def test_what_needs_the_graph_around_it_is_traced_anew():
    cache = TraceCache()

    @tf.function
    def step(number):
        around = number + 1
        return cache.call("key", lambda one: one + around, number)

    assert step(tf.constant(1)) == 3
    assert step(tf.constant(1.5)) == 4.0


def test_functions_are_kept_by_key():
    cache = TraceCache()
    variable = tf.Variable(1.0)
    traces = []

    def add(value):
        traces.append(value)
        variable.assign_add(value)
        return variable.read_value()

    for key, total in (("one", 3.0), ("one", 5.0), ("other", 7.0)):
        step = tf.function(lambda value, key=key: cache.call(key, add, value))
        np.testing.assert_equal(step(tf.constant(2.0)).numpy(), total)
    assert len(traces) == 2
