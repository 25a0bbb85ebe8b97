"""The moments around each file that is written, for tests of kills."""

import contextlib

from tf_rigl.backend import atomic_files


def around_each_file(happen, within=True):
    """A `draft` of `atomic_files` that calls a function around each file.

    Before it is written, `within` that as soon as it has its whole content but
    not yet its name, and after it stands under its name.
    """
    draft = atomic_files.draft

    @contextlib.contextmanager
    def counted(*arguments, **keywords):
        happen()
        with draft(*arguments, **keywords) as path:
            yield path
            if within:
                happen()
        happen()

    return counted
