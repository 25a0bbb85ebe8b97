import keras
import numpy as np
import pytest
import tf_keras

from tf_rigl.data import mnist
from tf_rigl.training import experiment
from tf_rigl.training.configuration import Configuration

KERAS = {"keras3": keras, "keras2": tf_keras}
ONE_EPOCH = {"epochs": 1, "update_interval": 20}


@pytest.fixture(scope="module")
def digits():
    return mnist.load("small")


def run(digits, method, flavour="keras3", callbacks=(), **settings):
    configuration = Configuration(
        method=method, keras=flavour, **{**ONE_EPOCH, **settings}
    )
    package = KERAS[flavour]
    model = experiment.build(configuration, package, method)
    return experiment.train(
        configuration, package, method, model, digits, callbacks
    )


@pytest.fixture(scope="module", params=KERAS)
def rigl(request, digits):
    return run(digits, "rigl", request.param)


def test_count_steps():
    settings = Configuration(epochs=10, batch_size=100, stop_fraction=0.75)
    assert experiment.count_steps(settings) == (100, 1_000, 750)


def test_count_steps_leaves_incomplete_batches_out():
    settings = Configuration(epochs=2, batch_size=128)
    assert experiment.count_steps(settings).total == 2 * 78


def test_masks_may_change_in_the_shortest_run():
    settings = Configuration(epochs=1, batch_size=10_000, stop_fraction=0.1)
    assert experiment.count_steps(settings) == (1, 1, 1)


def test_batch_larger_than_the_data():
    settings = Configuration(batch_size=10_001)
    with pytest.raises(ValueError, match="batch_size=10001 for 10,000 images"):
        experiment.count_steps(settings)


def test_labels():
    assert experiment.label(Configuration(), "dense") == "Dense"
    assert experiment.label(Configuration(sparsity=0.98), "rigl") == "RigL 98 %"
    assert (
        experiment.label(Configuration(sparsity=0.965), "static")
        == "Static 96.5 %"
    )


def test_methods_start_from_the_same_weights():
    configuration = Configuration()
    dense = experiment.build(configuration, keras, "dense").get_weights()[0]
    sparse = experiment.build(configuration, keras, "rigl").get_weights()[0]
    active = sparse != 0
    assert 0 < active.mean() < 0.05
    np.testing.assert_array_equal(sparse[active], dense[active])


def test_rigl_moves_connections_and_keeps_their_number(rigl):
    assert rigl.masks_before.keys() == rigl.masks_after.keys()
    for path, before in rigl.masks_before.items():
        after = rigl.masks_after[path]
        assert before.sum() == after.sum()
    assert any(
        (rigl.masks_before[path] != after).any()
        for path, after in rigl.masks_after.items()
    )
    total = sum(int(mask.sum()) for mask in rigl.masks_after.values())
    assert total == round(0.02 * 266_200)


def test_rigl_reports(rigl):
    assert rigl.label == "RigL 98 %"
    assert rigl.images_seen == 78 * 128
    assert rigl.test_accuracy > 0.5
    assert {"loss", "accuracy", "sparsity", "mask_churn"} <= set(rigl.history)
    assert rigl.history["sparsity"] == pytest.approx([0.98], abs=1e-4)
    assert rigl.profile.nonzeros < 0.03 * rigl.profile.parameters
    dense_training = 3 * rigl.profile.dense_flops * rigl.images_seen
    assert 0 < rigl.training_flops < 0.1 * dense_training


def test_static_keeps_its_masks(digits):
    result = run(digits, "static")
    for path, before in result.masks_before.items():
        np.testing.assert_array_equal(before, result.masks_after[path])
    assert result.test_accuracy > 0.3  # ten classes, one epoch


def test_dense(digits):
    result = run(digits, "dense")
    assert result.masks_before == result.masks_after == {}
    assert result.test_accuracy > 0.8
    assert result.training_flops == (
        3 * result.profile.flops * result.images_seen
    )


def test_same_seed_same_run(digits, rigl):
    if type(rigl.model).__module__.startswith("tf_keras"):
        pytest.skip("checked with Keras 3")
    again = run(digits, "rigl")
    assert again.history == rigl.history
    for path, mask in rigl.masks_after.items():
        np.testing.assert_array_equal(mask, again.masks_after[path])


def test_other_seed_other_masks():
    first, second = (
        experiment.build(Configuration(seed=seed), keras, "rigl")
        for seed in (0, 1)
    )
    assert (first.get_weights()[0] != 0).tolist() != (
        second.get_weights()[0] != 0
    ).tolist()


def test_more_callbacks_see_the_logs_of_the_mask_updates(digits):
    seen = []
    spy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(set(logs))
    )
    run(digits, "static", callbacks=[spy], batch_size=5_000)
    assert {"sparsity", "mask_churn"} <= seen[0]
