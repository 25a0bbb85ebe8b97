import importlib

import pytest

from tests.support import FLAVORS


@pytest.fixture(params=FLAVORS)
def keras(request: pytest.FixtureRequest):
    """Each Keras in turn; its global state may stay, which saves time."""
    module = importlib.import_module(request.param)
    module.utils.set_random_seed(1)
    return module
