import pytest

from tests.export import support
from tests.support import fresh_keras


@pytest.fixture
def keras3():
    """Keras 3, for tests that do not depend on the flavor."""
    return fresh_keras("keras")


@pytest.fixture(scope="module")
def model():
    """A sparse model for tests that do not change it."""
    return support.sparse_model(fresh_keras("keras"))
