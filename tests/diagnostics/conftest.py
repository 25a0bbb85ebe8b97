import pytest

from tests.diagnostics import support


@pytest.fixture(scope="session")
def expected():
    """History and diagnostics of `fit` with Keras 3, as all others' are."""
    import keras

    return support.fit(keras)
