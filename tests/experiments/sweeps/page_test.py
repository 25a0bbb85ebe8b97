import json

import pytest

from tests.experiments.report.support import Page
from tests.experiments.sweeps.support import make_records
from tests.experiments.sweeps.support import make_sweep
from tf_rigl.experiments.sweeps import page as pages
from tf_rigl.experiments.sweeps import request

VALUES = {"dense": [0.95, 0.97], "rigl": [0.8, 0.9], "set": [0.7]}


def page_of(folder, path=None):
    return Page(pages.write_page(folder, path))


def test_the_folder_tells_all(tmp_path):
    folder = make_sweep(
        tmp_path / "sweep",
        make_records(VALUES),
        settings={"epochs": 3, "data_dir": "/nowhere/data"},
    )
    (folder / "runs" / "rigl_0.9_s1" / "report.html").touch()
    page = page_of(folder)
    assert (folder / "report.html").read_text("utf-8") == page.source
    page.assert_names_no_path(folder, "/nowhere")

    assert "net on data" in page.text
    assert "5 of 5 runs have finished." in page.text
    assert page.tiles == {
        "runs": "5",
        "accuracy": "96.00%",
        "best at 90 %": "85.00%",
    }
    assert page.row("RigL")[:4] == [
        "RigL",
        "90 %",
        "85.00% ± 7.07%",
        "80.00% to 90.00%",
    ]
    assert page.row("dense_s1") == ["dense_s1", "97.00%", "1.5 s", "finished"]
    # Only of the run that has a page, from that of the sweep.
    assert page.links == {"rigl_0.9_s1": "runs/rigl_0.9_s1/report.html"}

    assert "the command" in page.text
    assert page.row("epochs") == ["epochs", "3"]
    assert page.row("data_dir") == ["data_dir", "given"]
    assert any("tensorflow 2.0" in text for text in page.text)
    (sparsity,) = page.charts
    assert "accuracy at 90 % sparsity" in page.text
    assert {"Dense", "RigL 90 %", "SET 90 %", "accuracy, %"} <= sparsity
    assert "failed" not in page.identifiers


def test_draws_what_differs(tmp_path):
    records = make_records({"rigl": [0.9]})
    (other,) = make_records({"rigl": [0.8]}, sparsity=0.95)
    other["training_flops"] /= 2
    page = page_of(make_sweep(tmp_path, [*records, other]))
    sparsity, training = page.charts
    assert {"sparsity, %", "90", "95"} <= sparsity
    assert "training FLOPs, × those of the dense network" in training
    assert "accuracy against sparsity" in page.text


def test_says_what_failed_and_what_is_missing(tmp_path):
    folder = make_sweep(
        tmp_path,
        make_records({"rigl": [0.8]}),
        missing=("set_0.9_s0", "static_0.9_s0", "snfs_0.9_s0"),
        epochs=3,
        failed={"set_0.9_s0": 7},
    )
    for name in ("set_0.9_s0", "static_0.9_s0"):
        (folder / "runs" / name).mkdir()
    log = f"{'line' * 9}\nError: <no> file {tmp_path}/deep/one.txt\n"
    (folder / "runs" / "set_0.9_s0" / "log.txt").write_text(log)
    line = json.dumps({"epoch": 0})
    (folder / "runs" / "static_0.9_s0" / "metrics.jsonl").write_text(
        f"{line}\n"
    )

    page = page_of(folder)
    assert "1 of 4 runs have finished, 1 failed." in page.text
    assert page.row("set_0.9_s0")[1:] == ["–", "–", "failed, exit code 7"]
    assert page.row("static_0.9_s0")[3] == "unfinished: 1 of 3 epochs"
    assert page.row("snfs_0.9_s0")[3] == "not begun"
    assert page.links == {"set_0.9_s0": "runs/set_0.9_s0/log.txt"}
    assert any("Error: <no> file …/one.txt" in text for text in page.text)
    page.assert_names_no_path(folder)


def test_before_any_run_has_finished(tmp_path):
    page = page_of(make_sweep(tmp_path, [], missing=("rigl_0.9_s0",)))
    assert "No run has finished yet." in page.text
    assert page.tiles == {"runs": "0"}
    assert not page.charts


def test_a_sweep_that_has_written_no_request(tmp_path):
    """An earlier version's, or one whose runs do not name their measure."""
    records = make_records({"rigl": [1.5], "set": [2.5]}, "perplexity")
    folder = make_sweep(tmp_path, records)
    (folder / "request.json").unlink()
    with pytest.raises(ValueError, match="that of a sweep"):
        pages.write_page(folder)

    lines = [json.dumps(record) for record in records]
    (folder / "results.jsonl").write_text("\n".join(lines))
    for record in records:
        file = folder / "runs" / record["name"] / "results.json"
        file.write_text(json.dumps({**record, "headline": None}))
    page = page_of(folder)
    assert "lenet_300_100 on mnist_small" in page.text
    assert page.row("rigl_0.9_s0")[1] == "1.5000"
    assert any("perplexity (lower is better)" in one for one in page.charts)


def test_a_page_elsewhere_has_no_links_to_this_machine(tmp_path):
    folder = make_sweep(tmp_path / "sweep", make_records({"rigl": [0.8]}))
    (folder / "runs" / "rigl_0.9_s0" / "report.html").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert not page_of(folder, elsewhere / "page.html").links
    above = page_of(folder, tmp_path / "page.html")
    assert above.links == {"rigl_0.9_s0": "sweep/runs/rigl_0.9_s0/report.html"}


def test_long_lists_of_runs_are_folded(tmp_path):
    few = make_sweep(tmp_path / "few", [], missing=map(str, range(30)))
    many = make_sweep(tmp_path / "many", [], missing=map(str, range(31)))
    assert '<details open="open">' in page_of(few).source
    assert "<details>" in page_of(many).source


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("request.json", "[]", "no JSON object"),
        ("request.json", '{"runs": []}', "command"),
        ("request.json", '{"color": 1}', "runs"),
        ("runs/rigl_0.9_s0/results.json", "{}", "without settings"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, reason):
    folder = make_sweep(tmp_path, make_records({"rigl": [0.8]}))
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match="can't be read") as error:
        pages.write_page(folder)
    assert repr(str(folder / name)) in str(error.value)
    assert reason in str(error.value)
    assert not (folder / "report.html").exists()


def test_what_a_sweep_is(tmp_path):
    assert not request.is_sweep(tmp_path)
    # The folder in which single runs are by default is none.
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    assert not request.is_sweep(tmp_path)
    (tmp_path / "results.jsonl").touch()
    assert request.is_sweep(tmp_path)


def test_folders_of_runs(tmp_path):
    folder = make_sweep(tmp_path, make_records({"rigl": [0.8, 0.9]}))
    begun = folder / "runs" / "rigl_0.9_s1"
    (begun / "configuration.json").write_text("{}")
    assert [run.path for run in pages.run_folders(folder)] == [begun]
