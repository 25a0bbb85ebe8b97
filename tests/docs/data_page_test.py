"""docs/data.md quotes the errors of missing data as programs print them."""

import pathlib
import re
import sys

import pytest

from tests.docs import markdown
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.settings import RunSettings

pytestmark = pytest.mark.source_tree

PAGE = markdown.ROOT / "docs" / "data.md"
QUOTED = re.findall(r"^Error: (.+)$", PAGE.read_text("utf-8"), re.M)


def without_versions(text):
    """TFDS raises the versions of its data sets."""
    return re.sub(r"/\d+\.\d+\.\d+", "/VERSION", text)


def error_of(**settings):
    with pytest.raises((OSError, ValueError)) as caught:
        tasks.describe_data(RunSettings(**settings))
    return str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"data": "cifar10"},
        {"data": "imagenet2012", "data_dir": "DIR"},
        {"data": "text"},
        {"data": "text", "data_dir": "my_texts"},
        {"data": "nope:data"},
        {"data": "mine:data"},
    ],
    ids=str,
)
def test_errors(settings, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    (tmp_path / "mine.py").write_text("def data():\n    return 3\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    home = str(pathlib.Path.home())
    if settings == {"data": "cifar10"}:
        there = pathlib.Path(home, "tensorflow_datasets/cifar10")
        if there.exists():
            pytest.skip("it is prepared here")

    found = error_of(**settings).replace(home, "~")
    assert without_versions(found) in map(without_versions, QUOTED)


def test_incomplete_data(tmp_path, monkeypatch):
    """The folder of a data set of which a file is gone."""
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("cifar10", data_dir=str(tmp_path))
    monkeypatch.setattr(tfds, "builder", lambda *_, **__: builder)
    monkeypatch.setattr(builder, "is_prepared", lambda: True)
    folder = pathlib.Path(builder.data_dir)
    folder.mkdir(parents=True)

    class Split:
        def __init__(self, name):
            self.filenames = [f"cifar10-{name}.tfrecord-00000-of-00001"]

    (folder / Split("train").filenames[0]).touch()
    splits = {name: Split(name) for name in ("test", "train")}
    monkeypatch.setattr(type(builder.info), "splits", splits)
    found = error_of(data="cifar10", data_dir=str(tmp_path))
    found = found.replace(str(tmp_path), "DIR")
    assert without_versions(found) in map(without_versions, QUOTED)
