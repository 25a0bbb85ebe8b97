import io

import keras
import numpy as np
import pytest
import tf_keras
from rich import console as consoles

from tf_rigl.training import progress


def fit(flavour, epochs, terminal):
    output = io.StringIO()
    console = consoles.Console(
        file=output, force_terminal=terminal, width=120, color_system=None
    )
    model = flavour.Sequential([flavour.layers.Dense(1)])
    model.compile("sgd", "mse")
    images, targets = np.ones((8, 3)), np.ones((8, 1))
    callback = progress.progress_callback(flavour, "RigL", epochs, 2, console)
    model.fit(
        images,
        targets,
        epochs=epochs,
        batch_size=4,
        verbose=0,
        callbacks=[callback],
    )
    return output.getvalue()


@pytest.mark.parametrize("flavour", [keras, tf_keras], ids=["k3", "k2"])
def test_log_has_about_ten_lines(flavour):
    lines = fit(flavour, epochs=25, terminal=False).splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("RigL  epoch 3/25  loss ")
    assert lines[-1].startswith("RigL  epoch 25/25  loss ")


@pytest.mark.parametrize("flavour", [keras, tf_keras], ids=["k3", "k2"])
def test_terminal_has_a_bar(flavour):
    text = fit(flavour, epochs=3, terminal=True)
    assert "epoch 3/3" in text
    assert "loss" in text


def test_short_run_logs_each_epoch():
    assert len(fit(keras, epochs=2, terminal=False).splitlines()) == 2


def test_describe_epoch():
    logs = {"loss": 0.12345, "accuracy": 0.98765, "mask_churn": 0.1}
    assert progress.describe_epoch(logs) == (
        "loss 0.123  accuracy 98.77%  moved 10.0%"
    )
    assert progress.describe_epoch({"loss": 1.0}) == "loss 1.000"
    assert progress.describe_epoch(None) == ""
