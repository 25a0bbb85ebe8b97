"""Compiled training steps: kept where nothing changed, else traced anew."""

import pytest

import tf_rigl
from tests import support

RIGL = tf_rigl.RigL(stop_step=1000, update_interval=2)
DATA = support.make_data((20,), 64)


class Traced:
    """A sparse model whose loss counts how often it is traced."""

    def __init__(self, keras, optimizer=None):
        self.keras = keras
        self.count = 0
        self.model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
        self.compile(optimizer or keras.optimizers.Adam(0.01))

    def compile(self, optimizer):
        loss = support.crossentropy(self.keras)

        def counted(labels, outputs):
            self.count += 1
            return loss(labels, outputs)

        self.model.compile(optimizer, counted)

    def fit(self, algorithm=None, callbacks=(), **kwargs):
        traces, moves = self.count, support.moved(self.model)
        support.fit(
            self.model, DATA, algorithm, callbacks, batch_size=16, **kwargs
        )
        support.assert_masked(self.model, slots_too=False)
        return self.count - traces, support.moved(self.model) - moves


@pytest.mark.parametrize(
    ("algorithm", "keras"),
    support.in_turn([RIGL, tf_rigl.RigL(update_interval=2)]),
    indirect=["keras"],
)
def test_a_later_fit_traces_nothing(keras, algorithm):
    """By turns without and with the callback; masks move with it only.

    However many mask updates there are, they are traced once.
    """
    traced = Traced(keras)
    for round_ in range(3):
        for one in (None, algorithm):
            traces, moves = traced.fit(one, epochs=5)
            assert (moves > 0) == (one is algorithm)
            assert traces == (round_ == 0)


@support.one_keras("tf_keras")
def test_what_has_changed_is_traced(keras):
    traced = Traced(keras)
    traced.fit(RIGL)
    assert traced.fit(tf_rigl.Static())[1] == 0
    traces, moves = traced.fit(tf_rigl.SET(stop_step=1000, update_interval=2))
    assert traces and moves

    traced.model.layers[0].trainable = False
    traced.compile(traced.model.optimizer.__class__(0.01))
    traces, moves = traced.fit(RIGL)
    assert traces and moves


@support.one_keras("keras")
def test_a_step_that_the_user_has_made_anew(keras):
    """As Keras's documentation advises after a layer was frozen."""
    traced = Traced(keras)
    traced.fit(RIGL)
    assert traced.fit(RIGL)[0] == 0
    for force in (True, False):
        if force:
            traced.model.make_train_function(force=True)
        else:
            traced.model.train_function = None
        traces, moves = traced.fit(RIGL)
        assert traces and moves
        assert traced.fit(RIGL)[0] == 0


def interruption(keras):
    """Ends a `fit` as Ctrl-C does in a notebook."""

    def interrupt(batch, logs):
        raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)


def test_plain_fit_after_an_interrupted_one(keras):
    """The step that was left in place goes, and so do its mask updates."""
    traced = Traced(keras)
    with pytest.raises(KeyboardInterrupt):
        traced.fit(RIGL, [interruption(keras)])
    assert traced.fit()[1] == 0
    assert traced.fit(RIGL)[1] > 0
    with pytest.raises(KeyboardInterrupt):
        traced.fit(RIGL, [interruption(keras)])
    traced.compile(keras.optimizers.SGD(0.1))
    assert traced.fit()[1] == 0


@support.one_keras("tf_keras")
def test_a_part_that_was_interrupted(keras):
    """The whole trains it with its own optimizer."""
    part = Traced(keras)
    with pytest.raises(KeyboardInterrupt):
        part.fit(RIGL, [interruption(keras)])
    whole = keras.Sequential([part.model, keras.layers.Dense(10)])
    whole.build((None, 20))
    moved = support.moved(whole)
    support.train(keras, whole, RIGL, 1)
    assert support.moved(whole) > moved
    support.assert_masked(whole)


@support.one_keras("keras")
def test_a_fit_of_batches_after_an_interrupted_one(keras):
    """A `fit` of the user's own is not one that is under way."""

    class Own(keras.Sequential):
        def fit(self, *args, **kwargs):
            if kwargs:
                return super().fit(*args, **kwargs)
            return self.train_on_batch(*args)

    model = Own([keras.Input((20,)), keras.layers.Dense(10)])
    tf_rigl.sparsify(model, 0.8)
    model.compile("sgd", support.crossentropy(keras))
    with pytest.raises(KeyboardInterrupt):
        support.fit(model, DATA, RIGL, [interruption(keras)])
    moved = support.moved(model)
    for _ in range(4):
        model.fit(*DATA)
    assert support.moved(model) == moved


@support.one_keras("tf_keras")
def test_a_callback_that_trains_on_a_batch(keras):
    """It is within `fit`, whose mask updates go on."""

    class OneMore(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not batch:
                self.model.train_on_batch(*DATA)

    traced = Traced(keras)
    assert traced.fit(RIGL, [OneMore()], epochs=2)[1] > 0
    assert traced.fit()[1] == 0


@support.one_keras("tf_keras")
def test_detach_and_late_attach(keras):
    """A compiled step from before does not outlive either."""
    optimizer = keras.optimizers.Adam(0.01)
    traced = Traced(keras, optimizer)
    assert traced.fit()[1] == 0
    tf_rigl.attach(optimizer, traced.model, RIGL)
    assert traced.fit()[1] > 0
    assert traced.fit()[0] == 0
    tf_rigl.detach(optimizer, traced.model)
    assert traced.fit()[1] == 0


@support.one_keras("keras")
def test_non_finite_steps_are_counted_for_each_fit(keras):
    data = DATA[0].copy(), DATA[1]
    data[0][:16] = float("nan")
    traced = Traced(keras)
    callback = tf_rigl.UpdateMasks(RIGL, max_non_finite_steps=3)
    for _ in range(2):
        history = support.fit(
            traced.model, data, None, [callback], batch_size=16
        ).history
        assert history["skipped_steps"] == [1]
