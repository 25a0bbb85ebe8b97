"""Loads artifacts with each loader, in a process without this library.

Run by `loaders_test`: the arguments are a folder with `inputs.npz` and
`expected.npz`, and the names of artifacts in it.
"""

import importlib.abc
import pathlib
import sys

import numpy as np
import tensorflow as tf


class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "tf_rigl":
            raise ImportError("this process must do without")


def load_version_2(path, inputs):
    loaded = tf.saved_model.load(path)
    inputs = tf.constant(inputs)
    named = loaded.signatures["serving_default"](inputs)
    return [loaded.serve(inputs).numpy(), named["output_0"].numpy()]


def load_version_1(path, inputs):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = loaded.signature_def["serving_default"]
        (tensor,) = signature.inputs.values()
        output = signature.outputs["output_0"]
        return [session.run(output.name, {tensor.name: inputs})]


def load_layer(path, inputs):
    import keras

    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return [layer(inputs).numpy()]


def main(folder, names):
    sys.meta_path.insert(0, Blocked())
    try:
        import tf_rigl
    except ImportError:
        pass
    else:
        raise SystemExit(f"found {tf_rigl}")

    inputs = np.load(folder / "inputs.npz")
    expected = np.load(folder / "expected.npz")
    for name in names:
        path = str(folder / name)
        for load in (load_version_2, load_version_1, load_layer):
            for outputs in load(path, inputs[name]):
                same = outputs.tobytes() == expected[name].tobytes()
                print(name, load.__name__, "same" if same else outputs)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
