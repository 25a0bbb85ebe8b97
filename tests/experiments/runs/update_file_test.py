import json

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.experiments.runs.update_file import UpdateFile

SAMPLES = 8 * 32  # eight steps of an epoch


def train(keras, path, interval=3, epochs=2, algorithm=None, **compiled):
    model = support.make_mlp(keras)
    tf_rigl.sparsify(model, 0.8, seed=1)
    seen = [tf_rigl.masks(model)]

    def look(batch, logs):
        seen.append(tf_rigl.masks(model))

    model.compile(
        keras.optimizers.SGD(0.1), support.crossentropy(keras), **compiled
    )
    algorithm = algorithm or tf_rigl.SET(
        update_interval=interval, drop_fraction=0.3, stop_step=14
    )
    support.fit(
        model,
        support.make_data((20,), SAMPLES),
        algorithm,
        [
            UpdateFile(path, interval, 0),
            keras.callbacks.LambdaCallback(on_train_batch_end=look),
        ],
        batch_size=32,
        epochs=epochs,
    )
    return [json.loads(line) for line in path.read_text().splitlines()], seen


@support.one_keras("keras")
def test_a_line_is_of_one_update(keras, tmp_path):
    lines, seen = train(keras, tmp_path / "updates.jsonl")
    assert [line["step"] for line in lines] == [1, 4, 7, 10, 13]
    assert [line["epoch"] for line in lines] == [0, 0, 0, 1, 1]
    moved = dict.fromkeys(seen[0], 0)
    for number, line in enumerate(lines, 1):
        before, after = seen[line["step"] - 1], seen[line["step"]]
        for path, mask in after.items():
            moved[path] += np.count_nonzero(mask & ~before[path])
            assert line["weights"][path] == {
                "updates": number,
                "moved": moved[path],
                "connections": mask.sum(),
            }
        assert line["total"]["moved"] == sum(moved.values()) > 0


@support.one_keras("tf_keras")
def test_calls_of_several_steps(keras, tmp_path):
    """A line has all updates of a call; those of the last one are there too."""
    lines, _ = train(keras, tmp_path / "lines", steps_per_execution=8)
    assert [line["step"] for line in lines] == [8, 16]
    assert [line["total"]["updates"] for line in lines] == [3, 5]


@support.one_keras("keras")
def test_masks_that_stay_have_no_line(keras, tmp_path):
    lines, _ = train(keras, tmp_path / "lines", algorithm=tf_rigl.Static())
    assert lines == []


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`output_dir` must be a file"):
        UpdateFile(tmp_path / "file" / "lines", 1, 0).on_train_begin()
