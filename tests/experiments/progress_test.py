"""The display of long work."""

import io

import pytest
from rich import console as consoles

from tf_rigl.experiments import progress


def test_time_left():
    assert progress.seconds_left(10.0, done=100, left=250) == 25.0
    assert progress.seconds_left(10.0, done=0, left=250) is None
    assert progress.seconds_left(10.0, done=100, left=0) is None
    assert progress.duration(3723.4) == "1:02:03"


@pytest.mark.parametrize("terminal", [False, True])
def test_bar_is_for_terminals(terminal):
    file = io.StringIO()
    console = consoles.Console(file=file, width=120, force_terminal=terminal)
    with progress.Display(100, 20, console) as display:
        display.show(60, "2/5 runs", "rigl_0.9_s1")
        display.line("set_0.9_s0  accuracy 90.00%")
    text = file.getvalue()
    assert "set_0.9_s0  accuracy 90.00%  0:00:00 left" in text
    assert ("━" in text) == ("rigl_0.9_s1" in text) == terminal
