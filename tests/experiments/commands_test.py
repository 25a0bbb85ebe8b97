import importlib
import subprocess
import sys

import pytest

from tests import support
from tf_rigl.core.packing import values
from tf_rigl.experiments import commands
from tf_rigl.experiments import export_settings
from tf_rigl.export.litert import convert
from tf_rigl.export.saved_model import export

# Asks all commands for help in one process.
_HELP = """
import contextlib, io, sys
from absl import app
from tests.bin import run_programs
from tf_rigl import __main__ as program

app.define_help_flags()
for command in sys.argv[1:]:
    with (
        run_programs.own_flags(),
        contextlib.redirect_stdout(io.StringIO()) as printed,
        contextlib.suppress(SystemExit),
    ):
        program.main([command, "--help"])
    first = printed.getvalue().strip().splitlines()[0]
    print(command, "tensorflow" in sys.modules, first, sep="|")
"""


def test_help_needs_no_tensorflow():
    printed = support.run_python("-c", _HELP, *commands.COMMANDS)
    lines = [line.split("|") for line in printed.splitlines()]
    for name, (command, has_tensorflow, first) in zip(
        commands.COMMANDS, lines, strict=True
    ):
        module = importlib.import_module(f"{commands.__name__}.{name}")
        assert command == name
        assert has_tensorflow == "False"
        assert first == module.__doc__.splitlines()[0]


@pytest.mark.parametrize(
    "program",
    [
        ("-m", "tf_rigl"),
        # As the script that an installation makes.
        ("-c", "from tf_rigl.__main__ import main; main()"),
    ],
    ids=["module", "script"],
)
@pytest.mark.parametrize(
    ("command", "flag"),
    [("train", "--method:"), ("report", "--dense:"), ("inspect", "json")],
)
def test_help_lists_the_flags_and_ends_well(program, command, flag):
    printed = support.run_python(*program, command, "--help")
    assert flag in printed
    assert "--test_tmpdir" not in printed


def test_a_command_from_anywhere(tmp_path):
    arguments = ("profile", "--model=lenet_300_100", "--sparsity=0.9")
    done = subprocess.run(
        [sys.executable, "-m", "tf_rigl", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "266,610" in done.stdout
    assert not done.stderr


def test_an_unknown_command():
    done = subprocess.run(
        [sys.executable, "-m", "tf_rigl", "trian"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "choose from 'train', 'sweep'" in done.stderr.replace('"', "'")


@pytest.mark.parametrize("closed", [False, True])
def test_tensorflow_is_imported_quietly(tmp_path, closed):
    """What else writes there meanwhile, an error's traceback too, is seen."""
    prints = (
        "import sys\n"
        "print('W0000 00:00:1.0 7 a.cc:1] old', file=sys.stderr)\n"
        "print('a warning of its own', file=sys.stderr)\n"
    )
    (tmp_path / "tensorflow.py").write_text(
        ("" if closed else prints) + "raise OSError('broken')\n"
    )
    code = "import os\n" + ("os.close(2)\n" if closed else "")
    code += (
        "from tf_rigl.experiments import tensorflow_output as output\n"
        "try:\n    output.import_quietly()\n"
        "except OSError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{support.ROOT}"},
        capture_output=True,
        text=True,
        # Python itself minds that it is closed.
        check=not closed,
    )
    assert done.stdout == "broken\n"
    assert done.stderr == ("" if closed else "a warning of its own\n")


def test_choices_are_those_of_the_library():
    """The flags are known before it is imported."""
    assert (
        tuple(name for name in export.COMPRESSIONS if name)
        == export_settings.COMPRESSIONS
    )
    assert tuple(values.FORMATS) == export_settings.VALUES
    assert export.RUNTIMES == export_settings.RUNTIMES
    assert export_settings.QUANTIZATIONS == convert.QUANTIZATIONS
