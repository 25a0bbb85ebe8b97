"""Fixtures of the tests of accounting."""

import importlib

import pytest

FLAVOURS = ("keras", "tf_keras")


@pytest.fixture(params=FLAVOURS)
def keras(request: pytest.FixtureRequest):
    """Each Keras in turn; its global state may stay, which saves a minute."""
    return importlib.import_module(request.param)
