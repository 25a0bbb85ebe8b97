"""Writes the data that `load_test.py` loads, with an old version's code.

The data and goldens here were written by tf_rigl 0.1 at commit 0c5720f, with
TensorFlow 2.21, Keras 3.15 and tf_keras 2.21. They are not to be written anew
when the code changes: that files of 0.1 still load is what they show. To
write them once more, for a further case, use that commit's code:

```shell
git worktree add ../old 0c5720f
PYTHONPATH=../old:. python tests/compatibility/write.py
```

Everything runs in a temporary folder with relative paths, so that the files
hold no path of the machine that wrote them.
"""

import contextlib
import importlib
import io
import json
import os
import pathlib
import tarfile
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import tf_rigl
from tests.compatibility import cases
from tests.compatibility import goldens

HERE = pathlib.Path(__file__).resolve().parent
FLAVOURS = {"keras": "keras3", "tf_keras": "keras2"}


def trained(name, keras):
    """A model of a new process in the middle of its training."""
    keras.backend.clear_session()
    case = cases.CASES[name]
    model = cases.make(case, keras)
    cases.train(case, model, 0, cases.BEFORE)
    return case, model


def write_case(name, keras, folder):
    """Writes one model in every format and what is expected of it."""
    is_keras2 = keras.__name__ == "tf_keras"
    case, model = trained(name, keras)
    if name in cases.MODEL_FILES:
        model.save(folder / f"{name}.keras")
    if name in cases.WEIGHTS_FILES:
        model.save_weights(folder / f"{name}.weights.h5")
    if is_keras2 and name in cases.LEGACY_FILES:
        model.save(folder / f"{name}.h5")
    for other, kind in cases.TF_CHECKPOINTS:
        if other == name:
            path = folder / f"{name}_{kind}" / "checkpoint"
            cases.checkpoint(model, kind).write(str(path))
    if name in cases.PACKED:
        tf_rigl.export_saved_model(model, folder / f"{name}_saved_model")
    if not is_keras2 and name in cases.LITERT:
        tf_rigl.export_litert(model, folder / f"{name}.tflite")
    expected = {
        **cases.snapshot(case, model),
        **cases.optimizer_state(model),
    }
    # As the code of the time goes on.
    cases.train(case, model, cases.BEFORE, cases.AFTER)
    expected.update(
        cases.pack_masks(tf_rigl.masks(model), "after_mask"),
        after_outputs=cases.outputs(case, model),
    )
    np.savez_compressed(folder / f"{name}.npz", **expected)


def write_callback_run(keras, folder):
    """Writes what `Checkpoints` leaves halfway, and expects the whole."""
    case = cases.CASES["snfs"]
    keras.backend.clear_session()
    cases.train_with_checkpoints(
        case, keras, folder / "callback", cases.EPOCHS_BEFORE
    )
    keras.backend.clear_session()
    whole = cases.train_with_checkpoints(
        case, keras, folder / "whole", cases.RUN_EPOCHS
    )
    np.savez_compressed(folder / "callback.npz", **cases.snapshot(case, whole))
    for path in (folder / "whole").iterdir():
        path.unlink()
    (folder / "whole").rmdir()


def write_runs(keras, folder):
    """A run of `bin/train_mlp.py` and one that was interrupted."""
    # Of the old code, whose names they were.
    from bin import train_mlp
    from tests.training.runs import support

    def interrupt():
        raise KeyboardInterrupt

    arguments = [*cases.RUN_FLAGS, f"--keras={FLAVOURS[keras.__name__]}"]
    arguments += ["--checkpoint_every=3", "--data=mnist_small"]
    code, text = support.run_program(
        *arguments,
        f"--output_dir={folder / 'finished'}",
        defaults=train_mlp.DEFAULTS,
    )
    assert code == 0, text
    with contextlib.suppress(KeyboardInterrupt):
        support.run_program(
            *arguments,
            f"--output_dir={folder / 'interrupted'}",
            defaults=train_mlp.DEFAULTS,
            file=support.Interrupting("epoch 2/3", interrupt),
        )
    assert not (folder / "interrupted" / "results.json").exists()


def archive(folder, path):
    """Packs a folder, with nothing of the machine in it."""

    def anonymous(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:xz", preset=9) as file:
        for one in sorted(folder.rglob("*")):
            file.add(one, one.relative_to(folder), False, filter=anonymous)
    path.write_bytes(content.getvalue())


def main():
    assert tf_rigl.__version__ == "0.1.0", tf_rigl.__version__
    (HERE / "data").mkdir(exist_ok=True)
    tf.config.experimental.enable_op_determinism()
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        for name in cases.KERASES:
            keras = importlib.import_module(name)
            folder = pathlib.Path(name)
            folder.mkdir()
            keras.utils.set_random_seed(1)
            for case in cases.CASES:
                write_case(case, keras, folder)
            write_callback_run(keras, folder)
            write_runs(keras, folder)
            archive(folder, HERE / "data" / f"{name}.tar.xz")
    written = {row: goldens.record(row, "keras") for row in goldens.ROWS}
    text = json.dumps(written, indent=1, sort_keys=True)
    (HERE / "data" / "goldens.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
