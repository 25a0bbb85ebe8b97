"""The program of searches, from its flags to its files."""

import io
import json

import numpy as np
import pytest
from absl import flags
from matplotlib import image
from rich import console as consoles

from tests import support
from tests.wann import digits_test
from tf_rigl import wann
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.wann import program
from tf_rigl.experiments.wann import settings
from tf_rigl.wann.tasks import digits
from tf_rigl.wann.tasks import swing_up

TINY = {
    "population": 8,
    "generations": 3,
    "tournament": 2,
    "champion_episodes": 1,
    "final_episodes": 2,
}


def ask(*arguments, given=TINY):
    values = flags.FlagValues()
    settings.define(values)
    tiny = [f"--{name}={value}" for name, value in given.items()]
    values(flag_files.expand(["program", *tiny, *arguments]))
    return settings.read(values)


def run(folder, *arguments, given=TINY):
    file = io.StringIO()
    asked = ask(f"--output_dir={folder}", *arguments, given=given)
    assert program.run(asked, consoles.Console(file=file, width=80)) == 0
    return file.getvalue()


@pytest.fixture(autouse=True)
def short_fixture(monkeypatch):
    monkeypatch.setitem(
        settings.TASKS, "swing_up", lambda: swing_up.SwingUp(steps=30)
    )


def test_writes_what_it_has_found(tmp_path):
    printed = run(tmp_path, "--tune_iterations=2")
    assert "Champion of SwingUp" in printed
    assert "On fresh episodes, by shared weight: -2:" in printed
    assert "Tuned single weights" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 80

    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    champion = wann.Genome(**np.load(tmp_path / "champion.npz"))
    assert results["connections"] == champion.connections
    assert results["generations"] == 3
    assert len(results["scores"]) in (6, 7)
    tuned = wann.Genome(**np.load(tmp_path / "tuned.npz"))
    assert tuned.replace(weights=champion.weights) == champion
    for name in ("champion", "front", "history"):
        assert image.imread(tmp_path / f"{name}.png").shape[2] == 4

    # With more generations it goes on, with fewer it shows what there is.
    before = (tmp_path / "state.npz").read_bytes()
    assert run(tmp_path, "--generations=2").count("\n3 ") == 1
    assert (tmp_path / "state.npz").read_bytes() == before
    assert "\n4 " in run(tmp_path, "--generations=4")


def test_digits_have_an_accuracy(tmp_path, monkeypatch):
    few = digits.Digits(digits_test.make_data(), batch_size=9)
    monkeypatch.setitem(settings.TASKS, "digits", lambda: few)
    given = {**TINY, "population": 4, "generations": 1, "final_episodes": 1}
    printed = run(tmp_path, "--task=digits", given=given)
    assert "Test accuracy: best shared weight" in printed
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert set(results["accuracy"]) == {
        "best shared weight",
        "vote of shared weights",
    }
    assert all(0 <= one <= 1 for one in results["accuracy"].values())


def test_another_search_is_an_error(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match="seed=1 instead of 0"):
        run(tmp_path, "--seed=1")


def test_flags_become_settings():
    asked = ask("--connect=0.25", "--shared_weights=-1,1", "--crowding=range")
    assert asked.shared_weights == (-1.0, 1.0)
    assert asked.options() == wann.SearchOptions(
        tournament=2, champion_episodes=1, connect=0.25
    )
    assert ask(given={}).options() == wann.SearchOptions()


@pytest.mark.parametrize(
    "argument", ["--task=chess", "--workers=0", "--elite=2", "--seed=-1"]
)
def test_illegal_values(argument):
    with pytest.raises(flags.IllegalFlagValueError):
        ask(argument)


@pytest.mark.parametrize(
    "path", sorted((flag_files.CONFIGS / "wann").glob("*.flags"))
)
def test_configurations(path):
    asked = ask(f"--flagfile={path}", given={})
    assert asked.output_dir == f"runs/wann/{path.stem}"
    assert path.stem.startswith(asked.task)


@pytest.mark.slow
def test_the_door(tmp_path):
    printed = support.run_python(
        support.BIN / "search_wann.py",
        *(f"--{name}={value}" for name, value in TINY.items()),
        f"--output_dir={tmp_path}",
        "--workers=2",
    )
    assert "Champion of SwingUp" in printed
