"""Masks drawn from a trained supermask, or by a threshold."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

SUPERMASK = tf_rigl.Supermask(rescale=True)


def train(keras, algorithm=SUPERMASK, **kwargs):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.5, start="dense")
    optimizer = keras.optimizers.SGD(50.0, momentum=0.9)
    support.train(keras, model, algorithm, optimizer=optimizer, **kwargs)
    return model


def logits_of(model, name="rescaled_mask_logits"):
    return [w.state[name].numpy() for w in masked_weights(model)]


@support.one_keras("tf_keras")
def test_draws_are_of_the_trained_odds(keras):
    model = train(keras)
    frozen = [w.state["frozen_values"].numpy() for w in masked_weights(model)]
    total = [0.0] * len(frozen)
    for draw in range(40):
        assert tf_rigl.sample_masks(model, draw) is model
        for index, weight in enumerate(masked_weights(model)):
            mask = weight.mask.numpy()
            total[index] += mask
            factor = np.float32(mask.size / mask.sum())
            np.testing.assert_allclose(
                weight.values().numpy(),
                np.where(mask, frozen[index] * factor, 0),
                rtol=1e-6,
            )
    for drawn, logits in zip(total, logits_of(model), strict=True):
        odds = 1 / (1 + np.exp(-logits))
        # Of 40 draws, the mean of all positions within 4 deviations.
        deviation = np.sqrt(np.sum(odds * (1 - odds)) / 40) / odds.size
        assert abs(np.mean(drawn / 40) - np.mean(odds)) < 4 * deviation


@support.one_keras("keras")
def test_draws_differ_and_come_again(keras):
    model = train(keras)
    targets = [weight.target for weight in masked_weights(model)]
    first = tf_rigl.masks(tf_rigl.sample_masks(model, 1))
    for arguments in ({"draw": 2}, {"draw": 1, "seed": 1}):
        other = tf_rigl.masks(tf_rigl.sample_masks(model, **arguments))
        assert any(np.any(other[path] != mask) for path, mask in first.items())
    support.assert_same_masks(
        first, tf_rigl.masks(tf_rigl.sample_masks(model, 1))
    )
    # What `sparsify` has allotted is not changed by looking.
    assert [w.target for w in masked_weights(model)] == targets


@support.one_keras("keras")
def test_training_goes_on_as_if_nothing_had_been_drawn_but_its_first_batch(
    keras,
):
    model = train(keras, epochs=1)
    before = logits_of(model)
    tf_rigl.sample_masks(model, 5)
    model.fit(
        *support.make_data((20,), 256),
        epochs=1,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(SUPERMASK)],
    )
    changes = [
        np.abs(new - old).max()
        for new, old in zip(logits_of(model), before, strict=True)
    ]
    assert min(changes) > 0


@support.one_keras("tf_keras")
def test_threshold_keeps_more_than_even_odds(keras, tmp_path):
    model = train(keras, tf_rigl.Supermask())
    tf_rigl.threshold_masks(model)
    logits = logits_of(model, "mask_logits")
    weights = masked_weights(model)
    for weight, one in zip(weights, logits, strict=True):
        np.testing.assert_array_equal(weight.mask.numpy(), one > 0)
        np.testing.assert_array_equal(
            weight.values().numpy(),
            np.where(one > 0, weight.state["frozen_values"].numpy(), 0),
        )
        assert weight.target == np.count_nonzero(one > 0)

    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    support.assert_same_masks(tf_rigl.masks(model), tf_rigl.masks(loaded))
    # More is kept the less is asked for.
    few = sum(support.counts(tf_rigl.threshold_masks(loaded, 0.6)).values())
    many = sum(support.counts(tf_rigl.threshold_masks(loaded, 0.4)).values())
    assert few < sum(w.target for w in weights) < many


@support.one_keras("keras")
def test_a_thresholded_model_is_trained_further(keras):
    model = tf_rigl.threshold_masks(train(keras))
    masks = tf_rigl.masks(model)
    support.train(keras, model, tf_rigl.Static())
    support.assert_same_masks(masks, tf_rigl.masks(model))
    support.assert_masked(model)
    assert all(
        set(w.state) <= {"initial_values"} for w in masked_weights(model)
    )


@support.one_keras("keras")
def test_evaluation_over_draws_leaves_the_model_as_it_was(keras):
    model = train(keras)
    before = [weight.numpy() for weight in model.weights]
    data = support.make_data((20,), 256)
    found = tf_rigl.evaluate_samples(
        model, lambda one: one.evaluate(*data, verbose=0), draws=3
    )
    losses = []
    for draw in range(3):
        tf_rigl.sample_masks(model, draw)
        losses.append(model.evaluate(*data, verbose=0))
    assert found.values == tuple(losses)
    assert found.mean == pytest.approx(np.mean(losses))
    assert found.deviation == pytest.approx(np.std(losses, ddof=1))

    model = train(keras)
    tf_rigl.evaluate_samples(model, lambda one: 1.0, draws=2)
    support.assert_all_equal([w.numpy() for w in model.weights], before)
    with pytest.raises(ZeroDivisionError):
        tf_rigl.evaluate_samples(model, lambda one: 1 / 0)
    support.assert_all_equal([w.numpy() for w in model.weights], before)


def test_a_single_number_has_a_spread():
    import keras

    model = train(keras, epochs=1)
    spread = tf_rigl.evaluate_samples(model, lambda one: 0.25, draws=1)
    assert spread == (0.25, 0.0, (0.25,))
    assert str(spread) == "0.25 ± 0"


def test_errors():
    import keras

    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5)
    for function in (tf_rigl.sample_masks, tf_rigl.threshold_masks):
        with pytest.raises(ValueError, match=r"trained by `Supermask`.*model="):
            function(model)
    with pytest.raises(ValueError, match=r"`draw` must be .*draw=-1"):
        tf_rigl.sample_masks(model, -1)
    with pytest.raises(ValueError, match=r"`at` must be .*at=1"):
        tf_rigl.threshold_masks(model, 1)
    with pytest.raises(ValueError, match=r"`draws` must be at least 1.*=0"):
        tf_rigl.evaluate_samples(model, len, draws=0)
    with pytest.raises(TypeError, match="model, layer or optimizer"):
        tf_rigl.sample_masks("model")


@pytest.mark.filterwarnings("ignore:.*no connections")
def test_a_threshold_that_leaves_nothing_warns():
    import keras

    model = train(keras, epochs=1)
    with pytest.warns(UserWarning, match="no connections"):
        tf_rigl.threshold_masks(model, 0.9999)


@support.one_keras("tf_keras")
def test_a_draw_is_not_exported_silently(keras, tmp_path):
    model = train(keras, epochs=1)
    exports = {
        "saved_model": tf_rigl.export_saved_model,
        "litert": tf_rigl.export_litert,
        "plan": tf_rigl.export_plan,
    }
    for name, export in exports.items():
        with pytest.warns(UserWarning, match=r"dense/kernel.* the last draw"):
            export(model, tmp_path / name)
    tf_rigl.threshold_masks(model)
    for name, export in exports.items():
        export(model, tmp_path / f"{name}_thresholded")
