import csv
import importlib
import importlib.util
import json

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests import zoo
from tests.diagnostics import support
from tests.methods.oracles.slimming import make_normalized


def read_csv(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def read_json_lines(path):
    return list(map(json.loads, path.read_text().splitlines()))


@pytest.fixture(scope="module", params=training.FLAVORS)
def written(request, tmp_path_factory):
    """Everything that a run of three epochs writes, and what it tells."""
    keras = importlib.import_module(request.param)
    tmp_path, results = tmp_path_factory.mktemp(request.param), []

    class Diagnose(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            results.append(tf_rigl.diagnose(self.model))

    diagnostics = tf_rigl.MaskDiagnostics(
        tmp_path / "board",
        tmp_path / "masks.csv",
        tmp_path / "masks.jsonl",
        image_interval=5,
        image_size=16,
    )
    model = support.fresh_model(keras)
    history = training.train(
        keras, model, support.RIGL, 3, callbacks=[diagnostics, Diagnose()]
    ).history
    return tmp_path, model, history, results


def test_files_hold_what_diagnose_tells(written):
    folder, _, history, results = written
    rows = read_csv(folder / "masks.csv")
    moved = dict.fromkeys((row.path for row in results[0].rows), 0)

    objects = read_json_lines(folder / "masks.jsonl")
    for epoch, (found, result) in enumerate(zip(objects, results, strict=True)):
        assert found["epoch"] == epoch
        assert found["total"].pop("churn") == history["mask_churn"][epoch]
        assert found["total"] == result.total.to_dict()
        for row in result.rows:
            from_csv = rows.pop(0)
            assert from_csv.pop("epoch") == str(epoch)
            assert from_csv.pop("weight") == row.path
            from_csv = {name: float(text) for name, text in from_csv.items()}
            from_json = found["weights"][row.path]
            assert from_csv == from_json

            churn = (row.moved - moved[row.path]) / row.connections
            assert from_json.pop("churn") == churn
            assert from_json == row.to_dict()
            moved[row.path] = row.moved

    assert epoch == 2
    assert not rows


def test_tensorboard_shows_scalars_and_images(written):
    from tensorboard.backend.event_processing import event_accumulator

    folder, model, history, results = written
    board = event_accumulator.EventAccumulator(
        str(folder / "board"), {"tensors": 0}
    )
    board.Reload()

    def series(tag):
        events = board.Tensors(tag)
        assert [event.step for event in events] == list(range(len(events)))
        return [tf.make_ndarray(event.tensor_proto) for event in events]

    churn = history["mask_churn"]
    np.testing.assert_allclose(series("masks/churn"), churn, rtol=1e-6)
    for number, row in enumerate(results[-1].rows):
        np.testing.assert_allclose(
            series(f"mask_exploration/{row.path}"),
            [result.rows[number].exploration for result in results],
            rtol=1e-6,
        )
        # The first epoch's and the last one's.
        images = board.Tensors(f"mask/{row.path}")
        assert [event.step for event in images] == [0, 2]
        width, height, png = tf.make_ndarray(images[-1].tensor_proto)
        assert max(int(width), int(height)) <= 16
        image = tf.io.decode_png(png).numpy()
        mask = tf_rigl.masks(model)[row.path]
        np.testing.assert_allclose(image.mean() / 255, mask.mean(), atol=0.02)


def test_a_new_run_begins_its_files_anew(keras, tmp_path):
    path, board = tmp_path / "masks.csv", tmp_path / "board"
    path.write_text("epoch,weight\n7,of another run\n")
    callback = tf_rigl.MaskDiagnostics(board, csv_path=path, images=False)
    model = support.fresh_model(keras)
    for _ in range(2):
        training.train(keras, model, tf_rigl.Static(), 1, callbacks=[callback])

    rows = read_csv(path)
    assert [row["epoch"] for row in rows] == ["0"] * 2
    # Nothing is known of an update that never was.
    assert {row["overlap_previous"] for row in rows} == {""}
    for row in rows:
        assert row["exploration"] == row["density"]

    # No images where none are wanted.
    records = tf.data.TFRecordDataset(list(map(str, board.iterdir())))
    tags = {
        value.tag
        for record in records
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    assert "masks/density" in tags
    assert not any(tag.startswith("mask/") for tag in tags)


@training.one_keras("keras")
def test_restored_by_a_callback(keras, tmp_path, expected):
    """`BackupAndRestore` brings the numbers back, and files go on."""
    files = {
        "csv_path": tmp_path / "logs" / "masks.csv",
        "json_lines_path": tmp_path / "logs" / "masks.jsonl",
    }

    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def run(*callbacks):
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        diagnostics = tf_rigl.MaskDiagnostics(**files)
        return support.fit(keras, callbacks=[backup, diagnostics, *callbacks])

    with pytest.raises(KeyboardInterrupt):
        run(Crash())
    training.fresh_keras(keras.__name__)  # as another process
    for path in files.values():
        lines = path.read_text().splitlines(keepends=True)
        # As where the crashed run had got further, and broke off in a line.
        late = lines[-1].replace("0,", "1,", 1).replace(": 0", ": 1", 1)
        path.write_text("".join([*lines, late, late[:9]]))

    history, result = run()
    support.assert_same_diagnostics(result, expected[1])
    assert history["mask_churn"] == expected[0]["mask_churn"][1:]
    rows = read_csv(files["csv_path"])
    assert [(row["epoch"], row["weight"]) for row in rows] == [
        (epoch, row.path) for epoch in "01" for row in result.rows
    ]
    objects = read_json_lines(files["json_lines_path"])
    assert [one["epoch"] for one in objects] == [0, 1]
    assert {*files.values()} == {*(tmp_path / "logs").iterdir()}


@training.one_keras("tf_keras")
def test_a_model_that_is_not_built_yet(keras, tmp_path):
    model = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.9)
    path = tmp_path / "masks.jsonl"
    diagnostics = tf_rigl.MaskDiagnostics(tmp_path, json_lines_path=path)
    algorithm = tf_rigl.RigL(stop_step=9, update_interval=2)
    history = training.train(
        keras, model, algorithm, 1, samples=64, callbacks=[diagnostics]
    ).history

    result = tf_rigl.diagnose(model)
    assert history["mask_exploration"] == [result.total.exploration]
    (written,) = read_json_lines(path)
    assert written["total"]["churn"] == history["mask_churn"][0] > 0
    for row in result.rows:
        assert row.connections_since_start >= row.connections - row.moved
        grown_at_most = row.connections + row.moved
        assert row.connections <= row.ever_active <= grown_at_most


def test_a_file_of_other_columns_is_left_alone(keras, tmp_path):
    path = tmp_path / "masks.csv"
    path.write_text("epoch,weight\n0,mine\n")
    callback = tf_rigl.MaskDiagnostics(csv_path=path)
    message = (
        r"(?s)`csv_path` must be a file of the same columns.*"
        r"Received: csv_path=.*'epoch,weight'\. Pass another path"
    )

    with pytest.raises(ValueError, match=message):
        support.fit(
            keras,
            algorithm=tf_rigl.Static(),
            callbacks=[callback],
            initial_epoch=1,
        )
    assert path.read_text() == "epoch,weight\n0,mine\n"


@pytest.mark.parametrize("argument", ["csv_path", "json_lines_path"])
def test_unwritable_paths_are_told_before_training(keras, tmp_path, argument):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "masks"
    callback = tf_rigl.MaskDiagnostics(**{argument: path})
    message = (
        rf"(?s)`{argument}` must be a file that can be written\. "
        rf"Received: {argument}=.*Pass a path in a folder"
    )
    with pytest.raises(ValueError, match=message):
        support.fit(keras, callbacks=[callback])


@pytest.mark.parametrize("name", ["log_dir", "csv_path", "json_lines_path"])
def test_paths_are_paths(name):
    with pytest.raises(TypeError, match=f"`{name}` must be a path.*{name}=3"):
        tf_rigl.MaskDiagnostics(**{name: 3})
    with pytest.raises(ValueError, match=f"`{name}` must name a place.*=''"):
        tf_rigl.MaskDiagnostics(**{name: ""})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "At least one of `log_dir`, `csv_path` and `json_lines_path`"),
        (
            {"log_dir": "x", "image_interval": 0},
            r"`image_interval` must be at least 1\. "
            r"Received: image_interval=0\. For no images pass images=False",
        ),
        (
            {"log_dir": "x", "image_size": -1},
            r"`image_size` must be at least 1\. Received: image_size=-1\.",
        ),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        tf_rigl.MaskDiagnostics(**arguments)


def test_tensorboard_is_needed_only_for_its_folder(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = (
        r"`log_dir` needs the package `tensorboard`\. Received: "
        r"log_dir='x'\. Run `pip install tensorboard`"
    )
    with pytest.raises(ImportError, match=message):
        tf_rigl.MaskDiagnostics("x")
    tf_rigl.MaskDiagnostics(csv_path="x")


def test_dense_models_are_refused(keras, tmp_path):
    callback = tf_rigl.MaskDiagnostics(csv_path=tmp_path / "masks.csv")
    with pytest.raises(ValueError, match="must have masked weights"):
        training.train(
            keras, training.make_mlp(keras), None, 1, callbacks=[callback]
        )


@training.keras_in_turn("masked", [True, False])
def test_tensorboard_shows_scales_of_channels(keras, masked, tmp_path):
    """A histogram of |γ| a layer, of layers and models without masks, too."""
    from tensorboard.backend.event_processing import event_accumulator

    model = make_normalized(keras, (24,))
    if masked:
        tf_rigl.sparsify(model, 0.5, dense=["logits"])
    callback = tf_rigl.MaskDiagnostics(tmp_path, images=False)
    method = tf_rigl.Slimming(1e-2)
    training.train(keras, model, method, 2, callbacks=[callback])

    board = event_accumulator.EventAccumulator(str(tmp_path), {"tensors": 0})
    board.Reload()
    assert ("masks/density" in board.Tags()["tensors"]) == masked
    (path,) = (
        tag.removeprefix("scale/")
        for tag in board.Tags()["tensors"]
        if tag.startswith("scale/")
    )
    events = board.Tensors(f"scale/{path}")
    assert [event.step for event in events] == [0, 1]
    lefts, rights, counts = tf.make_ndarray(events[-1].tensor_proto).T
    scales = np.abs(np.asarray(model.get_layer(path).gamma))
    np.testing.assert_allclose(
        (lefts[0], rights[-1]), (scales.min(), scales.max())
    )
    assert counts.sum() == 24


def test_files_of_a_dense_model_are_refused(tmp_path):
    """They would have no rows."""
    keras = training.fresh_keras("tf_keras")
    callback = tf_rigl.MaskDiagnostics(tmp_path, tmp_path / "masks.csv")
    model = make_normalized(keras, (24,))
    with pytest.raises(ValueError, match="must have masked weights"):
        training.train(keras, model, None, 1, callbacks=[callback])
