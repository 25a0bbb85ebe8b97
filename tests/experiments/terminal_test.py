import io
import re

import pytest
from rich import console as consoles

from tf_rigl.experiments import terminal


@pytest.mark.parametrize("live", [False, True])
def test_bar_is_for_terminals(live, clock):
    file = io.StringIO()
    console = consoles.Console(file=file, width=120, force_terminal=live)
    with terminal.Display(1000, 200, console) as display:
        display.show(300, "1/5 runs", "rigl_0.9_s0")
        clock(10_000.0)
        display.line("set_0.9_s0  accuracy 90.00%")
        display.show(600, "2/5 runs", "rigl_0.9_s1")
    text = file.getvalue()
    assert "set_0.9_s0  accuracy 90.00%  19:26:40 left" in text
    assert ("━" in text) == ("rigl_0.9_s1" in text) == live


def test_a_log_gets_a_line_a_minute(clock):
    file = io.StringIO()
    console = consoles.Console(file=file, force_terminal=False)
    with terminal.Display(1000, 0, console) as display:
        for second in range(0, 600, 7):
            clock(second)
            display.show(second, "label", f"step {second}")
    lines = file.getvalue().splitlines()
    assert lines[0] == "label  step 63  0:15:37 left"
    assert len(lines) == 9


def test_time_left_is_that_since_the_beginning(clock):
    file = io.StringIO()
    with terminal.Display(100, 0, consoles.Console(file=file)) as display:
        clock(1_000.0)  # tracing
        display.begin(10)
        clock(1_010.0)
        display.show(20, "", "")
        display.line("now")
    assert file.getvalue() == "now  0:01:20 left\n"


def test_time_left_needs_steps_on_both_sides():
    file = io.StringIO()
    with terminal.Display(100, 20, consoles.Console(file=file)) as display:
        display.line("begun")
        display.show(100, "", "")
        display.line("done")
    assert file.getvalue() == "begun\ndone\n"


def test_the_bar_keeps_all_numbers_at_eighty_columns(clock):
    detail = (
        "epoch 123/250  step 48,123/97,750  1,234 steps/s  loss 12.345  "
        "accuracy 99.12%  evaluation 98.50%  moved 12.3%"
    )
    file = io.StringIO()
    console = consoles.Console(
        file=file, width=80, force_terminal=True, color_system=None
    )
    with terminal.Display(97_750, 0, console) as display:
        clock(1_000_000.0)
        display.show(48_123, "Gradual pruning 97.5 %", detail)
    shown = re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", file.getvalue())
    bar, *below = shown.splitlines()
    assert "Gradual pruning 97.5 %" in bar
    assert "49%" in bar
    assert "11 days, 22:27:33 left" in bar
    assert below == [
        "epoch 123/250  step 48,123/97,750  1,234 steps/s  loss 12.345  "
        "accuracy 99.12%",
        "evaluation 98.50%  moved 12.3%",
    ]
    assert max(map(len, [bar, *below])) <= 80
