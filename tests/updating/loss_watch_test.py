"""The warning of a loss that jumps at a mask update and stays there."""

import random
import warnings

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.updating import loss_watch


def watch(losses, per_epoch, updates=(0, 100, 200), order=list):
    """What a watch finds after each epoch, given the losses of all batches."""
    one = loss_watch.LossWatch(lambda batch: batch in updates)
    found = []
    for first in range(0, len(losses), per_epoch):
        epoch = losses[first : first + per_epoch]
        means = np.cumsum(epoch) / np.arange(1, len(epoch) + 1)
        for batch in order(range(len(epoch))):
            one.after_batch(batch, {"loss": means[batch]})
        found.append(one.end_epoch())
    return found


def falling(batches):
    return list(2.4 * np.exp(-np.arange(batches) / 30) + 0.3)


def test_finds_a_jump_that_stays_and_the_update_before_it():
    found = watch([*falling(110), *[2.3] * 190], per_epoch=300)
    assert found[0].update == 100
    assert found[0].lowest == pytest.approx(0.4, abs=0.1)
    assert found[0].loss == pytest.approx(2.3)


def test_finds_it_in_a_later_epoch():
    losses = [*falling(215), *[2.3] * 185]
    assert [one is not None for one in watch(losses, 100)] == [
        False,
        False,
        False,
        True,
    ]


def test_order_of_the_batches_does_not_matter():
    """Keras 3 calls hooks in several threads."""
    losses = [*falling(110), *[2.3] * 190]

    def shuffled(batches):
        return random.Random(0).sample(list(batches), len(batches))

    assert watch(losses, 150, order=shuffled) == watch(losses, 150)


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("it recovers", [2.3] * 60 + falling(130)),
        ("it rises by less than half", [1.2] * 190),
        ("it is no number", [float("nan")] * 190),
        ("it goes on falling", [0.3] * 190),
    ],
)
def test_is_silent_if(name, tail):
    assert not any(watch([*falling(110), *tail], per_epoch=300)), name


def test_is_silent_if_no_update_was_near():
    losses = [*falling(310), *[2.3] * 190]
    assert not any(watch(losses, per_epoch=500))


def test_is_silent_if_nothing_was_learned():
    noise = np.random.default_rng(0).uniform(1.8, 2.8, 1000)
    assert not any(watch(list(noise), per_epoch=20))


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("zero", lambda random: np.zeros(1000)),
        ("negative", lambda random: random.normal(-1, 0.1, 1000)),
        ("of either sign", lambda random: random.normal(0, 0.1, 1000)),
        ("near zero", lambda random: random.lognormal(-4, 0.5, 1000)),
        ("mostly zero", lambda random: random.lognormal(-6, 2, 1000)),
    ],
)
def test_noise_is_no_jump(name, losses):
    """As in a second `fit`, which begins where the loss will stay."""
    found = [
        any(watch(list(losses(np.random.default_rng(seed))), 250, range(1000)))
        for seed in range(40)
    ]
    assert sum(found) <= 1, name


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_noise_hides_no_jump(noise):
    for seed in range(20):
        factors = np.random.default_rng(seed).lognormal(0, noise, 500)
        losses = factors * [*falling(210), *[2.3] * 290]
        assert any(watch(list(losses), 250)), seed


def test_finds_a_jump_of_a_negative_loss():
    losses = np.array([*falling(110), *[2.3] * 190]) - 3
    (found,) = watch(list(losses), 300)
    assert found.update == 100


# New connections begin far off, so that no unit of the hidden layer is ever
# active again.
DYING = {"grow_init": "gradient", "grow_scale": -1e4}


def train(keras, steps_per_execution=1, **arguments):
    """Trains for 240 steps, with one mask update after 100."""
    images, labels = support.make_data((20,), 512, classes=4)
    labels = np.argmax(images[:, :4], axis=1)
    model = tf_rigl.sparsify(support.make_mlp(keras, (32,)), 0.8)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        support.crossentropy(keras),
        steps_per_execution=steps_per_execution,
    )
    method = tf_rigl.RigL(
        stop_step=101,
        start_step=100,
        drop_fraction=1.0,
        decay="constant",
        **arguments,
    )
    support.fit(model, (images, labels), method, batch_size=32, epochs=15)


def test_warns_of_a_run_that_dies(keras):
    with pytest.warns(UserWarning, match="jumped .* at batch 100 .*") as caught:
        train(keras, **DYING)
    (warning,) = caught
    assert "gradient_steps=20" in str(warning.message)


@support.one_keras("keras")
def test_warns_with_several_steps_per_execution(keras):
    with pytest.warns(UserWarning, match="The loss has jumped"):
        train(keras, steps_per_execution=4, **DYING)


def test_is_silent_about_a_run_that_lives(keras):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(keras)


@support.one_keras("keras")
def test_a_train_step_of_ones_own_is_not_judged(keras):
    """It may log the loss of one batch, not the mean of the epoch so far."""

    class Own(keras.Model):
        def train_step(self, data):
            raise NotImplementedError

    requirements = tf_rigl.RigL().requirements
    assert not loss_watch.suits(Own(), requirements)
    assert loss_watch.suits(keras.Model(), requirements)
    assert not loss_watch.suits(
        keras.Model(), tf_rigl.GradualPruning().requirements
    )
