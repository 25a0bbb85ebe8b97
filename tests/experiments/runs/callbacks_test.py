import io
import re

import tensorflow as tf
from rich import console as consoles

from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import callbacks
from tf_rigl.experiments.runs import plan

# Thirty epochs of 1,000 steps.
PLAN = plan.RunPlan(1000, 30, 0, 20_000, 0, (), 1000)


def begun(live, width=80):
    file = io.StringIO()
    console = consoles.Console(
        file=file, width=width, force_terminal=live, color_system=None
    )
    display = terminal.Display(PLAN.total, 0, console)
    return display, callbacks.ShowProgress("RigL", PLAN, 0, display), file


def text_of(file):
    return re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", file.getvalue())


def test_a_log_tells_of_tracing_and_then_every_minute(clock):
    display, progress, file = begun(live=False)
    with display:
        progress.on_epoch_begin(0)
        clock(90.0)  # what tracing takes
        logs = {"loss": tf.constant(2.5), "accuracy": tf.constant(0.25)}
        progress.on_train_batch_end(0, logs)
        for batch in range(1, 200):
            clock(90.0 + batch)
            progress.on_train_batch_end(batch, logs)
    lines = text_of(file).splitlines()
    told = "1 steps/s  loss 2.500  accuracy 25.00%"
    assert lines == [
        "RigL  tracing the step…",
        f"RigL  epoch 1/30  step 61/30,000  {told}  8:18:59 left",
        f"RigL  epoch 1/30  step 121/30,000  {told}  8:17:59 left",
        f"RigL  epoch 1/30  step 181/30,000  {told}  8:16:59 left",
    ]


def test_a_log_has_about_ten_epochs(clock):
    display, progress, file = begun(live=False)
    with display:
        for epoch in range(PLAN.epochs):
            progress.on_epoch_begin(epoch)
            progress.on_train_batch_end(999, None)
            progress.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.5})
    lines = text_of(file).splitlines()
    assert len(lines) == 11
    assert "epoch 30/30  step 30,000/30,000" in lines[-1]
    assert "loss 1.000  evaluation 50.00%" in lines[-1]


def test_a_terminal_shows_the_loss_within_an_epoch(clock):
    display, progress, file = begun(live=True)
    with display:
        progress.on_epoch_begin(0)
        clock(5.0)
        progress.on_train_batch_end(0, {"loss": tf.constant(9.0)})
        clock(6.0)
        progress.on_train_batch_end(1, {"loss": tf.constant(8.0)})
        clock(6.25)  # too soon to wait for the device again
        progress.on_train_batch_end(2, {"loss": tf.constant(7.0)})
    shown = text_of(file)
    assert "step 2/30,000  1 steps/s  loss 8.000" in shown
    assert "loss 7.000" not in shown


def test_values_that_a_parameter_server_only_promises_are_left_out(clock):
    display, progress, file = begun(live=False)
    with display:
        progress.on_epoch_begin(0)
        clock(100.0)
        progress.on_train_batch_end(0, None)
        clock(200.0)
        progress.on_train_batch_end(1, object())
    assert "step 2/30,000" in text_of(file)
    assert "loss" not in text_of(file)
