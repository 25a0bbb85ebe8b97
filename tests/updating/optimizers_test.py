"""Every optimizer of both flavors, every option: masks hold exactly."""

import importlib
import inspect

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.storage import assign_unguarded
from tf_rigl.updating import slots

UNSUPPORTED = {"Adafactor"}
NOT_UPDATING = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
NAMES = (
    "SGD Adam AdamW Adamax Adadelta Adagrad RMSprop Nadam Lion Ftrl Lamb Muon "
    "ScheduleFreeAdamW"
).split()
OPTIONS = {
    "plain": {},
    "ema_and_weight_decay": {
        "use_ema": True,
        "ema_overwrite_frequency": 3,
        "weight_decay": 0.01,
    },
    "clipnorm": {"clipnorm": 1.0},
    "global_clipnorm": {"global_clipnorm": 1.0},
}
# Clipping comes before the update rule and is the same code for all.
CLIPPED = ("SGD", "Adam")
ALGORITHM = tf_rigl.RigL(update_interval=2)
METHODS = {
    "rigl": tf_rigl.RigL(9, 1, decay="constant"),
    "set": tf_rigl.SET(9, 1, decay="constant"),
    "snfs": tf_rigl.SNFS(9, 1, decay="constant", redistribute=True),
    "after_the_step": tf_rigl.RigL(
        9, 1, decay="constant", skip_weight_update=False
    ),
}
# Optimizers with all slots that they can have, and methods with Adam's.
MOST_SLOTS = {
    "SGD": {"momentum": 0.9},
    "Adam": {"amsgrad": True},
    "RMSprop": {"momentum": 0.9, "centered": True},
}
GROWTH = [
    *((name, MOST_SLOTS.get(name, {}), "rigl") for name in NAMES),
    ("SGD", {"momentum": 0.9, "nesterov": True}, "rigl"),
    ("SGD", {"use_ema": True}, "rigl"),
    *(("Adam", {"amsgrad": True}, method) for method in [*METHODS][1:]),
]
CASES = [
    (name, option)
    for option in OPTIONS
    for name in (CLIPPED if "clip" in option else NAMES)
]


def own_optimizers(keras):
    return {
        name
        for name, cls in vars(keras.optimizers).items()
        if inspect.isclass(cls) and issubclass(cls, keras.optimizers.Optimizer)
    } - NOT_UPDATING


def of_each_keras(cases, is_slow=lambda case: False):
    """Parameters (keras, *case): by turns, where both have the optimizer.

    Those that `is_slow` names are slow in both.
    """
    known = [
        own_optimizers(importlib.import_module(one)) for one in support.FLAVORS
    ]
    for place, case in enumerate(cases):
        in_both = all(case[0] in names for names in known)
        for number, flavor in enumerate(support.FLAVORS):
            slow = is_slow(case) or (in_both and place % 2 != number)
            if case[0] in known[number]:
                yield pytest.param(
                    flavor, *case, marks=[pytest.mark.slow] if slow else []
                )


def is_option_of_all(case):
    """Averages and decay are the same code for all, as clipping is."""
    name, option = case
    return option != "plain" and name not in CLIPPED


def test_table_covers_every_optimizer(keras):
    assert own_optimizers(keras) - UNSUPPORTED <= set(NAMES)


@pytest.mark.parametrize(
    ("keras", "name", "option"),
    # NAMES are odd in number, so that the options take turns as well.
    of_each_keras(CASES, is_option_of_all),
    indirect=["keras"],
)
def test_masked_weights_and_slots_stay_zero(keras, name, option):
    """Compiled where the option is plain, else step by step."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    before = support.counts(model)
    optimizer = getattr(keras.optimizers, name)(0.01, **OPTIONS[option])

    class AfterEveryStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            support.assert_masked(model, optimizer)

    support.train(
        keras,
        model,
        ALGORITHM,
        optimizer=optimizer,
        samples=128,
        run_eagerly=option != "plain",
        callbacks=[AfterEveryStep()],
    )
    seen = support.assert_masked(model)
    assert support.counts(model) == before
    assert support.moved(model) > 0
    assert seen > 0 or (name, option) != ("Adam", "plain")


def grow(keras, optimizer, method):
    """Fills all slots with ones, updates the masks once.

    Returns the first weight, its mask before and its slots.
    """
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.5)
    tf_rigl.attach(optimizer, model, method)
    optimizer.build(model.trainable_variables)
    flavor, record = flavor_of(model), masked_weights(model)[0]
    found = list(slots.slots_of(flavor, optimizer, record))
    assert found
    for slot in found:
        assign_unguarded(slot, tf.ones(record.shape, slot.dtype))

    before = record.mask.numpy()
    random = np.random.default_rng(0)
    gradients = [
        tf.constant(random.normal(size=tuple(w.shape)), w.dtype)
        for w in model.trainable_variables
    ]
    optimizer.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )
    return record, before, found


@pytest.mark.parametrize(
    ("keras", "name", "options", "method"),
    of_each_keras(GROWTH),
    indirect=["keras"],
)
def test_new_connections_begin_at_zero(keras, name, options, method):
    """Slots as well, after a dense or foreign state was restored, too."""
    optimizer = getattr(keras.optimizers, name)(0.01, **options)
    record, before, found = grow(keras, optimizer, METHODS[method])
    after = record.mask.numpy()
    grown = after & ~before
    assert grown.any()
    assert not record.values().numpy()[grown].any()
    for slot in found:
        values = np.asarray(slot)
        assert not values[~after].any()
        fresh = slots.fresh_value(optimizer, slot)
        np.testing.assert_allclose(values[grown], fresh)
        # What stays keeps its state.
        assert values[after & before].all()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_optimizers_say_why(keras, name):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    optimizer = getattr(keras.optimizers, name)(0.01)
    with pytest.raises(ValueError, match="row and a column"):
        tf_rigl.attach(optimizer, model, tf_rigl.Static())


@support.one_keras("keras")
def test_dead_gradients_leave_ftrl_finite(keras):
    """A zero accumulator and a zero gradient would make 0 / 0."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    optimizer = keras.optimizers.Ftrl(0.01)
    model.compile(optimizer, support.crossentropy(keras))
    inputs, labels = support.make_data((20,), 128)
    support.fit(model, (inputs * 0, labels), ALGORITHM, batch_size=8)
    support.assert_masked(model)


def test_weight_decay_rests_while_masks_are_updated(keras):
    """The weight update of that batch is skipped, its decay included."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    before = [w.numpy() for w in model.trainable_weights]
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    algorithm = tf_rigl.RigL(stop_step=1, update_interval=1)
    support.train(
        keras, model, algorithm, optimizer=optimizer, samples=32, epochs=1
    )
    assert support.moved(model) > 0
    for old, new in zip(before, model.trainable_weights, strict=True):
        new = new.numpy()
        kept = new != 0
        np.testing.assert_array_equal(new[kept], old[kept])
