"""`UpdateMasks`, `attach` and `detach`: logs, schedule, errors."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import optimizer_hook


@pytest.fixture
def model(keras):
    return tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)


def updates(model):
    return int(masked_weights(model)[0].counters.numpy()[0])


@support.one_keras("tf_keras")
def test_default_stop_is_three_quarters_of_the_run(keras, model):
    """32 announced steps: updates at 0, 5, 10, 15 and 20, not at 25."""
    support.train(keras, model, tf_rigl.RigL(update_interval=5), epochs=4)
    assert updates(model) == 5


def test_a_fit_that_is_too_short_for_any_update(keras, model):
    method = tf_rigl.algorithms.rigl_itop(None, 500)
    with pytest.warns(
        UserWarning, match=r"not update any mask: .* step 500, .* at step 6 of"
    ):
        support.train(keras, model, method, epochs=1)
    assert updates(model) == 0


def test_each_fit_has_a_schedule_of_its_own(keras, model):
    """Of its own 16 steps, unless `initial_epoch` says that it goes on."""
    optimizer = keras.optimizers.SGD(0.1)
    algorithm = tf_rigl.RigL(update_interval=5)
    for fits in (1, 2):
        moved = support.moved(model)
        support.train(keras, model, algorithm, 2, optimizer=optimizer)
        assert updates(model) == fits * len([t for t in (0, 5, 10) if t < 12])
        assert support.moved(model) > moved
    support.train(
        keras, model, algorithm, 8, optimizer=optimizer, initial_epoch=4
    )
    assert updates(model) == 6 + len([t for t in (35, 40, 45) if t < 48])


@support.one_keras("keras")
def test_a_resumed_second_fit_goes_on_with_its_schedule(keras, model):
    """Its two epochs are those of steps 16 to 31."""
    optimizer = keras.optimizers.SGD(0.1)
    support.train(keras, model, tf_rigl.Static(), 3, optimizer=optimizer)
    algorithm = tf_rigl.RigL(update_interval=5)
    support.train(
        keras, model, algorithm, 2, optimizer=optimizer, initial_epoch=1
    )
    assert updates(model) == len([t for t in (10,) if 8 <= t < 12])


def test_unannounced_steps_need_a_number(keras, model):
    inputs, labels = support.make_data((20,))

    def batches():
        yield inputs, labels

    data = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            tf.TensorSpec((None, 20)),
            tf.TensorSpec((None,), tf.int64),
        ),
    )
    model.compile("sgd", support.crossentropy(keras))
    with pytest.raises(ValueError, match="`stop_step` is needed"):
        support.fit(model, [data], tf_rigl.RigL())
    support.fit(model, [data], tf_rigl.RigL(stop_step=1))
    assert updates(model) == 1


def test_the_optimizer_is_given_back(keras, model):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    methods = optimizer.update_step, optimizer._apply_weight_decay
    support.train(keras, model, tf_rigl.RigL(), optimizer=optimizer)
    assert (optimizer.update_step, optimizer._apply_weight_decay) == methods
    assert optimizer_hook.installed(optimizer) is None


def test_training_goes_on_from_static_fallback(keras, model):
    """Slots that it filled at masked positions are emptied."""
    optimizer = keras.optimizers.Adam(0.01)
    support.train(keras, model, None, optimizer=optimizer)
    support.train(keras, model, tf_rigl.Static(), optimizer=optimizer)
    assert support.assert_masked(model) > 0


def test_dense_model_is_refused(keras):
    model = support.make_mlp(keras)
    with pytest.raises(ValueError, match="must have masked weights"):
        support.train(keras, model, tf_rigl.RigL())
    with pytest.raises(ValueError, match="must have masked weights"):
        tf_rigl.attach(keras.optimizers.SGD(), model, tf_rigl.Static())


@pytest.mark.parametrize("algorithm", ["rigl", None, tf_rigl.RigL, 3])
def test_algorithm_must_be_one(keras, model, algorithm):
    with pytest.raises(TypeError, match="`algorithm` must be a method"):
        tf_rigl.UpdateMasks(algorithm)
    with pytest.raises(TypeError, match="`algorithm` must be a method"):
        tf_rigl.attach(keras.optimizers.SGD(), model, algorithm)


def of_another_model(keras):
    optimizer = keras.optimizers.SGD()
    optimizer.build(support.make_mlp(keras).trainable_variables)
    return optimizer


def of_the_other_keras(keras):
    import keras as keras_3
    import tf_keras

    other = tf_keras if keras is keras_3 else keras_3
    return other.optimizers.SGD()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda keras: keras.optimizers.SGD(clipvalue=0.5),
            ValueError,
            "growth would pick among them",
        ),
        (of_another_model, ValueError, "built for this model's weights"),
        (of_the_other_keras, TypeError, "optimizer of the model's Keras"),
        (lambda keras: "sgd", TypeError, "optimizer of the model's Keras"),
    ],
)
def test_optimizers_are_refused(keras, model, make, error, message):
    with pytest.raises(error, match=message):
        tf_rigl.attach(make(keras), model, tf_rigl.Static())


def test_attach_needs_a_stop_step(keras, model):
    with pytest.raises(ValueError, match="`stop_step` is needed"):
        tf_rigl.attach(keras.optimizers.SGD(), model, tf_rigl.RigL())


def test_attach_once(keras, model):
    optimizer = keras.optimizers.SGD()
    assert tf_rigl.attach(optimizer, model, tf_rigl.Static()) is optimizer
    with pytest.raises(ValueError, match="attached once"):
        tf_rigl.attach(optimizer, model, tf_rigl.Static())
    with pytest.raises(ValueError, match="attached once"):
        support.train(keras, model, tf_rigl.Static(), optimizer=optimizer)
    tf_rigl.detach(optimizer, model)
    with pytest.raises(ValueError, match="Only an attached"):
        tf_rigl.detach(optimizer, model)
    support.train(keras, model, tf_rigl.Static(), optimizer=optimizer)


def test_strip_detaches(keras, model):
    optimizer = keras.optimizers.SGD()
    tf_rigl.attach(optimizer, model, tf_rigl.Static())
    tf_rigl.strip(model)
    assert optimizer_hook.installed(optimizer) is None


def test_legacy_optimizers_are_refused():
    import tf_keras

    model = tf_rigl.sparsify(support.make_mlp(tf_keras), 0.8)
    optimizer = tf_keras.optimizers.legacy.SGD()
    with pytest.raises(ValueError, match="have no `update_step`"):
        tf_rigl.attach(optimizer, model, tf_rigl.Static())
    with pytest.raises(ValueError, match="have no `update_step`"):
        support.train(tf_keras, model, tf_rigl.Static(), optimizer=optimizer)


def test_optimizer_with_hidden_state_is_refused(keras):
    class Hiding(keras.optimizers.SGD):
        def build(self, variables):
            super().build(variables)
            if not hasattr(self, "hidden"):
                self.hidden = {
                    "first": tf.Variable(tf.zeros(variables[0].shape))
                }
                self._variables.append(self.hidden["first"])

    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    with pytest.raises(ValueError, match="lists with one entry a variable"):
        support.train(keras, model, tf_rigl.Static(), optimizer=Hiding(0.1))


def test_custom_optimizer_that_moves_zeros(keras, model):
    """Unknown rules are masked again after each step, whatever their name."""

    class SGD(keras.optimizers.SGD):
        def update_step(self, gradient, variable, *args):
            super().update_step(gradient, variable, *args)
            flavor_of(self).raw(variable).assign_add(
                tf.ones_like(gradient) * 0.01
            )

    support.train(
        keras,
        model,
        tf_rigl.RigL(update_interval=2),
        optimizer=SGD(0.1, momentum=0.9),
    )
    support.assert_masked(model)


def one_by_one(keras):
    """An optimizer that calls `update_step` itself, for each variable."""

    class OneByOne(keras.optimizers.SGD):
        def _internal_apply_gradients(self, pairs):
            for gradient, variable in pairs:
                self.update_step(gradient, variable)
            self.iterations.assign_add(1)

        def _backend_update_step(self, gradients, variables, rate):
            for gradient, variable in zip(gradients, variables, strict=True):
                self.update_step(gradient, variable.value, rate)

        def apply_gradients(self, pairs):
            pairs = list(pairs)
            self.build([variable for _, variable in pairs])
            cls = type(self)
            if hasattr(keras.optimizers.SGD, "_internal_apply_gradients"):
                cls._internal_apply_gradients(self, pairs)
            else:
                gradients, variables = zip(*pairs, strict=True)
                rate = self._get_current_learning_rate()
                cls._backend_update_step(self, gradients, variables, rate)
                self.iterations.assign_add(1)

    return OneByOne(0.1, momentum=0.9)


def step_with(keras, model, optimizer, algorithm):
    optimizer.build(model.trainable_variables)
    tf_rigl.attach(optimizer, model, algorithm)
    step = tf.function(support.make_step(keras, model, optimizer))
    for batch in support.batches():
        step(*batch)


def test_optimizer_that_applies_gradients_one_by_one(keras):
    """Unannounced variables are not waited for."""
    other = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    algorithm = tf_rigl.RigL(stop_step=6, update_interval=2)
    step_with(keras, model, one_by_one(keras), algorithm)
    step_with(keras, other, keras.optimizers.SGD(0.1, 0.9), algorithm)
    assert support.moved(model) > 0
    support.assert_all_equal(
        model.trainable_variables, other.trainable_variables
    )


def test_whole_models_need_gradients_together(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8, start="dense")
    algorithm = tf_rigl.GradualPruning(6, 2, scope="global")
    with pytest.raises(ValueError, match="applies all gradients together"):
        step_with(keras, model, one_by_one(keras), algorithm)


@support.one_keras("keras")
@pytest.mark.parametrize(
    "name", [pytest.param("recurrent", marks=pytest.mark.slow), "transformer"]
)
def test_growth_follows_the_dense_gradient(keras, name):
    """One update at step 0 grows where the analytic gradient is largest."""
    model = tf_rigl.sparsify(zoo.build(name, keras), 0.7)
    inputs, labels = support.make_data(zoo.INPUT_SHAPES[name], 16)
    loss = support.crossentropy(keras)
    with tf.GradientTape() as tape:
        value = loss(labels, model(inputs, training=True))
    weights = masked_weights(model)
    gradients = tape.gradient(value, [w.variable for w in weights])
    expected = {
        w.path: tf_rigl.drop_and_grow(
            w.values(), w.mask, gradient, int(0.3 * w.num_active())
        ).mask.numpy()
        for w, gradient in zip(weights, gradients, strict=True)
    }
    model.compile("sgd", loss)
    support.fit(model, (inputs, labels), tf_rigl.RigL(1, 1))
    found = tf_rigl.masks(model)
    differing = sum(int((found[p] != expected[p]).sum()) for p in expected)
    # Compiled and eager gradients may differ in the last bit.
    assert differing <= 4


@support.one_keras("tf_keras")
def test_sequences_in_batches_of_any_size(keras):
    """TensorFlow forgets the shape of such a kernel's gradient."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 4)), layers.Dense(16), layers.Flatten()]
    )
    tf_rigl.sparsify(model, 0.5)
    before = support.counts(model)
    model.compile("sgd", "mse")
    data = np.ones((10, 8, 4)), np.ones((10, 128))
    # The last batch is smaller.
    support.fit(model, data, tf_rigl.RigL(3, 1), batch_size=4)
    assert support.counts(model) == before
    assert support.moved(model) > 0


def test_several_inputs(keras):
    """A functional model of two inputs is masked, trained and stripped."""
    layers = keras.layers
    inputs = [keras.Input((20,)), keras.Input((7,))]
    hidden = layers.Concatenate()([layers.Dense(6)(one) for one in inputs])
    model = keras.Model(inputs, layers.Dense(3)(hidden))
    tf_rigl.sparsify(model, 0.5)
    before = support.counts(model)
    assert len(before) == 3
    first, labels = support.make_data((20,))
    second, _ = support.make_data((7,))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    tf_rigl.attach(optimizer, model, tf_rigl.RigL(2, 1))
    step = support.make_step(keras, model, optimizer)
    for _ in range(3):
        step([tf.constant(first), tf.constant(second)], labels)
    support.assert_masked(model, optimizer)
    assert support.counts(model) == before
    assert support.moved(model) > 0


def test_a_method_is_no_callback(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5)
    model.compile("sgd", support.crossentropy(keras))
    with pytest.raises(TypeError, match=r"UpdateMasks\(RigL\(\.\.\.\)\)"):
        model.fit(*support.make_data((20,)), callbacks=[tf_rigl.RigL()])
