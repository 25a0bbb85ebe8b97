"""The display of long work."""

import io
import time

import pytest
from rich import console as consoles

from tf_rigl.experiments import terminal


@pytest.mark.parametrize("live", [False, True])
def test_bar_is_for_terminals(live, monkeypatch):
    file = io.StringIO()
    console = consoles.Console(file=file, width=120, force_terminal=live)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    with terminal.Display(1000, 200, console) as display:
        monkeypatch.setattr(time, "monotonic", lambda: 10_005.0)
        display.show(600, "2/5 runs", "rigl_0.9_s1")
        display.line("set_0.9_s0  accuracy 90.00%")
    text = file.getvalue()
    assert "set_0.9_s0  accuracy 90.00%  2:46:40 left" in text
    assert ("━" in text) == ("rigl_0.9_s1" in text) == live


def test_time_left_needs_steps_on_both_sides():
    file = io.StringIO()
    with terminal.Display(100, 20, consoles.Console(file=file)) as display:
        display.line("begun")
        display.show(100, "", "")
        display.line("done")
    assert file.getvalue() == "begun\ndone\n"
