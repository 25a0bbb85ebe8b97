"""Pages of real runs, against what the runs have written."""

import base64
import io
import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import image

import tf_rigl
from tests.experiments.report.pictures_test import texts
from tests.experiments.runs.support import QUIET
from tests.experiments.runs.support import read_results
from tests.experiments.runs.support import train_in
from tf_rigl.experiments import model_files
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report.page import write_report
from tf_rigl.experiments.report.reading import read_model_state
from tf_rigl.experiments.report.reading import read_run
from tf_rigl.experiments.runs import setup


class Page:
    """A page, checked to be well-formed and to load nothing."""

    def __init__(self, path):
        self.source = path.read_text("utf-8")
        root = ElementTree.fromstring(self.source)
        self.text = list(root.itertext())
        self.rows = [
            ["".join(cell.itertext()) for cell in row]
            for row in root.iter("tr")
        ]
        self.tiles = {
            one[0].text: one[1].text
            for one in root.iter("div")
            if one.get("class") == "tile"
        }
        self.identifiers = [
            one.get("id") for one in root.iter() if one.get("id")
        ]
        assert len(set(self.identifiers)) == len(self.identifiers)

        self.images, self.charts = [], []
        for one in root.iter("img"):
            self._look(one.get("alt"), one.get("src"))
        for one in root.iter():
            assert one.get("href", "#").startswith(("#", "data:"))
        for forbidden in ("http", "<script", "@import"):
            assert forbidden not in self.source

    def row(self, first):
        (found,) = [row for row in self.rows if row and row[0] == first]
        return found

    def _look(self, alt, source):
        assert alt
        start, _, data = source.partition(",")
        content = base64.b64decode(data)
        if start == "data:image/png;base64":
            self.images.append((alt, image.imread(io.BytesIO(content))))
        else:
            assert start == "data:image/svg+xml;base64"
            self.charts.append(texts(content))


def page_of(folder, tmp_path):
    write_report(folder, tmp_path / "page.html")
    return Page(tmp_path / "page.html")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    train_in(folder, "--notensorboard")
    return folder


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    return page_of(finished, tmp_path_factory.mktemp("page"))


@pytest.fixture
def unfinished(finished, tmp_path):
    """The same run, killed after two epochs."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "saved_model")
    for name in ("results.json", "model.keras"):
        (folder / name).unlink()
    (folder / "checkpoints" / "step-000000000012.npz").unlink()
    for name in ("metrics.jsonl", "masks.jsonl"):
        first, second, third = (folder / name).read_text().splitlines()
        (folder / name).write_text(f"{first}\n{second}\n{third[:99]}")
    return folder


def test_page_tells_what_the_run_has_written(finished, page):
    results = read_results(finished)
    assert "lenet_300_100 on mnist_small" in page.text
    assert "RigL 90 %" in page.text
    assert "Finished: 3 epochs, 12 steps." in page.text
    assert page.tiles["accuracy"] == f"{results['measures']['accuracy']:.2%}"
    profile = results["profile"]
    assert page.tiles["non-zero weights"] == f"{profile['nonzeros']:,}"
    assert page.tiles["sparsity"] == "90.00%"
    assert page.row("inference FLOPs")[1:3] == [
        f"{profile['dense_flops']:,}",
        f"{profile['flops']:,}",
    ]

    assert page.row("update_interval") == ["update_interval", "2"]
    assert page.row("dense_layers") == ["dense_layers", "not given"]
    assert page.row("tf_rigl") == ["tf_rigl", tf_rigl.__version__]
    size = (finished / "model.keras").stat().st_size
    assert page.row("model.keras")[1] == f"{size:,}"


def test_densities_are_those_of_the_stored_masks(finished, page):
    masks = tf_rigl.masks(model_files.load_model(finished / "model.keras"))
    assert len(masks) == 3
    density = series.layer_series(read_run(finished), "density")
    assert density.paths == list(masks)
    assert density.epochs.tolist() == [1, 2, 3]
    for mask, values in zip(masks.values(), density.values, strict=True):
        assert values[-1] == mask.mean()
    for path, mask in masks.items():
        found = page.row(path)
        assert found[3:5] == [f"{mask.sum():,}", f"{mask.mean():.2%}"]
        assert any({path, f"{mask.mean():.2%}"} <= one for one in page.charts)


def test_starts_are_those_of_a_new_model(finished):
    record = read_run(finished)
    state = read_model_state(record)
    model = setup.build_compiled(setup.prepare(record.settings))
    drawn = tf_rigl.masks(model)
    assert [one.path for one in state.masks] == list(drawn)
    for one, start in zip(state.masks, drawn.values(), strict=True):
        np.testing.assert_array_equal(one.start, start[None])
    assert (state.masks[0].start != state.masks[0].now).any()


def test_pictures_show_the_masks(finished, page):
    masks = tf_rigl.masks(model_files.load_model(finished / "model.keras"))
    counts = masks["fc1/kernel"].sum(axis=1).reshape(28, 28)
    (pixels,) = [
        (alt, shown)
        for alt, shown in page.images
        if alt.startswith("now:") and "pixels in use" in alt
    ]
    assert f"{np.count_nonzero(counts):,} of 784 pixels" in pixels[0]
    # Equal colors, equal numbers.
    colors = pixels[1].reshape(784, -1)
    for count in np.unique(counts):
        assert len(np.unique(colors[counts.ravel() == count], axis=0)) == 1
    assert len(np.unique(colors, axis=0)) == len(np.unique(counts))

    shown = dict(page.images)
    (logits,) = [alt for alt in shown if alt.startswith("logits/kernel, now")]
    mask = masks["logits/kernel"]
    assert shown[logits].shape[:2] == mask.shape
    assert all(max(one.shape) <= 128 for one in shown.values())


def test_a_dense_run_has_no_masks(tmp_path):
    folder = tmp_path / "run"
    train_in(folder, "--method=dense", "--epochs=1", *QUIET)
    page = page_of(folder, tmp_path)
    accuracy = read_results(folder)["measures"]["accuracy"]
    assert page.tiles["accuracy"] == f"{accuracy:.2%}"
    assert "sparsity" not in page.tiles
    assert not page.images
    assert page.row("fc1/kernel")[4] == "100.00%"
    assert {"training", "sizes", "configuration"} <= set(page.identifiers)
    assert not {"masks", "density", "pictures"} & set(page.identifiers)


def test_an_unfinished_run_says_how_far_it_is(unfinished, tmp_path):
    page = page_of(unfinished, tmp_path)
    assert "Not finished: 2 of 3 epochs have ended." in page.text
    assert page.tiles["epochs"] == "2"
    lines = (unfinished / "metrics.jsonl").read_text().splitlines()
    accuracy = json.loads(lines[1])["val_accuracy"]
    assert page.tiles["accuracy"] == f"{accuracy:.2%}"

    # The masks are those of the checkpoint, after eight steps.
    weights = json.loads(
        (unfinished / "masks.jsonl").read_text().splitlines()[1]
    )["weights"]
    state = read_model_state(read_run(unfinished))
    for one in state.masks:
        numbers = weights[one.path]
        assert one.now.sum() == numbers["connections"]
        both = (one.now & one.start).sum()
        assert both == numbers["connections_since_start"]
    assert page.images


def test_checkpoints_whose_data_is_elsewhere(unfinished, tmp_path):
    file = unfinished / "configuration.json"
    settings = json.loads(file.read_text())
    # Also that no value gets into the page as it is.
    elsewhere = '/nowhere/<script>alert("1")</script>&amp;'
    file.write_text(
        json.dumps({**settings, "data": "cifar10", "data_dir": elsewhere})
    )

    page = page_of(unfinished, tmp_path)
    assert page.row("data_dir") == ["data_dir", elsewhere]
    assert any("only be read where its data is" in one for one in page.text)
    assert not page.images

    lines = (unfinished / "masks.jsonl").read_text().splitlines()
    weights = json.loads(lines[1])["weights"]
    for path, numbers in weights.items():
        assert page.row(path)[3] == f"{numbers['connections']:,}"


def test_a_page_is_replaced_only_by_a_whole_one(finished, page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(ValueError, match="that of a training run"):
        write_report(tmp_path, path)
    assert path.read_text() == "before"
    write_report(finished, path)
    assert path.read_text("utf-8") == page.source
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_damaged_model_is_named(unfinished, tmp_path):
    (unfinished / "model.keras").write_text("no archive")
    with pytest.raises(ValueError, match=r"read from a `\.keras` file"):
        write_report(unfinished, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
