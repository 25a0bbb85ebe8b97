"""Parses the command lines of programs without running them.

Takes a JSON list of commands, each a list of words, and prints a JSON list of
errors, None for a command whose flags are right. One process parses all, since
each would spend seconds on importing TensorFlow.
"""

import contextlib
import io
import json
import pathlib
import runpy
import sys

from absl import app
from absl import flags

from tests.bin import run_programs

_PYTEST_MARKS = ("slow",)


class _ParsedError(Exception):
    """Ends a program once its flags are parsed."""


def _parse_only(main, argv=None, flags_parser=flags.FLAGS):
    """Stands in for `app.run`."""
    del main
    flags_parser(sys.argv if argv is None else argv)
    raise _ParsedError


def parse(words):
    """Returns what is wrong with a command, None if nothing."""
    if words[0] == "bin/quickstart":
        words = ["python", "bin/train_mlp.py", *words[1:]]
    if words[0] == "tf-rigl":
        words = ["python", "-m", "tf_rigl", *words[1:]]
    if words[0] == "bin/test":
        return _parse_pytest(words[1:])

    try:
        with run_programs.own_flags():
            _run(words[1:])
    except _ParsedError:
        return None
    except (flags.Error, OSError, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return "did not parse its flags by `app.run`"


def _run(arguments):
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def _parse_pytest(arguments):
    arguments = list(arguments)
    if "-m" in arguments:
        at = arguments.index("-m")
        if arguments[at + 1] not in _PYTEST_MARKS:
            return f"unknown mark {arguments[at + 1]}"
        del arguments[at : at + 2]

    missing = [path for path in arguments if not pathlib.Path(path).exists()]
    return f"missing: {missing}" if missing else None


if __name__ == "__main__":
    app.run = _parse_only
    commands = json.loads(sys.argv[1])
    with contextlib.redirect_stdout(io.StringIO()):
        errors = [parse(command) for command in commands]
    print(json.dumps(errors))
