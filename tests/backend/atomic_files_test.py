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
