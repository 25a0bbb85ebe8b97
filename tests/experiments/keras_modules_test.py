import keras
import pytest
import tf_keras

from tf_rigl.experiments import keras_modules


def test_known_flavors():
    assert keras_modules.load_keras("keras3") is keras
    assert keras_modules.load_keras("keras2") is tf_keras


def test_unknown_flavor():
    with pytest.raises(ValueError, match=r"one of keras3, keras2.*'keras4'"):
        keras_modules.load_keras("keras4")


def test_missing_package(monkeypatch):
    monkeypatch.setitem(keras_modules.MODULES, "keras2", "no_such_keras")
    with pytest.raises(ImportError, match=r"pip install 'tf_rigl\[keras2\]'"):
        keras_modules.load_keras("keras2")


def test_wrong_version(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "2.15.0")
    with pytest.raises(ValueError, match=r"Received: 2\.15\.0"):
        keras_modules.load_keras("keras3")


def test_wrong_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        keras_modules.load_keras("keras3")
