"""What TensorFlow prints of its own accord, kept out of programs' output.

Only programs do this: a library leaves the environment of its user alone.
"""

import importlib
import logging
import os
import re
import sys
import tempfile

# Lines of its log, before and after the log is set up, and their second line.
_LOG_LINE = re.compile(
    r"(WARNING: All log messages before absl::"
    r"|[IWE]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "
    r"|To enable the following instructions)"
)


def import_quietly() -> None:
    """Imports TensorFlow without what it logs meanwhile.

    Its log has no level before it is set up, so the file descriptor is
    redirected. All that is no line of the log is printed afterwards. Later it
    logs what ends the process: other errors are exceptions of Python, too.
    """
    if "tensorflow" in sys.modules:
        return

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        standard_error = os.dup(2)
    except OSError:
        # There is none, and nothing to keep out of it.
        importlib.import_module("tensorflow")
        return

    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, 2)
            os.close(standard_error)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines(True):
                if not _LOG_LINE.match(line):
                    sys.stderr.write(line)


def set_level(level: str) -> None:
    """Sets the level of what TensorFlow's Python code logs, as `"WARNING"`."""
    logging.getLogger("tensorflow").setLevel(level)
