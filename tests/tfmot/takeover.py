import numpy as np

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.tfmot.wrappers import wrappers as find_wrappers

BATCH = 16


def sequential(keras):
    return support.make_mlp(keras, (24,))


def shared(keras):
    """A layer used twice, beside one that is used once."""
    inputs = keras.Input((20,))
    dense = keras.layers.Dense(20, activation="relu", name="twice")
    hidden = keras.layers.BatchNormalization()(dense(dense(inputs)))
    return keras.Model(inputs, keras.layers.Dense(10, name="out")(hidden))


def nested(keras):
    inner = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16, activation="relu", name="first"),
            keras.layers.Dropout(0.0),
        ],
        name="inner",
    )
    inputs = keras.Input((20,))
    return keras.Model(
        inputs, keras.layers.Dense(10, name="out")(inner(inputs)), name="outer"
    )


def convolutional(keras):
    inputs = keras.Input((20,))
    hidden = keras.layers.Reshape((5, 4))(inputs)
    hidden = keras.layers.SeparableConv1D(6, 3, name="separable")(hidden)
    hidden = keras.layers.Conv1D(5, 2, name="conv")(hidden)
    hidden = keras.layers.Flatten()(hidden)
    return keras.Model(inputs, keras.layers.Dense(10, name="out")(hidden))


def built_late(keras):
    return keras.Sequential(
        [keras.layers.Dense(12, activation="relu"), keras.layers.Dense(10)]
    )


MODELS = [sequential, shared, nested, convolutional, built_late]


def data():
    return support.make_data((20,), 96, classes=10)


def fit(model, callbacks=(), epochs=1):
    return support.fit(
        model, data(), callbacks=callbacks, batch_size=BATCH, epochs=epochs
    )


def compiled(keras, model, optimizer=None):
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        support.crossentropy(keras),
        metrics=["accuracy"],
    )
    return model


def pruned(tfmot, model, schedule, epochs=1, optimizer=None, **kwargs):
    model = tfmot.prune(model, pruning_schedule=schedule, **kwargs)
    compiled(tfmot.keras, model, optimizer)
    if not model.built:
        # TFMOT's callback wants to see the wrappers' variables.
        model(data()[0][:2])
    fit(model, [tfmot.step()], epochs)
    return model


def their_masks(model):
    """TFMOT's masks, by the identity of the weight."""
    return {
        id(flavor_of(model).raw(weight)): mask.numpy()
        for wrapper in wrappers(model)
        for weight, mask, _ in wrapper.pruning_vars
    }


def their_counts(model):
    return [int(mask.sum(dtype="float64")) for mask in masks_in_order(model)]


def our_counts(model):
    return list(support.counts(model).values())


def masks_in_order(model):
    return [m.numpy() for w in wrappers(model) for _, m, _ in w.pruning_vars]


def wrappers(model):
    return find_wrappers(flavor_of(model), model)


def assert_no_wrappers(model):
    names = {type(module).__name__ for module in model.submodules}
    assert "PruneLowMagnitude" not in names


def rigl():
    return tf_rigl.UpdateMasks(tf_rigl.RigL(stop_step=1000, update_interval=2))


def assert_same_masks(model, theirs):
    records = masked_weights(model)
    assert {id(record.storage.variable) for record in records} == set(theirs)
    for record in records:
        mask = theirs[id(record.storage.variable)]
        np.testing.assert_array_equal(record.mask.numpy(), mask == 1)
        assert set(np.unique(mask)) <= {0, 1}
    support.assert_masked(model, slots_too=False)
