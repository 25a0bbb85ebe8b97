import importlib

import pytest

from tests.support import FLAVORS


@pytest.fixture(params=FLAVORS)
def keras(request: pytest.FixtureRequest):
    """Each Keras in turn; its global state may stay, which saves a minute."""
    return importlib.import_module(request.param)
