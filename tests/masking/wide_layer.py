"""Trains, saves, resumes and exports one wide layer; prints its memory.

Usage: wide_layer.py KERAS WIDTH SPARSITY FOLDER

Prints the peak of the resident memory over a layer of 64 units that was
trained in the same process, in bytes, as JSON.
"""

import importlib
import json
import pathlib
import resource
import sys

import numpy as np

import tf_rigl

UPDATES = {"stop_step": 100, "update_interval": 2}


def peak() -> int:
    """Returns the largest resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def data(width: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(4, width)).astype("float32")
    return inputs, np.roll(inputs, 1, axis=1)


def fit(model, width: int, folder: pathlib.Path | None = None) -> float:
    """Trains for four steps, of which two update the mask."""
    callbacks = [tf_rigl.UpdateMasks(tf_rigl.RigL(**UPDATES))]
    if folder is not None:
        callbacks.append(tf_rigl.Checkpoints(folder))
    inputs, labels = data(width)
    fitted = model.fit(
        inputs, labels, 2, epochs=2, verbose=0, callbacks=callbacks
    )
    return float(fitted.history["loss"][-1])


def run(keras, width: int, sparsity: float, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)

    def make():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(width, name="wide")])
        tf_rigl.sparsify(model, sparsity, storage="compressed")
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
        return model

    def report(what):
        print(what, f"{peak() / 2**20:.0f} MiB", file=sys.stderr, flush=True)

    model = make()
    model.build((None, width))
    report("built")
    fit(model, width, folder / "checkpoints")
    report("trained")
    (before,) = tf_rigl.masks(model, sparse=True).values()
    total = tf_rigl.diagnose(model).total
    assert total.updates == 2, total
    assert total.connections == before.nnz
    assert abs(before.nnz - width**2 * (1 - sparsity)) <= 1
    assert total.moved > 0 and total.overlap_start < 1
    assert tf_rigl.profile(model).nonzeros == before.nnz + width
    report("reported")

    path = folder / "model.keras"
    model.save(path)
    report("saved")
    loaded = keras.models.load_model(path)
    report("loaded")
    (after,) = tf_rigl.masks(loaded, sparse=True).values()
    np.testing.assert_array_equal(after.positions, before.positions)

    other = make()
    other(data(width)[0])
    step = tf_rigl.Checkpoints(folder / "checkpoints").restore(other)
    assert step == 4
    report("resumed")

    losses = [fit(one, width) for one in (model, loaded, other)]
    assert losses[0] == losses[1] == losses[2], losses
    report("trained again")
    tf_rigl.export_saved_model(model, folder / "exported")
    report("exported")


def main() -> None:
    name, width, sparsity, folder = sys.argv[1:]
    keras = importlib.import_module(name)
    folder = pathlib.Path(folder)
    run(keras, 64, 0.9, folder / "small")
    before = peak()
    run(keras, int(width), float(sparsity), folder / "wide")
    print(json.dumps(peak() - before))


if __name__ == "__main__":
    main()
