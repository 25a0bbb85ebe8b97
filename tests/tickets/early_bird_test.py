"""The callback: when masks are taken, where it stops, how it goes on."""

import os
import signal
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.core import early_bird

EPOCHS = 5


def make_model(keras, **options):
    """Two layers with 12 and 8 scales."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(12, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="first", **options),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(8, name="dense"),
            layers.BatchNormalization(name="second"),
            layers.Dense(3, name="logits"),
        ]
    )


def fit(keras, model, callbacks, epochs=EPOCHS, compiles=True, **kwargs):
    if compiles:
        model.compile(
            keras.optimizers.SGD(0.3, momentum=0.9),
            support.crossentropy(keras),
        )
    data = support.make_data((6, 6, 3))
    support.fit(
        model, data, callbacks=callbacks, epochs=epochs, batch_size=16, **kwargs
    )


def watch(keras):
    """A callback, and the scales that it sees before each epoch."""
    seen = {}

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layers = [self.model.get_layer(n) for n in ("first", "second")]
            seen[epoch] = np.concatenate([x.gamma.numpy() for x in layers])

    return Watch(), seen


def kept(masks):
    return np.concatenate(list(masks.values()))


def test_masks_are_those_before_each_epoch(keras):
    model = make_model(keras)
    watching, seen = watch(keras)
    tickets = [
        tf_rigl.EarlyBird(ratio, stop=False) for ratio in (0.3, 0.5, 0.7)
    ]
    fit(keras, model, [watching, *tickets])

    for ticket, ratio in zip(tickets, (0.3, 0.5, 0.7), strict=True):
        # The last is that before an epoch that did not come.
        assert ticket.epochs == list(range(EPOCHS + 1))
        masks = [ticket.masks_at(epoch) for epoch in range(EPOCHS)]
        for epoch, mask in enumerate(masks):
            assert list(mask) == ["first/gamma", "second/gamma"]
            assert mask["first/gamma"].shape == (12,)
            np.testing.assert_array_equal(
                kept(mask), early_bird.scale_mask(seen[epoch], ratio)
            )
        found = ticket.distances
        assert found.shape == (EPOCHS + 1, EPOCHS + 1)
        assert found[1, 4] == tf_rigl.mask_distance(masks[1], masks[4])
        assert found[:EPOCHS, :EPOCHS].max() > 0


@support.keras_in_turn("kind", ["subclassed", "nested"])
def test_models_of_other_kinds(keras, kind):
    """The same network draws the same masks, whatever holds its layers."""
    masks = []
    for other in (None, kind):
        keras.utils.set_random_seed(0)
        plain = model = make_model(keras)
        if other == "subclassed":

            class Own(keras.Model):
                def __init__(self, layers):
                    super().__init__()
                    self.own = layers

                def call(self, inputs, training=None):
                    return self.own(inputs, training=training)

            model = Own(plain)
            model(np.zeros((1, 6, 6, 3), "float32"))
        elif other == "nested":
            inputs = keras.Input((6, 6, 3))
            model = keras.Model(inputs, plain(inputs))
        ticket = tf_rigl.EarlyBird(0.5, stop=False)
        fit(keras, model, [ticket], shuffle=False)
        masks.append([ticket.masks_at(epoch) for epoch in ticket.epochs])
        paths = list(ticket.masks_at(0))
    assert all(path.endswith(("first/gamma", "second/gamma")) for path in paths)
    for before, after in zip(*masks, strict=True):
        np.testing.assert_array_equal(kept(before), kept(after))


@support.keras_in_turn("compare", ["window", "consecutive"])
def test_stops_before_the_epoch_of_the_ticket(keras, compare):
    """With a threshold that any masks keep, at the earliest epoch."""
    model = make_model(keras)
    watching, seen = watch(keras)
    ticket = tf_rigl.EarlyBird(0.5, threshold=1.0, window=3, compare=compare)
    assert ticket.epoch is ticket.masks is None
    fit(keras, model, [watching, ticket])

    earliest = {"window": 2, "consecutive": 3}[compare]
    assert ticket.epoch == earliest
    assert list(seen) == list(range(earliest))
    assert int(model.optimizer.iterations.numpy()) == 4 * earliest
    # The scales that the model has now are those of the ticket.
    scales = [model.get_layer(n).gamma.numpy() for n in ("first", "second")]
    np.testing.assert_array_equal(
        kept(ticket.masks),
        early_bird.scale_mask(np.concatenate(scales), 0.5),
    )


@support.one_keras("keras")
def test_a_second_fit(keras):
    """It begins anew from epoch 0, and goes on from a later one."""
    model = make_model(keras)
    ticket = tf_rigl.EarlyBird(0.5, threshold=1.0, window=5)
    fit(keras, model, [ticket], epochs=2)
    first = ticket.masks_at(0)
    assert ticket.epochs == [0, 1, 2]
    fit(keras, model, [ticket], epochs=2, compiles=False)
    assert ticket.epochs == [0, 1, 2] and ticket.epoch is None
    assert tf_rigl.mask_distance(first, ticket.masks_at(0)) > 0

    fit(keras, model, [ticket], 9, compiles=False, initial_epoch=2)
    assert ticket.epochs == [0, 1, 2, 3, 4] and ticket.epoch == 4

    # A gap: what was before does not count.
    fit(keras, model, [ticket], 12, compiles=False, initial_epoch=4)
    other = tf_rigl.EarlyBird(0.5, threshold=1.0, window=3)
    fit(keras, model, [other], 1, compiles=False)
    fit(keras, model, [other], 9, compiles=False, initial_epoch=3)
    assert other.epochs == [0, 1, 3, 4, 5] and other.epoch == 5


class Stopped(Exception):
    pass


def act_at(keras, epoch, batch, act):
    """A callback that calls a function after a batch."""

    class Act(keras.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.is_epoch = number == epoch

        def on_train_batch_end(self, number, logs=None):
            if self.is_epoch and number == batch:
                act()

    return Act()


def stop_at(keras, epoch, batch):
    def stop():
        raise Stopped

    return act_at(keras, epoch, batch, stop)


@pytest.mark.parametrize(
    "save_every", [1, pytest.param("epoch", marks=pytest.mark.slow)]
)
@support.one_keras("keras")
def test_goes_on_in_the_middle_of_the_queue(keras, tmp_path, save_every):
    """As one that was not stopped, also from a checkpoint amid an epoch."""
    whole = tf_rigl.EarlyBird(0.5, stop=False)
    fit(keras, make_model(keras), [whole])

    keras.utils.set_random_seed(1)
    path = tmp_path / "new" / "masks.npz"
    begun = []
    for last in (stop_at(keras, 3, 2), None):
        ticket = tf_rigl.EarlyBird(0.5, stop=False, path=path)
        checkpoints = tf_rigl.Checkpoints(
            tmp_path / "c", save_every, total_steps=4 * EPOCHS
        )
        begun.append(checkpoints.step)
        callbacks = [ticket, checkpoints, *([] if last is None else [last])]
        try:
            train_on(keras, make_model(keras), callbacks, checkpoints.step)
        except Stopped:
            assert last is not None
    assert begun == [0, 12 if save_every == "epoch" else 15]
    assert ticket.epochs == whole.epochs
    np.testing.assert_array_equal(ticket.distances, whole.distances)
    for epoch in ticket.epochs:
        np.testing.assert_array_equal(
            kept(ticket.masks_at(epoch)), kept(whole.masks_at(epoch))
        )
    assert os.listdir(path.parent) == ["masks.npz"]


def train_on(keras, model, callbacks, step):
    """Trains from a batch on, 4 each epoch: the rest of one, then others."""
    data = tf.data.Dataset.from_tensor_slices(support.make_data((6, 6, 3)))
    data = data.batch(16).repeat()
    model.compile(
        keras.optimizers.SGD(0.3, momentum=0.9), support.crossentropy(keras)
    )
    model.optimizer.build(model.trainable_variables)
    while step < 4 * EPOCHS:
        epoch, amid = divmod(step, 4)
        until = epoch + 1 if amid else EPOCHS
        model.fit(
            data.skip(step),
            epochs=until,
            steps_per_epoch=4 - amid,
            initial_epoch=epoch,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
        step = 4 * until


@support.one_keras("tf_keras")
def test_a_ticket_in_the_file(keras, tmp_path):
    path = tmp_path / "masks.npz"
    ticket = tf_rigl.EarlyBird(0.5, threshold=1.0, window=2, path=path)
    fit(keras, make_model(keras), [ticket])
    again = tf_rigl.EarlyBird(0.5, threshold=1.0, window=2, path=path)
    assert again.epoch == ticket.epoch == 1
    np.testing.assert_array_equal(kept(again.masks), kept(ticket.masks))
    # With another threshold and queue, the same masks.
    other = tf_rigl.EarlyBird(0.5, threshold=0.0, window=2, path=path)
    assert other.epochs == [0, 1] and other.epoch is None

    for arguments in ({"ratio": 0.3}, {"ratio": 0.5, "preset": "reference"}):
        with pytest.raises(ValueError, match="for a file with"):
            tf_rigl.EarlyBird(**arguments, path=path)
    path.write_text("no masks")
    with pytest.raises(ValueError, match="that EarlyBird has written"):
        tf_rigl.EarlyBird(0.5, path=path)


@support.one_keras("tf_keras")
def test_masks_of_another_model(keras, tmp_path):
    path = tmp_path / "masks.npz"
    fit(keras, make_model(keras), [tf_rigl.EarlyBird(0.5, path=path)], 1)
    other = support.make_noisy(keras)
    other.compile("sgd", support.crossentropy(keras))
    ticket = tf_rigl.EarlyBird(0.5, path=path)
    data = support.make_data((20,))
    with pytest.raises(ValueError, match=r"normalization/gamma.*in epoch 1 "):
        other.fit(*data, epochs=2, initial_epoch=1, callbacks=[ticket])
    other.fit(*data, callbacks=[ticket], verbose=0)
    assert list(ticket.masks_at(1)) == ["normalization/gamma"]


@support.one_keras("keras")
def test_replicas(keras, two_replicas):
    with two_replicas.scope():
        model = make_model(keras)
        ticket = tf_rigl.EarlyBird(0.5, threshold=1.0, window=2)
        fit(keras, model, [ticket])
    assert ticket.epoch == 1
    scales = [model.get_layer(n).gamma.numpy() for n in ("first", "second")]
    np.testing.assert_array_equal(
        kept(ticket.masks),
        early_bird.scale_mask(np.concatenate(scales), 0.5),
    )


@support.one_keras("keras")
def test_layers_without_scales(keras):
    model = make_model(keras, scale=False)
    ticket = tf_rigl.EarlyBird(0.5)
    with pytest.warns(UserWarning, match=r"without a scale: \['first'\]"):
        fit(keras, model, [ticket], 1)
    assert list(ticket.masks_at(0)) == ["second/gamma"]

    plain = support.make_mlp(keras)
    plain.compile("sgd", support.crossentropy(keras))
    with pytest.raises(ValueError, match="Received: no such layer"):
        plain.fit(*support.make_data((20,)), callbacks=[ticket])


@support.one_keras("tf_keras")
def test_a_model_that_is_not_built(keras):
    model = keras.Sequential(
        [keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    )
    model.compile("sgd", support.crossentropy(keras))
    with pytest.raises(ValueError, match="must be built"):
        model.fit(*support.make_data((20,)), callbacks=[tf_rigl.EarlyBird(0.5)])


@support.one_keras("keras")
def test_scales_that_are_not_finite(keras):
    model = make_model(keras)
    model.get_layer("first").gamma.assign([np.nan] * 12)
    with pytest.raises(FloatingPointError, match="12 of 20 scales"):
        fit(keras, model, [tf_rigl.EarlyBird(0.5)], 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"ratio": 0}, r"`ratio` must leave .* in \(0, 1\).*ratio=0"),
        ({"ratio": 1.0}, r"in \(0, 1\).*ratio=1\.0"),
        ({"ratio": "half"}, r"ratio='half'"),
        ({"ratio": 0.5, "threshold": 1.5}, "threshold=1.5"),
        ({"ratio": 0.5, "window": 0}, "window=0"),
        ({"ratio": 0.5, "compare": "last"}, "compare='last'"),
        ({"ratio": 0.5, "preset": "paper"}, "preset='paper'"),
    ],
)
def test_bad_arguments(arguments, error):
    with pytest.raises(ValueError, match=error):
        tf_rigl.EarlyBird(**arguments)


def test_an_unknown_epoch():
    with pytest.raises(ValueError, match="epoch=3"):
        tf_rigl.EarlyBird(0.5).masks_at(3)


@pytest.mark.slow
@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_kills(flavor, tmp_path):
    """Killed in every epoch by SIGKILL, it ends as one that was not."""
    expected = support.run_python(__file__, flavor, tmp_path / "whole", 0)
    for kill in range(2, 4 * EPOCHS, 5):
        done = support.start_python(__file__, flavor, tmp_path / "killed", kill)
        assert done.returncode == -signal.SIGKILL, done.stderr
    found = support.run_python(__file__, flavor, tmp_path / "killed", 0)
    assert found == expected


def train_until(flavor, folder, kill):
    """Trains on from checkpoints; ends its process after batch `kill`."""
    keras = support.fresh_keras(flavor)

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == kill:
                os.kill(os.getpid(), signal.SIGKILL)

    ticket = tf_rigl.EarlyBird(0.5, stop=False, path=f"{folder}/masks.npz")
    checkpoints = tf_rigl.Checkpoints(
        f"{folder}/checkpoints", 2, total_steps=4 * EPOCHS
    )
    callbacks = [ticket, checkpoints, Kill()]
    train_on(keras, make_model(keras), callbacks, checkpoints.step)
    print(ticket.epochs, ticket.epoch, ticket.distances.tolist())


if __name__ == "__main__":
    train_until(sys.argv[1], sys.argv[2], int(sys.argv[3]))
