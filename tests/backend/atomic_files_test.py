import json

import pytest

from tf_rigl.backend import atomic_files


def test_json_is_whole_or_not_there(tmp_path):
    path = tmp_path / "results.json"
    atomic_files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        atomic_files.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("flush", [False, True])
def test_a_file_is_replaced_only_by_a_whole_one(tmp_path, flush):
    path = tmp_path / "model.keras"
    path.write_text("before")
    with (
        pytest.raises(RuntimeError),
        atomic_files.open_whole(path, flush) as file,
    ):
        file.write(b"half")
        file.flush()
        # Whoever is killed here leaves a file that is told by its name.
        (aside,) = set(tmp_path.iterdir()) - {path}
        assert aside.name.startswith(atomic_files.DRAFT_PREFIX)
        assert aside.suffix == ".keras"
        raise RuntimeError
    assert path.read_text() == "before"
    with atomic_files.open_whole(path, flush) as file:
        file.write(b"after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_takes_the_place_of_another(tmp_path, overwrite):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()

    def write(error=None):
        with atomic_files.new_folder(path, overwrite) as (made, scratch):
            (tmp_path / scratch / "notes").touch()
            (tmp_path / made).mkdir()
            (tmp_path / made / "new").touch()
            if error:
                raise error

    if overwrite:
        with pytest.raises(RuntimeError):
            write(RuntimeError())
        assert [one.name for one in path.iterdir()] == ["old"]
        write()
        assert [one.name for one in path.iterdir()] == ["new"]
    else:
        with pytest.raises(ValueError, match="must not exist yet"):
            write()
        assert [one.name for one in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]
