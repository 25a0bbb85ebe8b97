"""Every optimizer of both flavors, every option: masks hold exactly."""

import importlib
import inspect

import numpy as np
import pytest

import tf_rigl
from tests import support

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


def of_each_keras(cases):
    """Parameters (keras, *case): by turns, where both have the optimizer."""
    known = [
        own_optimizers(importlib.import_module(one)) for one in support.FLAVORS
    ]
    for place, case in enumerate(cases):
        in_both = all(case[0] in names for names in known)
        for number, flavor in enumerate(support.FLAVORS):
            slow = in_both and place % 2 != number
            if case[0] in known[number]:
                yield pytest.param(
                    flavor, *case, marks=[pytest.mark.slow] if slow else []
                )


def test_table_covers_every_optimizer(keras):
    assert own_optimizers(keras) - UNSUPPORTED <= set(NAMES)


@pytest.mark.parametrize(
    ("keras", "name", "option"),
    # NAMES are odd in number, so that the options take turns as well.
    of_each_keras(CASES),
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
    slots = support.assert_masked(model)
    assert support.counts(model) == before
    assert support.moved(model) > 0
    assert slots > 0 or (name, option) != ("Adam", "plain")


@pytest.mark.parametrize(
    ("keras", "name"),
    of_each_keras([(name,) for name in NAMES]),
    indirect=["keras"],
)
def test_new_connections_start_at_zero_with_fresh_slots(keras, name):
    """One step, which updates the masks: what grew has moved nowhere yet."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    optimizer = getattr(keras.optimizers, name)(0.01)
    arguments = {"optimizer": optimizer, "epochs": 1, "run_eagerly": True}
    support.train(keras, model, None, samples=64, **arguments)
    before = tf_rigl.masks(model)
    algorithm = tf_rigl.RigL(
        start_step=2, stop_step=20, update_interval=8, decay="constant"
    )
    support.train(keras, model, algorithm, samples=32, **arguments)
    flavor = support.flavor_of(model)
    for weight in support.masked_weights(model):
        grown = weight.mask.numpy() & ~before[weight.path]
        assert grown.any()
        assert not np.any(weight.values().numpy()[grown])
        for slot in support.slots.slots_of(flavor, optimizer, weight):
            fresh = support.slots.fresh_value(optimizer, slot)
            values = flavor.raw(slot).numpy()[grown]
            np.testing.assert_allclose(values, fresh)


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


@support.one_keras("tf_keras")
def test_slots_are_zero_at_new_connections_only(keras):
    """Adam's are fresh where a connection is new, and as before elsewhere."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.7)
    optimizer = keras.optimizers.Adam(0.01)
    algorithm = tf_rigl.RigL(9, 9, start_step=4, drop_fraction=0.5)
    flavor = support.flavor_of(model)
    for step in support.take_steps(keras, model, algorithm, 5, optimizer):
        slots = [
            (weight, flavor.raw(slot).numpy())
            for weight in support.masked_weights(model)
            for slot in support.slots.slots_of(flavor, optimizer, weight)
        ]
        if step == 3:
            before, masks = slots, tf_rigl.masks(model)
    assert len(slots) == len(before) == 4
    for (weight, new), (_, old) in zip(slots, before, strict=True):
        mask = weight.mask.numpy()
        grown = mask & ~masks[weight.path]
        assert np.any(grown)
        assert not np.any(new[grown])
        np.testing.assert_array_equal(new[mask & ~grown], old[mask & ~grown])
        assert np.mean(new[mask & ~grown] != 0) > 0.5
