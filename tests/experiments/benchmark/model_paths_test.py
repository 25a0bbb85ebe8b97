import pytest

from tf_rigl.experiments.benchmark import model_paths


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def test_formats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("a.keras", "b.tflite", "c.plan", "d/saved_model.pb", "d/assets/e")
    write(tmp_path, *names)
    found = model_paths.find(["a.keras", "b.tflite", "c.plan", "d"])
    kinds = [one.kind for one in found]
    assert kinds == ["keras", "litert", "plan", "saved_model"]
    assert [one.label for one in found] == [
        "a.keras",
        "b.tflite",
        "c.plan",
        "d",
    ]
    assert [one.bytes for one in found] == [5, 5, 5, 10]


def test_labels_tell_models_apart(tmp_path):
    names = (
        "x/dense/m.keras",
        "x/sparse/m.keras",
        "y/sparse/m.keras",
        "n.plan",
    )
    write(tmp_path, *names)
    paths = [tmp_path / name for name in (*names, names[-1])]
    labels = [one.label for one in model_paths.find(paths)]
    assert labels == [
        "dense/m.keras",
        "x/sparse/m.keras",
        "y/sparse/m.keras",
        "n.plan",
        "n.plan (2)",
    ]


@pytest.mark.parametrize("name", ["none.keras", "model.h5", "folder"])
def test_what_is_no_model(name, tmp_path):
    write(tmp_path, "model.h5", "folder/readme")
    with pytest.raises(ValueError, match=r"must be a \.keras, .*Received: '.*"):
        model_paths.find([tmp_path / name])
