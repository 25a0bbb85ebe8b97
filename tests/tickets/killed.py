"""A search that kills its own process at a given event.

Events are the beginning of each batch, and of each file the moments before it
is written and after it stands under its name. Arguments: the Keras, the folder,
the number of the event, 0 for none, and the treatment of pruned weights. Prints
a sum of all values at the end.
"""

import importlib
import os
import signal
import sys
import zlib

import numpy as np

from tests import file_events
from tests.tickets import search_test
from tf_rigl.backend import atomic_files


def main(name, directory, event, treatment):
    keras = importlib.import_module(name)
    left = event

    def happen():
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    atomic_files.draft = file_events.around_each_file(happen, within=False)

    class Count(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            happen()

    # Once the folder has values, those that the model is built with do not
    # matter.
    is_begun = os.path.exists(os.path.join(directory, "start.npz"))
    model = search_test.make_model(keras, seed=int(is_begun))
    search = search_test.tf_rigl.TicketSearch(
        model,
        directory,
        rounds=6,
        rewind_step=5,
        save_every=3,
        treatment=treatment,
    )
    for level in search:
        level.callbacks.append(Count())
        search_test.train(model, level)
    search.restore(6)
    values = b"".join(
        np.ascontiguousarray(one).tobytes()
        for one in (*search_test.values_of(model), *search.masks(6).values())
    )
    print("sum", zlib.crc32(values))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
