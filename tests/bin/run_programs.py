"""Runs programs one after the other, as many processes would.

Takes a JSON list of command lines, each a list of words. Prints a JSON list
of what each has printed and written as errors and its exit code. One process
runs all, since each would spend seconds on importing TensorFlow.
"""

import contextlib
import io
import json
import runpy
import sys
import traceback

from absl import app
from absl import flags


@contextlib.contextmanager
def own_flags():
    """Forgets the flags of a program: the next one defines their names anew."""
    before = set(flags.FLAGS)
    try:
        yield
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()


def run(words):
    sys.argv = words
    printed, errors = io.StringIO(), io.StringIO()
    code = None
    with (
        own_flags(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(errors),
    ):
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            code = end.code
        except Exception:  # what a process would print and exit with
            traceback.print_exc()
            code = 1
    return printed.getvalue(), errors.getvalue(), code


if __name__ == "__main__":
    # Else `app.run` does, for the first program only.
    app.define_help_flags()
    print(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
