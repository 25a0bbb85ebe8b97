"""SGD's momentum by one kernel: every bit as the optimizer's own rule."""

import dataclasses
import types

import numpy as np
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import momentum_kernel

# Two of eight steps update masks.
ALGORITHM = tf_rigl.RigL(stop_step=10, update_interval=4, start_step=1)


def decayed_rate(keras):
    return keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.7)


def trained(keras, optimizer, dtype, **kwargs):
    before = keras.backend.floatx()
    keras.backend.set_floatx(dtype)
    try:
        model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
        support.train(
            keras, model, ALGORITHM, optimizer=optimizer, epochs=1, **kwargs
        )
    finally:
        keras.backend.set_floatx(before)
    variables = [*model.variables, *model.optimizer.variables]
    return [np.asarray(v) for v in variables if "seed" not in v.name]


def kernels(monkeypatch):
    """The weights that the kernel takes a step of, as they are traced."""
    taken, own = [], momentum_kernel.apply

    def apply(flavor, optimizer, record, *args):
        taken.append(record.path)
        own(flavor, optimizer, record, *args)

    monkeypatch.setattr(momentum_kernel, "apply", apply)
    return taken


# Of each kind one for each Keras.
@support.keras_in_turn(
    "case",
    [
        (False, "float32", False),
        (True, "float32", False),
        (True, "float64", True),
        (False, "float64", True),
    ],
)
def test_every_bit_is_the_optimizers_own(monkeypatch, keras, case):
    nesterov, dtype, run_eagerly = case

    def optimizer():
        return keras.optimizers.SGD(
            decayed_rate(keras),
            momentum=0.9,
            nesterov=nesterov,
            weight_decay=0.01,
        )

    taken = kernels(monkeypatch)
    by_kernel = trained(keras, optimizer(), dtype, run_eagerly=run_eagerly)
    assert taken
    monkeypatch.setattr(momentum_kernel, "applies", lambda *_: False)
    taken.clear()
    expected = trained(keras, optimizer(), dtype, run_eagerly=run_eagerly)
    assert not taken
    assert len(by_kernel) == len(expected)
    for one, other in zip(by_kernel, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()


@support.keras_in_turn("jit_compile", [False, True])
def test_it_takes_the_steps_of_masked_weights_only(
    monkeypatch, keras, jit_compile
):
    taken = kernels(monkeypatch)
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    support.train(
        keras, model, tf_rigl.Static(), epochs=1, jit_compile=jit_compile
    )
    assert set(taken) == set(tf_rigl.masks(model))
    assert support.assert_masked(model) == len(tf_rigl.masks(model))


def own_rule(keras):
    class Halved(keras.optimizers.SGD):
        def update_step(self, gradient, variable, *args):
            super().update_step(0.5 * gradient, variable, *args)

    return Halved(0.1, momentum=0.9)


def own_rule_of_the_instance(keras):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    own = optimizer.update_step
    optimizer.__dict__["update_step"] = lambda gradient, *args: own(
        0.5 * gradient, *args
    )
    return optimizer


def without_momentum(keras):
    """Keras 3 makes no slots then."""
    return keras.optimizers.SGD(0.1)


def another(keras):
    return keras.optimizers.Adam(0.01)


@support.keras_in_turn(
    "make", [own_rule, own_rule_of_the_instance, without_momentum, another]
)
def test_other_rules_have_no_kernel(monkeypatch, keras, make):
    if make is without_momentum and keras.__name__ == "tf_keras":
        return  # its SGD has slots all the same
    taken = kernels(monkeypatch)
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    support.train(
        keras, model, tf_rigl.Static(), epochs=1, optimizer=make(keras)
    )
    assert not taken
    support.assert_masked(model)


def test_a_gpu_may_round_otherwise_and_large_weights_gain_nothing(
    keras, two_replicas
):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    flavor, record = flavor_of(model), masked_weights(model)[0]

    def applies(record):
        own = optimizer.update_step
        return momentum_kernel.applies(flavor, optimizer, own, record)

    def like(**changes):
        names = ("dtype", "device", "shape", "is_compressed")
        own = {name: getattr(record.storage, name) for name in names}
        return dataclasses.replace(
            record, storage=types.SimpleNamespace(**{**own, **changes})
        )

    assert applies(record)
    assert applies(like())
    # Replicas have variables of another kind.
    with two_replicas.scope():
        assert not applies(record)
    assert not applies(like(device="/device:GPU:0"))
    assert not applies(like(dtype=tf.bfloat16))
    assert applies(like(shape=(1024, 512)))
    assert not applies(like(shape=(1024, 513)))
    # What stands on the instance now is ours.
    tf_rigl.attach(optimizer, model, tf_rigl.Static())
    assert not applies(record)
