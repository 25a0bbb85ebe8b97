import pytest

from tests.export import support


@pytest.fixture
def keras3():
    """Keras 3, for what does not depend on the flavor."""
    return _clean_keras()


@pytest.fixture(scope="module")
def model():
    """A sparse model for tests that do not change it."""
    return support.sparse_model(_clean_keras())


def _clean_keras():
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    return keras
