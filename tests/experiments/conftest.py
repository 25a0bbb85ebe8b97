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
    """The figures that were written, none of which has lost a border."""
    # Not above: it needs matplotlib, which few tests here do.
    from tf_rigl.experiments import figures

    found = []
    write = figures.write_png

    def note(fig, path):
        found.append(fig)
        write(fig, path)
        check_borders(fig)

    monkeypatch.setattr(figures, "write_png", note)
    return found


def check_borders(fig):
    """Titles, labels and ticks lie within the figure, in inches."""
    width, height = fig.get_size_inches()
    box = fig.get_tightbbox()
    found = (box.x0, box.y0, width - box.x1, height - box.y1)
    assert min(found) > -0.005, f"left, bottom, right, top: {found}"
