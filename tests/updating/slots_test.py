"""Slots of new connections, whatever they held before."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots

OPTIMIZERS = {
    "sgd": lambda o: o.SGD(0.01, momentum=0.9),
    "nesterov": lambda o: o.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda o: o.Adam(amsgrad=True),
    "adamw": lambda o: o.AdamW(),
    "nadam": lambda o: o.Nadam(),
    "adamax": lambda o: o.Adamax(),
    "adagrad": lambda o: o.Adagrad(),
    "adadelta": lambda o: o.Adadelta(),
    "rmsprop": lambda o: o.RMSprop(momentum=0.9, centered=True),
    "lion": lambda o: o.Lion(),
    "average": lambda o: o.SGD(0.01, use_ema=True),
}
METHODS = {
    "rigl": lambda: tf_rigl.RigL(9, 1, decay="constant"),
    "set": lambda: tf_rigl.SET(9, 1, decay="constant"),
    "snfs": lambda: tf_rigl.SNFS(9, 1, decay="constant", redistribute=True),
    "after_the_step": lambda: tf_rigl.RigL(
        9, 1, decay="constant", skip_weight_update=False
    ),
}


def grow(keras, make, method):
    """Fills all slots with ones, updates the masks once.

    Returns the slots of the first weight, its mask before and after.
    """
    model = tf_rigl.sparsify(support.make_mlp(keras, (30,)), 0.5)
    optimizer = make(keras.optimizers)
    tf_rigl.attach(optimizer, model, method)
    optimizer.build(model.trainable_variables)
    record = masked_weights(model)[0]
    found = list(slots.slots_of(flavor_of(optimizer), optimizer, record))
    assert found
    for slot in found:
        slot.assign(tf.ones_like(tf.convert_to_tensor(slot)))

    before = record.mask.numpy()
    random = np.random.default_rng(0)
    gradients = [
        tf.constant(random.normal(size=tuple(w.shape)), w.dtype)
        for w in model.trainable_variables
    ]
    optimizer.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )
    return [np.asarray(slot) for slot in found], before, record.mask.numpy()


@pytest.mark.parametrize(
    ("name", "flavor"), support.in_turn([*OPTIMIZERS, *METHODS])
)
def test_new_connections_begin_at_zero(name, flavor):
    """After a dense or foreign state was restored, too."""
    keras = pytest.importorskip(flavor)
    make = OPTIMIZERS.get(name, OPTIMIZERS["adam"])
    method = METHODS.get(name, METHODS["rigl"])()
    found, before, after = grow(keras, make, method)
    grown = after & ~before
    assert grown.any()
    for slot in found:
        assert not slot[~after].any()
        assert not slot[grown].any()
        # What stays keeps its state.
        assert slot[after & before].all()
