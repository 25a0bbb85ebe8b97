"""How far a sweep is."""

import io

import pytest
from rich import console as consoles

from tf_rigl.experiments.sweeps.display import Display
from tf_rigl.experiments.sweeps.display import duration
from tf_rigl.experiments.sweeps.display import seconds_left


def test_time_left():
    assert seconds_left(10.0, trained=100, left=250) == 25.0
    assert seconds_left(10.0, trained=0, left=250) is None
    assert seconds_left(10.0, trained=100, left=0) is None
    assert duration(3723.4) == "1:02:03"


@pytest.mark.parametrize("terminal", [False, True])
def test_bar_is_for_terminals(terminal):
    file = io.StringIO()
    console = consoles.Console(file=file, width=100, force_terminal=terminal)
    with Display(100, 20, runs=5, ended=1, console=console) as display:
        display.show(60, {"rigl_0.9_s1": None})
        display.line("set_0.9_s0  accuracy 90.00%")
    text = file.getvalue()
    assert "set_0.9_s0  accuracy 90.00%  2/5 runs  0:00:00 left" in text
    assert ("━" in text) == ("rigl_0.9_s1" in text) == terminal
