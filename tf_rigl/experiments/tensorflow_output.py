"""Keeps TensorFlow's log out of the output of programs.

Only programs do this; a library must not change its user's environment.
"""

import importlib
import logging
import os
import re
import sys
import tempfile

# Lines of TensorFlow's log before and after it is set up, and the second line
# of one of its messages.
_LOG_LINE = re.compile(
    r"(WARNING: All log messages before absl::"
    r"|[IWE]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "
    r"|To enable the following instructions)"
)


def import_quietly() -> None:
    """Imports TensorFlow without printing its log.

    Messages that TensorFlow logs before its log is set up ignore the log level.
    Therefore, standard error is redirected during the import; lines that are
    not part of the log are printed afterwards. Later, TensorFlow only logs
    fatal errors. All other errors are also raised as exceptions in Python.
    """
    if "tensorflow" in sys.modules:
        return

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        standard_error = os.dup(2)
    except OSError:
        # The process has no standard error to keep clean.
        importlib.import_module("tensorflow")
        return

    with tempfile.TemporaryFile() as output:
        # C++ writes to the file descriptor, so replacing `sys.stderr` would not
        # be enough.
        os.dup2(output.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)
            output.seek(0)
            text = output.read().decode(errors="replace")
            for line in text.splitlines(keepends=True):
                if not _LOG_LINE.match(line):
                    sys.stderr.write(line)


def set_level(level: str) -> None:
    """Sets the level of what TensorFlow's Python code logs, as `"WARNING"`."""
    logging.getLogger("tensorflow").setLevel(level)
