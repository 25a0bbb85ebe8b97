import numpy as np

import tf_rigl
from tests import support

SCHEDULE = {"stop_step": 12, "update_interval": 3}
RIGL = tf_rigl.RigL(**SCHEDULE)
SET = tf_rigl.SET(**SCHEDULE)
# Logs of `UpdateMasks` that need the masks of the past.
LOGS = ("mask_churn", "mask_exploration", "mask_overlap_start")
NORMS = ("kept_gradient_norm", "grown_gradient_norm")


def fresh_model(keras, **kwargs):
    model = support.make_mlp(keras, (40,))
    return tf_rigl.sparsify(model, 0.8, seed=7, **kwargs)


def sgd(keras):
    return keras.optimizers.SGD(0.1, momentum=0.9)


def fit(keras, model=None, algorithm=RIGL, **kwargs):
    model = model or fresh_model(keras)
    optimizer = kwargs.pop("optimizer", None) or sgd(keras)
    history = support.train(
        keras, model, algorithm, 2, optimizer=optimizer, **kwargs
    ).history
    return history, tf_rigl.diagnose(model)


def assert_same(found, expected):
    """Norms up to rounding, all else exactly."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name in NORMS and value is not None:
            np.testing.assert_allclose(found[name], value, rtol=1e-4)
        else:
            assert found[name] == value, name


def assert_same_diagnostics(one, other):
    assert_same(one.total.to_dict(), other.total.to_dict())
    for first, second in zip(one.rows, other.rows, strict=True):
        assert_same(first.to_dict(), second.to_dict())


def saved_and_loaded(keras, model, folder):
    path = str(folder / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert_same_diagnostics(tf_rigl.diagnose(loaded), tf_rigl.diagnose(model))
    return loaded
