"""`Checkpoints`: what is saved, what is restored, and every fault."""

import functools
import os
import resource
import signal

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.checkpointing.training_state import TrainingState

STEPS_PER_EPOCH = 8
ALGORITHMS = {
    "rigl": (tf_rigl.RigL(update_interval=3), {}),
    "snfs": (tf_rigl.SNFS(update_interval=3), {}),
    "ste": (tf_rigl.STE(update_interval=3), {"start": "dense"}),
}


def make_model(keras, units=24, dropout=0.3, **arguments):
    """A compiled model whose training draws random numbers."""
    model = support.make_noisy(keras, units, dropout)
    random = np.random.default_rng(0)
    model.set_weights(
        [
            # Variances must be positive.
            abs(random.normal(size=w.shape, scale=0.2)).astype(w.dtype)
            for w in model.get_weights()
        ]
    )
    model = tf_rigl.sparsify(model, 0.8, **arguments)
    model.compile(keras.optimizers.Adam(0.01), support.crossentropy(keras))
    return model


def data():
    examples = support.make_data((20,), 256)
    data = tf.data.Dataset.from_tensor_slices(examples)
    return data.shuffle(256, seed=1).repeat().batch(32)


@functools.cache
def uninterrupted(keras, name="rigl"):
    algorithm, arguments = ALGORITHMS[name]
    model = make_model(keras, **arguments)
    model.optimizer.build(model.trainable_variables)
    fit(model, None, algorithm=algorithm)
    return values(model)


def fit(model, checkpoints, epochs=3, algorithm=None, callbacks=()):
    """Trains on from the newest checkpoint."""
    step = checkpoints.step if checkpoints else 0
    algorithm = algorithm or ALGORITHMS["rigl"][0]
    return model.fit(
        data().skip(step),
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=epochs,
        initial_epoch=step // STEPS_PER_EPOCH,
        shuffle=False,
        verbose=0,
        callbacks=[
            tf_rigl.UpdateMasks(algorithm),
            *([checkpoints] if checkpoints else []),
            *callbacks,
        ],
    )


class Interrupted(Exception):
    """The process would be gone."""


def after(keras, batches, action):
    """A callback that does something to the model after so many batches."""

    class After(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == batches:
                action(self.model)

    return After()


def interrupt(keras, batches):
    def end(model):
        raise Interrupted

    return after(keras, batches, end)


def values(model):
    return TrainingState.of(model, model.optimizer).values()


@pytest.mark.parametrize(
    ("name", "keras"),
    # Scores of every step are the state of `snfs`, too.
    support.in_turn(ALGORITHMS, lambda name: name == "ste"),
    indirect=["keras"],
)
def test_resumed_is_uninterrupted(keras, tmp_path, name):
    """Interrupted in the first epoch and in the middle of the second."""
    algorithm, arguments = ALGORITHMS[name]
    for batches, saved in ((6, 5), (14, 10)):
        model = make_model(keras, **arguments)
        with pytest.raises(Interrupted):
            fit(
                model,
                tf_rigl.Checkpoints(tmp_path, save_every=5),
                algorithm=algorithm,
                callbacks=[interrupt(keras, batches)],
            )
        assert tf_rigl.Checkpoints(tmp_path).step == saved
    model = make_model(keras, **arguments)
    fit(model, tf_rigl.Checkpoints(tmp_path, save_every=5), 3, algorithm)
    support.assert_all_equal(values(model), uninterrupted(keras, name))


@support.one_keras("tf_keras")
def test_by_epochs(keras, tmp_path):
    with pytest.raises(Interrupted):
        stop = interrupt(keras, 12)
        fit(make_model(keras), tf_rigl.Checkpoints(tmp_path), callbacks=[stop])
    checkpoints = tf_rigl.Checkpoints(tmp_path)
    assert checkpoints.steps == [8]
    model = make_model(keras)
    fit(model, checkpoints)
    assert checkpoints.steps == [16, 24]
    whole = uninterrupted(keras)
    support.assert_all_equal(values(model), whole)
    again = make_model(keras)
    assert fit(again, tf_rigl.Checkpoints(tmp_path)).history == {}
    support.assert_all_equal(values(again), whole)


def test_custom_loop(keras, tmp_path):
    """Also of a loss scale, whose variables hide."""
    checkpoints = tf_rigl.Checkpoints(tmp_path, keep=1)
    scaled = (
        keras.mixed_precision.LossScaleOptimizer
        if keras.__name__ == "tf_keras"
        else keras.optimizers.LossScaleOptimizer
    )

    def make():
        model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
        optimizer = scaled(keras.optimizers.SGD(0.1, momentum=0.9))
        tf_rigl.attach(
            optimizer, model, tf_rigl.RigL(stop_step=9, update_interval=2)
        )
        return model, optimizer

    model, optimizer = make()
    assert checkpoints.restore(model, optimizer) == 0
    step = tf.function(support.make_step(keras, model, optimizer))
    for number, batch in enumerate(support.batches(128), start=1):
        step(*batch)
        checkpoints.save(model, number, optimizer)
    assert checkpoints.steps == [4]
    other, its_optimizer = make()
    assert checkpoints.restore(other, its_optimizer) == 4
    names = TrainingState.of(model, optimizer).names
    assert any("scale" in name for name in names), names
    support.assert_all_equal(
        tf_rigl.training_variables(model, optimizer),
        tf_rigl.training_variables(other, its_optimizer),
    )


@pytest.mark.parametrize(
    ("case", "keras"),
    support.in_turn(
        [("epoch", 11, 8), (5, 6, 5)], is_slow=lambda case: case[0] == 5
    ),
    indirect=["keras"],
)
def test_kerass_own_checkpoints(keras, tmp_path, case):
    """`BackupAndRestore` restores masks, counters, slots and the schedule.

    Where a batch is not the last of its epoch, Keras 3 begins the epoch anew.
    """
    save_freq, interrupted, saved = case
    whole = make_model(keras, dropout=0.0)
    at = []
    remember = after(keras, saved, lambda model: at.extend(values(model)))
    fit(whole, None, callbacks=[remember])

    def backup():
        return keras.callbacks.BackupAndRestore(
            tmp_path / "backup", save_freq=save_freq
        )

    with pytest.raises(Interrupted):
        fit(
            make_model(keras, dropout=0.0),
            None,
            callbacks=[backup(), interrupt(keras, interrupted)],
        )
    model = make_model(keras, dropout=0.0)
    update, restored = tf_rigl.UpdateMasks(ALGORITHMS["rigl"][0]), {}

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            restored.update(enumerate(values(self.model)))

    model.fit(
        data().skip(saved),
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=3,
        shuffle=False,
        verbose=0,
        callbacks=[update, backup(), Look()],
    )
    for index, value in restored.items():
        np.testing.assert_array_equal(value, at[index])
    if save_freq == "epoch" or keras.__name__ == "tf_keras":
        support.assert_all_equal(values(model), values(whole))


@pytest.fixture
def written(keras, tmp_path):
    checkpoints = tf_rigl.Checkpoints(tmp_path)
    model = make_model(keras)
    checkpoints.save(model, 1)
    checkpoints.save(model, 2)
    return model, checkpoints, tmp_path / "step-000000000002.npz"


@support.one_keras("keras")
def test_truncated_at_every_kilobyte(written):
    """The file and the one before it are named; nothing is changed."""
    model, checkpoints, path = written
    whole = path.read_bytes()
    before = values(model)
    assert len(whole) > 8 * 1024
    for size in range(0, len(whole), 1024):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"step-000000000002.*step=1\)"):
            checkpoints.restore(model)
    support.assert_all_equal(before, values(model))
    assert checkpoints.restore(model, step=1) == 1
    path.write_bytes(whole)
    assert checkpoints.restore(model) == 2


@support.one_keras("tf_keras")
def test_flipped_bits(written):
    """Told, or of no consequence."""
    model, checkpoints, path = written
    whole = path.read_bytes()
    expected = values(model)
    random = np.random.default_rng(0)
    told = 0
    for _ in range(150):
        changed = bytearray(whole)
        changed[random.integers(len(whole))] ^= 1 << random.integers(8)
        path.write_bytes(changed)
        try:
            checkpoints.restore(model)
        except ValueError as error:
            assert str(path) in str(error)
            told += 1
        support.assert_all_equal(expected, values(model))
    assert told > 100


def test_of_another_model_optimizer_or_nothing_at_all(keras, written):
    model, checkpoints, path = written
    with pytest.raises(ValueError, match=r"same model.*step-000000000002"):
        checkpoints.restore(make_model(keras, units=25))
    model.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match="variables and not"):
        checkpoints.restore(model)
    np.savez(path, description=np.zeros(3))
    with pytest.raises(ValueError, match="is no whole checkpoint"):
        checkpoints.restore(model)
    with pytest.raises(ValueError, match=r"one of \[1, 2\].*step=7"):
        checkpoints.restore(model, step=7)


@support.one_keras("keras")
def test_within_epochs_and_at_their_ends(keras, tmp_path):
    """The end of an epoch is saved once; the run's own length counts."""
    checkpoints = tf_rigl.Checkpoints(
        tmp_path, keep=9, also_every=4, total_steps=15
    )
    history = fit(make_model(keras), checkpoints)
    assert checkpoints.steps == [4, 8, 12, 15]
    assert len(history.epoch) == 2


@pytest.mark.parametrize("on_failure", ["continue", "stop"])
def test_a_full_disk(keras, tmp_path, on_failure):
    """A limit of the size of files stands for the disk: writes fail."""
    checkpoints = tf_rigl.Checkpoints(tmp_path, on_failure=on_failure)
    model = make_model(keras)
    checkpoints.save(model, 1)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        if on_failure == "stop":
            with pytest.raises(OSError, match="last whole one is step 1"):
                checkpoints.save(model, 2)
        else:
            with pytest.warns(UserWarning, match="Training goes on"):
                checkpoints.save(model, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert os.listdir(tmp_path) == ["step-000000000001.npz"]
    assert checkpoints.restore(model) == 1
    checkpoints.save(model, 2)
    assert checkpoints.steps == [1, 2]


@support.one_keras("tf_keras")
def test_a_directory_that_cannot_be_one(keras, tmp_path):
    """Told before training; later, as with a full disk."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`directory` must be a directory"):
        fit(make_model(keras), tf_rigl.Checkpoints(tmp_path / "file"))
    checkpoints = tf_rigl.Checkpoints(tmp_path / "gone")
    model = make_model(keras)

    class Remove(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                (tmp_path / "gone" / "step-000000000008.npz").unlink()
                (tmp_path / "gone").rmdir()
                (tmp_path / "gone").write_text("")

    with pytest.warns(UserWarning, match="could not be written"):
        fit(model, checkpoints, callbacks=[Remove()])
    assert int(model.optimizer.iterations.numpy()) == 3 * STEPS_PER_EPOCH


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"save_every": 0}, "Received: save_every=0"),
        ({"save_every": "batch"}, "Received: save_every='batch'"),
        ({"keep": 0}, "Received: keep=0"),
        ({"on_failure": "ignore"}, "Received: on_failure='ignore'"),
        ({"also_every": -1}, "Received: also_every=-1"),
        ({"also_every": 2, "save_every": 5}, "save_every=5. Leave one"),
    ],
)
def test_arguments_are_checked(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        tf_rigl.Checkpoints(tmp_path, **arguments)


def test_a_model_without_weights_has_no_state(keras):
    model = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="not built"):
        tf_rigl.training_variables(model, keras.optimizers.SGD())
