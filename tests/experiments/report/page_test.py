"""Pages of real runs, against what the runs have written."""

import json
import shutil
import tempfile

import numpy as np
import pytest

import tf_rigl
from tests.experiments.report import support
from tests.experiments.runs.support import QUIET
from tests.experiments.runs.support import read_results
from tests.experiments.runs.support import train_in
from tests.experiments.sweeps.support import make_records
from tests.experiments.sweeps.support import make_sweep
from tests.experiments.tickets.support import two_searches
from tf_rigl.experiments import model_files
from tf_rigl.experiments.report import reading
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report.page import write_report
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.sweeps.page import write_page
from tf_rigl.experiments.tickets import page as tickets_page


def page_of(folder, tmp_path):
    write_report(folder, tmp_path / "page.html")
    page = support.Page(tmp_path / "page.html")
    assert not page.links
    return page


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    train_in(folder, "--notensorboard")
    return folder


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense") / "run"
    train_in(folder, "--method=dense", *QUIET)
    return folder


@pytest.fixture
def compared(finished, dense, tmp_path):
    """The finished run, as `--compare_dense` trains it."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.copytree(dense, folder / "dense")
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
    for name in ("model.keras", "steps.jsonl", "updates.jsonl"):
        size = (finished / name).stat().st_size
        assert page.row(name)[1] == f"{size:,}"


def test_densities_are_those_of_the_stored_masks(finished, page):
    masks = tf_rigl.masks(model_files.load_model(finished / "model.keras"))
    assert len(masks) == 3
    density = series.layer_densities(reading.read_run(finished))
    assert density.paths == list(masks)
    assert density.ends.tolist() == [1, 2, 3]
    for mask, values in zip(masks.values(), density.values, strict=True):
        assert values[-1] == mask.mean()
    for path, mask in masks.items():
        found = page.row(path)
        assert found[3:5] == [f"{mask.sum():,}", f"{mask.mean():.2%}"]
        assert any({path, f"{mask.mean():.2%}"} <= one for one in page.charts)


def test_starts_are_those_of_a_new_model(finished):
    record = reading.read_run(finished)
    state = reading.read_model_state(record)
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


def test_a_dense_run_has_no_masks(dense, tmp_path):
    page = page_of(dense, tmp_path)
    accuracy = read_results(dense)["measures"]["accuracy"]
    assert page.tiles["accuracy"] == f"{accuracy:.2%}"
    assert "sparsity" not in page.tiles
    assert not page.images
    assert page.row("fc1/kernel")[4] == "100.00%"
    assert {"training", "sizes", "configuration"} <= set(page.identifiers)
    absent = {"masks", "density", "pictures", "dense"}
    assert not absent & set(page.identifiers)


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
    state = reading.read_model_state(reading.read_run(unfinished))
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
    layer = '<script>alert("1")</script>&amp;'
    changed = {"data": "cifar10", "data_dir": "/nowhere/at/all"}
    changed["dense_layers"] = [layer]
    file.write_text(json.dumps({**settings, **changed}))

    page = page_of(unfinished, tmp_path)
    assert page.row("dense_layers") == ["dense_layers", layer]
    assert any("only be read where its data is" in one for one in page.text)
    assert page.row("data_dir") == ["data_dir", "given"]
    page.assert_names_no_path("/nowhere", tmp_path)
    assert not page.images

    lines = (unfinished / "masks.jsonl").read_text().splitlines()
    weights = json.loads(lines[1])["weights"]
    for path, numbers in weights.items():
        assert page.row(path)[3] == f"{numbers['connections']:,}"


def test_a_page_names_no_path_of_the_machine(finished, page):
    assert any(f"of the files in {finished.name}." in one for one in page.text)
    page.assert_names_no_path(finished, tempfile.gettempdir())


def test_the_dense_run_is_beside_it(compared, tmp_path):
    page = page_of(compared, tmp_path)
    dense, sparse = (
        read_results(compared / name)["measures"]["accuracy"]
        for name in ("dense", ".")
    )
    difference = f"{100 * (sparse - dense):+.2f} points"
    assert page.row("accuracy") == [
        "accuracy",
        f"{dense:.2%}",
        f"{sparse:.2%}",
        difference,
    ]
    assert ["", "Dense", "RigL 90 %", "compared"] in page.rows
    labels = {"training", "evaluation", "dense, training", "dense, evaluation"}
    assert [labels <= chart for chart in page.charts].count(True) == 2
    assert "dense" in page.identifiers
    page.assert_names_no_path(compared, tmp_path)


def test_a_dense_run_that_has_not_finished(compared, tmp_path):
    (compared / "dense" / "results.json").unlink()
    page = page_of(compared, tmp_path)
    assert "compared" not in page.source
    assert any("Not finished: 3 of 3 epochs" in one for one in page.text)


@pytest.mark.skipif(not support.CHROMIUM, reason="needs Chromium")
def test_pages_fit_a_telephone(compared, tmp_path):
    """400 pixels wide, as Chromium shows the pages of all kinds."""
    sweep = make_sweep(
        tmp_path / "sweep",
        make_records({"dense": [0.9, 0.8], "rigl": [0.8], "set": [0.7]}),
        missing=("a_method_with_a_long_name_0.987654321_s10",),
        settings={"model": "some.long_package.module:function" * 2},
    )
    write_report(compared, tmp_path / "page.html")
    searches, _ = two_searches(tmp_path / "tickets")
    pages = [
        tmp_path / "page.html",
        write_page(sweep),
        tickets_page.write_page(searches),
    ]
    found = support.widths_in_chromium(pages, tmp_path)
    assert len(found) == 3
    for width, content, images, broken, beyond in found:
        assert 300 < width <= 400
        assert content <= width
        assert not beyond
        assert images > 0
        assert not broken


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
