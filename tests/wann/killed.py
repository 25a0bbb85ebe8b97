"""A search that kills its own process at a given event.

Events are the moments before and after each file is written, and the end of
each evaluation. Arguments: the folder, and the number of the event, 0 for none.
Prints a checksum of the champion and of all records.
"""

import os
import signal
import sys
import zlib

from tests import file_events
from tf_rigl.backend import atomic_files
from tf_rigl.wann import searching
from tf_rigl.wann.breeding import SearchOptions
from tf_rigl.wann.tasks import swing_up


def main(folder, event):
    left = event

    def happen():
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    atomic_files.draft = file_events.around_each_file(happen)

    class Task(swing_up.SwingUp):
        def evaluate(self, networks, seeds):
            found = super().evaluate(networks, seeds)
            happen()
            return found

    result = searching.search(
        Task(steps=40),
        10,
        12,
        folder=folder,
        options=SearchOptions(tournament=2, champion_episodes=2, save_every=2),
    )
    content = b"".join(
        array.tobytes() for array in result.best.arrays().values()
    )
    print("sum", zlib.crc32(content + repr(result.history).encode()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
