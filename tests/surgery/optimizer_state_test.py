"""A smaller model that is compiled goes on with its optimizer's state."""

import functools

import numpy as np
import pytest

from tests import support as training
from tests.surgery import selection_test
from tests.surgery import support
from tests.surgery.shrink_test import close
from tests.surgery.shrink_test import units_left
from tf_rigl.surgery.prune_channels import prune_channels
from tf_rigl.surgery.shrink import shrink

DEAD = {"a": [0, 3], "b": [1, 2, 6]}


def network(keras):
    """Units without weights and bias, which a ReLU keeps as they are."""
    layers = keras.layers
    model = support.chain(
        keras,
        (6,),
        layers.Dense(8, "relu", name="a"),
        layers.Dense(7, "relu", name="b"),
        layers.Dense(3, name="out"),
    )
    support.randomize(model)
    for name, units in DEAD.items():
        support.erase(model.get_layer(name), units, "units", bias=True)
    return model


def adam(keras):
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)
    return keras.optimizers.Adam(rate)


def momentum(keras):
    return keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)


def averaged(keras):
    return keras.optimizers.Nadam(0.01, use_ema=True, ema_momentum=0.5)


def batch():
    random = np.random.default_rng(3)
    inputs = random.normal(size=(16, 6)).astype("float32")
    return inputs, random.normal(size=(16, 3)).astype("float32")


@training.keras_in_turn("make", [adam, momentum, averaged])
def test_training_goes_on(keras, make):
    """Three steps, then three more of both: the same network."""
    model = network(keras)
    model.compile(make(keras), "mse")
    for _ in range(3):
        model.train_on_batch(*batch())
    small, report = shrink(model, compiled=True)
    assert units_left(report) == {"a": 6, "b": 4, "out": 3}
    assert int(small.optimizer.iterations) == 3

    for one in (model, small):
        for _ in range(3):
            one.train_on_batch(*batch())
    assert int(small.optimizer.iterations) == 6
    inputs = batch()[0]
    outputs = [support.outputs_of(one, inputs) for one in (small, model)]
    close(*outputs, 1e-5)
    if make is averaged:
        for one in (model, small):
            one.optimizer.finalize_variable_values(one.trainable_variables)
        averages = [support.outputs_of(one, inputs) for one in (small, model)]
        close(*averages, 1e-5)
        assert np.abs(averages[0] - outputs[0]).max() > 1e-4


@training.keras_in_turn("built", [True, False])
def test_weights_that_do_not_decay(keras, built):
    """By variable and by name, which the configuration leaves out."""
    model = network(keras)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(
        var_list=[model.get_layer("b").kernel], var_names=["bias"]
    )
    model.compile(optimizer, "mse")
    if built:
        model.train_on_batch(*batch())
    small, _ = shrink(model, compiled=True)
    decays = [
        small.optimizer._use_weight_decay(one)
        for one in small.trainable_variables
    ]
    assert decays == [True, False, False, False, True, False]
    for one in (model, small):
        for _ in range(3):
            one.train_on_batch(*batch())
    inputs = batch()[0]
    close(*(support.outputs_of(one, inputs) for one in (small, model)), 1e-5)


def test_slots_of_some_weights():
    """Muon has velocities of Adam for biases and the like, and None else."""
    keras = training.fresh_keras("keras")
    model = network(keras)
    model.compile(keras.optimizers.Muon(0.01), "mse", jit_compile=False)
    for _ in range(3):
        model.train_on_batch(*batch())
    small, _ = shrink(model, compiled=True)
    stays = np.setdiff1d(np.arange(8), DEAD["a"])
    for name in ("adam_velocities", "momentums"):
        slots, left = (getattr(one.optimizer, name) for one in (model, small))
        # Those of the kernel of `a`, and of its bias, which changed.
        assert (slots[0] is None) == (left[0] is None) == name.startswith("a")
        values = slots[1].numpy()
        assert values.any()
        np.testing.assert_array_equal(left[1].numpy(), values[stays])


def test_slots_that_are_weights_take_up_constants():
    """ScheduleFreeAdamW trains copies, towards which weights are averaged."""
    keras = training.fresh_keras("keras")
    model = network(keras)
    optimizer = keras.optimizers.ScheduleFreeAdamW(0.01)
    model.compile(optimizer, "mse", jit_compile=False)
    for _ in range(3):
        model.train_on_batch(*batch())
    # Constants of 2 behind the ReLU, which the bias of `b` takes up.
    bias = model.get_layer("a").bias
    bias.assign(np.where(np.isin(np.arange(8), DEAD["a"]), 2.0, bias.numpy()))
    optimizer._momentums[1].assign(bias)
    small, report = shrink(model, compiled=True)
    assert units_left(report)["a"] == 6
    inputs = batch()[0]
    for one in (model, small):
        one.optimizer.learning_rate = 0.0
        for _ in range(3):
            one.train_on_batch(*batch())
    close(*(support.outputs_of(one, inputs) for one in (small, model)), 1e-5)


def test_compilation_that_cannot_be_repeated():
    """Of a class that compiles in a way of its own."""
    keras = training.fresh_keras("keras")

    class Own(keras.Model):
        def compile(self, optimizer, share=0.1, **kwargs):
            super().compile(optimizer=optimizer, **kwargs)
            self.share = share

    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(8, "relu", name="a")(inputs)
    model = Own(inputs, keras.layers.Dense(3, name="out")(hidden))
    model.compile("adam", loss="mse")
    before = model.get_weights()
    with (
        pytest.warns(UserWarning, match="method is custom"),
        pytest.raises(ValueError, match=r"of Own\. Override `get_compile"),
    ):
        shrink(model, compiled=True)
    training.assert_all_equal(model.get_weights(), before)


@pytest.mark.parametrize(
    "function", [shrink, functools.partial(prune_channels, ratio=0.5)]
)
def test_optimizers_of_an_older_kind(function):
    keras = training.fresh_keras("tf_keras")
    model = network(keras)
    model.compile(keras.optimizers.legacy.Adam(), "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"no `update_step`\. Use"):
        function(model, compiled=True)
    training.assert_all_equal(model.get_weights(), before)


@training.one_keras("tf_keras")
def test_training_goes_on_without_chosen_channels(keras):
    """Those that are dead, so that the large model is the oracle."""
    model = network(keras)
    model.compile(momentum(keras), "mse")
    for _ in range(3):
        model.train_on_batch(*batch())
    masks = {
        name: ~np.isin(np.arange(model.get_layer(name).units), units)
        for name, units in DEAD.items()
    }
    small, report = prune_channels(model, masks=masks, compiled=True)
    assert units_left(report) == {"a": 6, "b": 4, "out": 3}
    assert int(small.optimizer.iterations) == 3
    for one in (model, small):
        for _ in range(3):
            one.train_on_batch(*batch())
    inputs = batch()[0]
    close(*(support.outputs_of(one, inputs) for one in (small, model)), 1e-5)


def test_slots_are_cut_and_a_new_bias_has_new_ones(keras):
    layers = keras.layers
    model = support.chain(
        keras,
        (6,),
        layers.Dense(8, name="a"),
        layers.Dense(3, use_bias=False, name="out"),
    )
    support.randomize(model)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    model.train_on_batch(*batch())
    support.erase(model.get_layer("a"), [2], "units")
    small, _ = shrink(model, compiled=True)

    before, after = (
        [np.asarray(one) for one in model_.optimizer.momentums]
        for model_ in (model, small)
    )
    alive = [0, 1, 3, 4, 5, 6, 7]
    names = [weight.name.split("/")[-1] for weight in small.weights]
    assert [name.split(":")[0] for name in names] == [
        "kernel",
        "bias",
        "kernel",
        "bias",
    ]
    training.assert_all_equal(
        after,
        [before[0][:, alive], before[1][alive], before[2][alive], np.zeros(3)],
    )
    assert np.abs(after[2]).min() > 0


@training.one_keras("keras")
def test_an_optimizer_without_a_state(keras):
    model = network(keras)
    model.compile(adam(keras), "mse")
    small, _ = shrink(model, compiled=True)
    assert int(small.optimizer.iterations) == 0
    small.train_on_batch(*batch())


@training.one_keras("tf_keras")
def test_loss_scales(keras):
    wrapper = (
        getattr(keras.mixed_precision, "LossScaleOptimizer", None)
        or keras.optimizers.LossScaleOptimizer
    )
    model = network(keras)
    model.compile(wrapper(adam(keras)), "mse")
    for _ in range(3):
        model.train_on_batch(*batch())
    small, _ = shrink(model, compiled=True)
    for one in (model, small):
        one.train_on_batch(*batch())
    inputs = batch()[0]
    close(*(support.outputs_of(one, inputs) for one in (small, model)), 1e-5)


@training.one_keras("keras")
def test_layers_that_go_leave_no_slots(keras):
    """A selection is put in front of one block, the other one goes."""
    model = selection_test.pre_activation(keras)
    support.randomize(model)
    model.compile(momentum(keras), "mse")
    inputs = support.example(model)
    model.train_on_batch(inputs, np.zeros((3, 5)))
    selection_test.kill(model, {"norm_a": range(5)})
    for name in ("norm_b", "conv_b"):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros(one.shape) for one in layer.get_weights()])

    small, report = shrink(model, compiled=True)
    assert [row.path for row in report.rows if row.gone] == ["norm_b", "conv_b"]
    slots = [np.asarray(one) for one in small.optimizer.momentums]
    assert [one.shape for one in slots] == [
        tuple(one.shape) for one in small.trainable_variables
    ]
    kept = np.asarray(model.optimizer.momentums[1])[5:]
    gamma = small.get_layer("norm_a").gamma
    (place,) = (
        at for at, one in enumerate(small.trainable_variables) if one is gamma
    )
    np.testing.assert_array_equal(slots[place], kept)
    assert kept.any()
    small.train_on_batch(inputs, np.zeros((3, 5)))
