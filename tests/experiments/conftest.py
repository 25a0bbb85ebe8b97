import time

import pytest


@pytest.fixture
def clock(monkeypatch):
    """Sets the time that displays read, in seconds; it is 0 at first."""

    def set_time(seconds):
        monkeypatch.setattr(time, "monotonic", lambda: seconds)

    set_time(0.0)
    return set_time


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were written."""
    # Not above: it needs matplotlib, which few tests here do.
    from tf_rigl.experiments import figures

    found = []
    write = figures.write_png

    def note(fig, path):
        found.append(fig)
        write(fig, path)

    monkeypatch.setattr(figures, "write_png", note)
    return found
