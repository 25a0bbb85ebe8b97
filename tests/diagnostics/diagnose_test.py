"""`diagnose`, the logs of `UpdateMasks` and `MaskDiagnostics`."""

import csv
import importlib
import importlib.util
import json
import math

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo
from tf_rigl.masking.masked_weight import masked_weights

BATCHES = 8  # an epoch of `support.batches`
SCHEDULE = {"stop_step": 12, "update_interval": 3}
ALGORITHMS = {
    "rigl": tf_rigl.RigL(**SCHEDULE),
    "set": tf_rigl.SET(**SCHEDULE),
}
NORMS = ("kept_gradient_norm", "grown_gradient_norm")


def fresh_model(keras, **kwargs):
    model = support.make_mlp(keras, (40,))
    return tf_rigl.sparsify(model, 0.8, seed=7, **kwargs)


def sgd(keras):
    return keras.optimizers.SGD(0.1, momentum=0.9)


def assert_same(found, expected):
    """Norms up to rounding, all else exactly."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name in NORMS and value is not None:
            np.testing.assert_allclose(found[name], value, rtol=1e-4)
        else:
            assert found[name] == value, name


def assert_same_diagnostics(one, other):
    assert_same(one.total.to_dict(), other.total.to_dict())
    for first, second in zip(one.rows, other.rows, strict=True):
        assert_same(first.to_dict(), second.to_dict())


class Reference:
    """Recomputes everything from the masks of each step, with NumPy."""

    def __init__(self, model):
        self.start = tf_rigl.masks(model)
        self.ever = {path: mask.copy() for path, mask in self.start.items()}
        self.masks, self.last = self.start, {}
        self.moved = dict.fromkeys(self.start, 0)

    def see_update(self, masks, gradients):
        for path, mask in masks.items():
            old, gradient = self.masks[path], gradients[path].astype("float64")
            self.ever[path] |= mask
            self.moved[path] += int((mask & ~old).sum())
            self.last[path] = {
                "last_connections": int(mask.sum()),
                "last_kept": int((mask & old).sum()),
                "kept_gradient_norm": np.linalg.norm(gradient[mask & old]),
                "grown_gradient_norm": np.linalg.norm(gradient[mask & ~old]),
            }
        self.masks = masks

    def check(self, result, updates):
        for row in result.rows:
            path = row.path
            mask, start = self.masks[path], self.start[path]
            last = self.last[path]
            assert_same(
                row.to_dict(),
                {
                    "density": mask.mean(),
                    "exploration": self.ever[path].mean(),
                    "overlap_start": (mask & start).sum() / mask.sum(),
                    "jaccard_start": (mask & start).sum()
                    / (mask | start).sum(),
                    "overlap_previous": last["last_kept"] / mask.sum(),
                    "size": mask.size,
                    "connections": mask.sum(),
                    "inputs": mask.shape[0],
                    "unused_inputs": int((~mask.any(axis=1)).sum()),
                    "units": mask.shape[1],
                    "dead_units": int((~mask.any(axis=0)).sum()),
                    "updates": updates,
                    "moved": self.moved[path],
                    "skipped_updates": 0,
                    "start_connections": start.sum(),
                    "connections_since_start": (mask & start).sum(),
                    "ever_active": self.ever[path].sum(),
                    **last,
                },
            )
        total, rows = result.total, result.rows
        for name in ("size", "connections", "ever_active", "moved", "units"):
            assert getattr(total, name) == sum(getattr(r, name) for r in rows)
        assert total.updates == updates
        np.testing.assert_allclose(
            total.grown_gradient_norm,
            math.hypot(*(row.grown_gradient_norm for row in rows)),
        )

    def logs(self, moved_before):
        masks = list(self.masks.values())
        size = sum(mask.size for mask in masks)
        connections = sum(int(mask.sum()) for mask in masks)
        since_start = sum(
            int((mask & self.start[path]).sum())
            for path, mask in self.masks.items()
        )
        return {
            "sparsity": 1 - connections / size,
            "mask_churn": (sum(self.moved.values()) - moved_before)
            / connections,
            "mask_exploration": sum(int(m.sum()) for m in self.ever.values())
            / size,
            "mask_overlap_start": since_start / connections,
            "dead_units": sum(int((~m.any(axis=0)).sum()) for m in masks),
        }


@pytest.mark.parametrize("name", ALGORITHMS)
def test_all_numbers_follow_from_the_masks(keras, name):
    """Those of each update in a custom loop, and the logs of `fit`."""
    model, optimizer = fresh_model(keras), sgd(keras)
    tf_rigl.attach(optimizer, model, ALGORITHMS[name])
    step = tf.function(support.make_step(keras, model, optimizer))
    gradients = gradients_of(keras, model)
    reference, updates, logs, moved = Reference(model), 0, [], 0
    for number, batch in enumerate(support.batches() * 2):
        dense = gradients(*batch)
        step(*batch)
        if number % 3 == 0 and number < 12:
            updates += 1
            reference.see_update(tf_rigl.masks(model), dense)
            reference.check(tf_rigl.diagnose(model), updates)
        if number % BATCHES == BATCHES - 1:
            logs.append(reference.logs(moved))
            moved = sum(reference.moved.values())
    assert moved > 100
    fitted = fresh_model(keras)
    history = support.train(
        keras, fitted, ALGORITHMS[name], 2, optimizer=sgd(keras)
    ).history
    for epoch, expected in enumerate(logs):
        assert {name: history[name][epoch] for name in expected} == expected
    assert_same_diagnostics(tf_rigl.diagnose(fitted), tf_rigl.diagnose(model))


def gradients_of(keras, model):
    """The dense gradients of a batch, by the weight's path."""
    loss_function = support.crossentropy(keras)
    weights = masked_weights(model)

    @tf.function
    def compute(inputs, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(inputs, training=True))
        return tape.gradient(loss, [weight.variable for weight in weights])

    def gradients(*batch):
        return {
            weight.path: gradient.numpy()
            for weight, gradient in zip(weights, compute(*batch), strict=True)
        }

    return gradients


@pytest.fixture(scope="module")
def expected():
    """History and diagnostics of `fit` with Keras 3, as all others' are."""
    import keras

    return fit(keras)


def fit(keras, model=None, **kwargs):
    model = model or fresh_model(keras)
    optimizer = kwargs.pop("optimizer", None) or sgd(keras)
    history = support.train(
        keras, model, ALGORITHMS["rigl"], 2, optimizer=optimizer, **kwargs
    ).history
    return history, tf_rigl.diagnose(model)


def assert_same_fit(found, expected):
    names = ["mask_churn", "mask_exploration", "mask_overlap_start"]
    for name in [*names, "dead_units", "sparsity"]:
        assert found[0][name] == expected[0][name]
    assert_same_diagnostics(found[1], expected[1])


def test_compiled_and_in_blocks_of_steps_it_is_the_same(keras, expected):
    found = fit(keras, steps_per_execution=4, jit_compile=True)
    assert_same_fit(found, expected)


def test_replicas_give_the_same(keras, two_replicas, expected):
    if keras.__version__.startswith("3.6."):
        pytest.skip("Keras 3.6 sums the losses of replicas, dense ones too")
    with two_replicas.scope():
        model, optimizer = fresh_model(keras), sgd(keras)
        found = fit(keras, model, optimizer=optimizer)
    assert_same_fit(found, expected)
    for weight in masked_weights(model):
        for variable in weight.diagnostics.values():
            first, second = two_replicas.experimental_local_results(variable)
            np.testing.assert_array_equal(first.numpy(), second.numpy())


def saved_and_loaded(keras, model, folder):
    path = str(folder / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert_same_diagnostics(tf_rigl.diagnose(loaded), tf_rigl.diagnose(model))
    return loaded


def test_resumed_is_uninterrupted(keras, tmp_path, expected):
    first = fresh_model(keras)
    support.train(keras, first, ALGORITHMS["rigl"], 1, optimizer=sgd(keras))
    loaded = saved_and_loaded(keras, first, tmp_path)
    history, result = fit(
        keras, loaded, optimizer=loaded.optimizer, initial_epoch=1
    )
    assert_same_diagnostics(result, expected[1])
    for name in ("mask_churn", "mask_exploration", "mask_overlap_start"):
        assert history[name] == expected[0][name][1:]


def test_a_start_that_cannot_be_drawn_again_is_saved(keras, tmp_path):
    model = fresh_model(keras, start="magnitude")
    assert tf_rigl.diagnose(model).total.overlap_start == 1
    support.train(keras, model, ALGORITHMS["set"], 1)
    assert 0 < tf_rigl.diagnose(model).total.overlap_start < 1
    saved_and_loaded(keras, model, tmp_path)


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
        return fit(
            keras,
            callbacks=[
                keras.callbacks.BackupAndRestore(str(tmp_path / "backup")),
                tf_rigl.MaskDiagnostics(**files),
                *callbacks,
            ],
        )

    with pytest.raises(KeyboardInterrupt):
        run(Crash())
    keras.backend.clear_session()  # as another process
    for path in files.values():
        lines = path.read_text().splitlines(keepends=True)
        # As where the crashed run had got further, and broke off in a line.
        late = lines[-1].replace("0,", "1,", 1).replace(": 0", ": 1", 1)
        path.write_text("".join([*lines, late, late[:9]]))
    history, result = run()
    weights = [row.path for row in result.rows]
    assert_same_diagnostics(result, expected[1])
    assert history["mask_churn"] == expected[0]["mask_churn"][1:]
    rows = list(csv.DictReader(files["csv_path"].open()))
    assert [(row["epoch"], row["weight"]) for row in rows] == [
        (epoch, weight) for epoch in "01" for weight in weights
    ]
    lines = files["json_lines_path"].read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1]
    assert sorted(p.name for p in files["csv_path"].parent.iterdir()) == [
        "masks.csv",
        "masks.jsonl",
    ]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def written(request, tmp_path_factory):
    """Everything that a run of three epochs writes, and what it tells."""
    keras = importlib.import_module(request.param)
    tmp_path, results = tmp_path_factory.mktemp(request.param), []

    class Diagnose(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            results.append(tf_rigl.diagnose(self.model))

    model = fresh_model(keras)
    history = support.train(
        keras,
        model,
        ALGORITHMS["rigl"],
        3,
        callbacks=[
            tf_rigl.MaskDiagnostics(
                tmp_path / "board",
                tmp_path / "masks.csv",
                tmp_path / "masks.jsonl",
                image_interval=5,
                image_size=16,
            ),
            Diagnose(),
        ],
    ).history
    return tmp_path, model, history, results


def test_files_hold_what_diagnose_tells(written):
    folder, _, history, results = written
    rows = list(csv.DictReader((folder / "masks.csv").open()))
    lines = (folder / "masks.jsonl").read_text().splitlines()
    assert len(lines) == len(results) == 3
    for epoch, (line, result) in enumerate(zip(lines, results, strict=True)):
        found = json.loads(line)
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
            moved = row.moved
            if epoch:
                moved -= results[epoch - 1].rows[result.rows.index(row)].moved
            assert from_json.pop("churn") == moved / row.connections
            assert from_json == row.to_dict()
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

    np.testing.assert_allclose(
        series("masks/churn"), history["mask_churn"], rtol=1e-6
    )
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


def test_no_images_where_none_are_wanted(keras, tmp_path):
    callback = tf_rigl.MaskDiagnostics(tmp_path, images=False)
    support.train(
        keras, fresh_model(keras), ALGORITHMS["set"], 1, callbacks=[callback]
    )
    (path,) = tmp_path.iterdir()
    records = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    tags = {v.tag for event in records for v in event.summary.value}
    assert "masks/density" in tags
    assert not any(tag.startswith("mask/") for tag in tags)


def test_a_new_run_begins_its_files_anew(keras, tmp_path):
    path = tmp_path / "masks.csv"
    path.write_text("epoch,weight\n7,of another run\n")
    callback = tf_rigl.MaskDiagnostics(csv_path=path)
    model = fresh_model(keras)
    for _ in range(2):
        support.train(keras, model, tf_rigl.Static(), 1, callbacks=[callback])
    rows = list(csv.DictReader(path.open()))
    assert [row["epoch"] for row in rows] == ["0"] * 2
    # Nothing is known of an update that never was.
    assert {row["overlap_previous"] for row in rows} == {""}
    assert {row["exploration"] for row in rows} == {
        row["density"] for row in rows
    }


def test_a_file_of_other_columns_is_left_alone(keras, tmp_path):
    path = tmp_path / "masks.csv"
    path.write_text("epoch,weight\n0,mine\n")
    callback = tf_rigl.MaskDiagnostics(csv_path=path)
    with pytest.raises(
        ValueError,
        match=r"(?s)`csv_path` must be a file of the same columns.*"
        r"Received: csv_path=.*'epoch,weight'\. Pass another path",
    ):
        support.train(
            keras,
            fresh_model(keras),
            tf_rigl.Static(),
            2,
            callbacks=[callback],
            initial_epoch=1,
        )
    assert path.read_text() == "epoch,weight\n0,mine\n"


@pytest.mark.parametrize("argument", ["csv_path", "json_lines_path"])
def test_unwritable_paths_are_told_before_training(keras, tmp_path, argument):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "masks"
    callback = tf_rigl.MaskDiagnostics(**{argument: path})
    with pytest.raises(
        ValueError,
        match=rf"(?s)`{argument}` must be a file that can be written\. "
        rf"Received: {argument}=.*Pass a path in a folder",
    ):
        support.train(
            keras,
            fresh_model(keras),
            tf_rigl.Static(),
            1,
            callbacks=[callback],
        )


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
    with pytest.raises(
        ImportError,
        match=r"`log_dir` needs the package `tensorboard`\. Received: "
        r"log_dir='x'\. Run `pip install tensorboard`",
    ):
        tf_rigl.MaskDiagnostics("x")
    tf_rigl.MaskDiagnostics(csv_path="x")


def test_dense_models_are_refused(keras, tmp_path):
    model = support.make_mlp(keras)
    with pytest.raises(ValueError, match="must have masked weights"):
        tf_rigl.diagnose(model)
    callback = tf_rigl.MaskDiagnostics(csv_path=tmp_path / "masks.csv")
    with pytest.raises(ValueError, match="must have masked weights"):
        support.train(keras, model, None, 1, callbacks=[callback])
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.diagnose(model.layers[0])


@pytest.mark.parametrize(
    ("start", "bits"), [("random", 1), ("dense", 1), ("magnitude", 2)]
)
def test_bytes_at_rest(keras, start, bits):
    """With the mask no more than 1.25 an element, and a few per weight."""
    model = support.make_mlp(keras, (512, 300))
    dense = sum(w.numpy().nbytes for w in model.weights)
    tf_rigl.sparsify(model, 0.9, start=start)
    weights = masked_weights(model)
    sparse = sum(w.numpy().nbytes for w in model.weights)
    size = sum(weight.size for weight in weights)
    # Counters, the last update, and the rest of a byte.
    extra = sparse - dense - size - bits * size / 8
    assert 0 <= extra <= (24 + 32 + bits) * len(weights)
    assert sparse - dense <= 1.25 * size + 64 * len(weights)


def test_nothing_is_kept_where_nothing_is_wanted(keras, expected):
    model = fresh_model(
        keras, options=tf_rigl.SparsifyOptions(diagnostics=False)
    )
    assert not any(weight.diagnostics for weight in masked_weights(model))
    history, result = fit(keras, model)
    assert "mask_exploration" not in history
    assert history["mask_overlap_start"][-1] == result.total.overlap_start
    assert result.total.exploration is None
    assert result.total.overlap_previous is None
    assert result.total.kept_gradient_norm is None
    assert history["mask_overlap_start"] == expected[0]["mask_overlap_start"]
    late = tf_rigl.diagnose(
        fresh_model(
            keras,
            start="magnitude",
            options=tf_rigl.SparsifyOptions(diagnostics=False),
        )
    )
    assert late.total.overlap_start is None
    assert late.total.jaccard_start is None
    assert str(late).splitlines()[-1] == "Mask updates: 0, left out: 0"


def test_a_method_with_state_of_its_own_keeps_them(keras):
    model = fresh_model(
        keras, options=tf_rigl.SparsifyOptions(keep_initial_values=True)
    )
    before = tf_rigl.diagnose(model)
    support.train(keras, model, tf_rigl.SNFS(**SCHEDULE), 1)
    after = tf_rigl.diagnose(model)
    assert after.total.exploration > before.total.exploration
    support.train(keras, model, tf_rigl.Static(), 1)
    assert_same_diagnostics(tf_rigl.diagnose(model), after)
    assert {*masked_weights(model)[0].state} == {"initial_values"}


def test_weights_fit_before_and_after_training(keras):
    """What is kept is there from the start: weights can be set back."""
    model = fresh_model(keras)
    start, before = model.get_weights(), tf_rigl.diagnose(model)
    fit(keras, model)
    model.set_weights(start)
    assert_same_diagnostics(tf_rigl.diagnose(model), before)


def test_skipped_updates_leave_the_last_one(keras):
    model, optimizer = fresh_model(keras), sgd(keras)
    tf_rigl.attach(
        optimizer, model, tf_rigl.RigL(stop_step=9, update_interval=1)
    )
    step = support.make_step(keras, model, optimizer)
    inputs, labels = support.batches()[0]
    step(inputs, labels)
    before = tf_rigl.diagnose(model).total
    step(inputs * np.nan, labels)
    after = tf_rigl.diagnose(model).total
    assert after.skipped_updates == len(masked_weights(model))
    changed = {"skipped_updates": after.skipped_updates}
    assert after.to_dict() == before.to_dict() | changed


def test_a_model_that_is_not_built_yet(keras, tmp_path):
    model = tf_rigl.sparsify(zoo.subclassed_unbuilt(keras), 0.9)
    path = tmp_path / "masks.jsonl"
    history = support.train(
        keras,
        model,
        tf_rigl.RigL(stop_step=9, update_interval=2),
        1,
        samples=64,
        callbacks=[tf_rigl.MaskDiagnostics(tmp_path, json_lines_path=path)],
    ).history
    result = tf_rigl.diagnose(model)
    assert history["mask_exploration"] == [result.total.exploration]
    written = json.loads(path.read_text())
    assert written["total"]["churn"] == history["mask_churn"][0] > 0
    for row in result.rows:
        assert row.connections_since_start >= row.connections - row.moved
        grown_at_most = row.connections + row.moved
        assert row.connections <= row.ever_active <= grown_at_most


def test_dead_units_are_where_the_layer_has_its_units(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2DTranspose(5, 3),
            layers.Conv2D(6, 3),
        ]
    )
    tf_rigl.sparsify(model, 0.5)
    first, second = masked_weights(model)
    # [height, width, units, inputs] and [height, width, inputs, units].
    mask = np.ones((3, 3, 5, 3), bool)
    mask[:, :, 1:3, :] = False
    first.set_mask(mask)
    mask = np.ones((3, 3, 5, 6), bool)
    mask[:, :, 4, :] = mask[:, :, :, 0] = False
    second.set_mask(mask)
    rows = tf_rigl.diagnose(model).rows
    assert [(row.units, row.dead_units) for row in rows] == [(5, 2), (6, 1)]
    assert [(row.inputs, row.unused_inputs) for row in rows] == [(3, 0), (5, 1)]


def test_the_table(keras):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="out")], name="model"
    )
    tf_rigl.sparsify(model, 0.5)
    (weight,) = masked_weights(model)
    mask = weight.mask.numpy()
    text = str(tf_rigl.diagnose(model))
    dead = int((~mask.any(axis=0)).sum())
    unused = int((~mask.any(axis=1)).sum())
    assert text.splitlines()[0] == "Masks of 'model'"
    assert text.splitlines()[4].split() == (
        f"out/kernel 4×3 6 50.00 % 50.00 % 100.00 % 0 {dead} {unused}".split()
    )
    assert text.splitlines()[-1] == "Mask updates: 0, left out: 0"
