import json
import types

import pytest
from absl import flags

from tests.experiments.report.support import Page
from tests.experiments.tickets import support
from tf_rigl.experiments.commands import report
from tf_rigl.experiments.tickets import page as pages


def test_the_folder_tells_all(tmp_path):
    folder, _ = support.two_searches(tmp_path / "tickets")
    page = Page(pages.write_page(folder))
    assert (folder / "report.html").read_text("utf-8") == page.source
    page.assert_names_no_path(folder)

    assert "net on data" in page.text
    assert "10 of 10 trainings have finished." in page.text
    assert page.tiles == {
        "dense": "92.00%",
        "as good as dense down to": "80.00 %",
        "ticket − reinit": "+8.00",
    }
    assert page.rows[1][:3] == ["0", "ticket", "100.00 %"]
    assert page.row("lr_0.0012_s1") == ["lr_0.0012_s1", "5 of 5", "finished"]
    assert page.row("rounds") == ["rounds", "2"]
    assert "the command" in page.text
    assert any("tensorflow 2.0" in text for text in page.text)
    assert len(page.charts) == 3
    for chart in page.charts:
        assert {"ticket", "reinit", "weights left, %"} <= chart
    assert "failed" not in page.identifiers


def test_says_what_failed_and_what_is_missing(tmp_path):
    asked = support.ask("--seeds=3", "--controls=")
    searches = {
        "lr_0.0012_s0": {"level_00": support.record(0, 4, 0.9, 0.8)},
        "lr_0.0012_s1": {},
    }
    folder = support.make_searches(
        tmp_path, searches, asked, failed={"lr_0.0012_s1": 7}
    )
    page = Page(pages.write_page(folder))
    assert "1 of 6 trainings have finished." in page.text
    assert page.row("lr_0.0012_s0")[1:] == ["1 of 2", "unfinished"]
    assert page.row("lr_0.0012_s1")[1:] == ["0 of 2", "failed, exit code 7"]
    assert page.row("lr_0.0012_s2")[1:] == ["0 of 2", "unfinished"]
    assert page.links == {"lr_0.0012_s1": "searches/lr_0.0012_s1/log.txt"}
    assert any("Error: no …/one.txt" in text for text in page.text)
    assert page.tiles == {"dense": "80.00%"}
    page.assert_names_no_path(folder)


def test_before_any_training_has_finished(tmp_path):
    folder = support.make_searches(tmp_path, {}, support.ask())
    page = Page(pages.write_page(folder))
    assert "No training has finished yet." in page.text
    assert not page.charts
    assert not page.tiles


def test_learning_rates_have_tiles_of_their_own(tmp_path):
    asked = support.ask("--learning_rates=0.1,9", "--controls=")
    searches = {
        "lr_0.1_s0": {"level_00": support.record(0, 4, 0.9, 0.8)},
        "lr_9.0_s0": {"level_00": support.record(0, None, None, 0.1)},
    }
    folder = support.make_searches(tmp_path, searches, asked)
    page = Page(pages.write_page(folder))
    assert "learning rate 0.1" in page.text
    assert "learning rate 9" in page.text
    assert page.rows[1][:3] == ["0.1", "0", "ticket"]


def test_the_command_that_writes_pages(tmp_path, monkeypatch, capsys):
    folder, _ = support.two_searches(tmp_path)
    given = types.SimpleNamespace(output="", dense="", runs=False)
    monkeypatch.setattr(flags, "FLAGS", given)
    assert report.report(str(folder)) == 0
    page = folder / "report.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert page.exists()
    for name, value, message in (
        ("dense", "runs/dense", "for the ticket searches"),
        ("runs", True, "`runs` is for sweeps"),
    ):
        wrong = types.SimpleNamespace(**{**vars(given), name: value})
        monkeypatch.setattr(flags, "FLAGS", wrong)
        with pytest.raises(ValueError, match=message):
            report.report(str(folder))


@pytest.mark.parametrize("content", ["[]", "{}", '{"heading": 1}'])
def test_damaged_files_are_named(tmp_path, content):
    folder, _ = support.two_searches(tmp_path)
    path = folder / "tickets.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="can't be read") as error:
        pages.write_page(folder)
    assert repr(str(path)) in str(error.value)
    assert not (folder / "report.html").exists()


def test_another_folder(tmp_path):
    with pytest.raises(ValueError, match="that of ticket searches"):
        pages.write_page(tmp_path)
    (tmp_path / "request.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="that of ticket searches"):
        pages.write_page(tmp_path)
