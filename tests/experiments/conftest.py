import time

import pytest


@pytest.fixture
def clock(monkeypatch):
    """Sets the time that displays read, in seconds; it is 0 at first."""

    def set_time(seconds):
        monkeypatch.setattr(time, "monotonic", lambda: seconds)

    set_time(0.0)
    return set_time
