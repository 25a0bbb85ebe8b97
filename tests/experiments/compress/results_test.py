"""Records, table, plots and page of compressions, from files alone."""

import types

import numpy as np
import pytest
from absl import flags
from matplotlib import image

from tests.experiments.compress import support
from tests.experiments.report.support import Page
from tf_rigl.experiments.commands import report
from tf_rigl.experiments.compress import page as pages
from tf_rigl.experiments.compress import plots
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.process_sets import tables as set_tables

HEADING = set_tables.Heading(
    "the command", "net on data", 8, 2, "tensorflow 2.0"
)


def found_in(folder, asked):
    return [
        one
        for point in settings.points(asked)
        for one in records.read(
            folder / request.COMPRESSIONS / point.name, asked, point.settings
        )
    ]


@pytest.fixture
def rows(tmp_path):
    folder, asked = support.two_compressions(tmp_path / "compressions")
    return records.summarize(found_in(folder, asked))


def test_records(tmp_path):
    folder, asked = support.two_compressions(tmp_path)
    found = found_in(folder, asked)
    assert len(found) == 14
    (one,) = [
        one
        for one in found
        if (one.seed, one.target, one.kind) == (0, "0.5", "finetune")
    ]
    assert one == records.Trained(
        *(0, 0.1, "0.5", "finetune", 400, 1000, 0.4, 0.25),
        *(2, 2, 1.25, "accuracy", 0.88),
    )
    header, *lines = records.to_csv(found).splitlines()
    assert header.startswith("seed,learning_rate,target,kind,parameters")
    assert "0,0.1,vgg_16_a,pruned,100,500,0.1,0.125,2,0,1.0,accuracy,0.1" in (
        lines
    )


def test_summary(rows):
    assert [(row.target, row.kind) for row in rows] == [
        ("", "large"),
        ("0.5", "pruned"),
        ("0.5", "finetune"),
        ("0.5", "scratch_b"),
        ("vgg_16_a", "pruned"),
        ("vgg_16_a", "finetune"),
        ("vgg_16_a", "scratch_b"),
    ]
    large, _, finetune, scratch_b, *_ = rows
    assert large.value.mean == pytest.approx(0.91)
    assert large.parameters_left == 1
    assert finetune.value.runs == 2
    assert (scratch_b.parameters_left, scratch_b.flops_left) == (0.4, 0.25)
    assert (scratch_b.search, scratch_b.epochs, scratch_b.cost) == (2, 8, 2)


def test_table(rows):
    lines = set_tables.markdown(
        tables.page_cells(rows), tables.introduction(HEADING), HEADING
    ).splitlines()
    assert lines[0].startswith("net on data, steps of the large network: 8")
    assert lines[2] == "`the command`"
    assert lines[4] == (
        "| removed | training | parameters | FLOPs | search | epochs | cost | "
        "accuracy | seeds |"
    )
    assert lines[6] == (
        "|  | large | 100.00 % | 100.00 % | 0 | 2 | 1.00 | 91.00% ± 1.41 | 2 |"
    )
    assert lines[8] == (
        "| 50 % | fine-tuned | 40.00 % | 25.00 % | 2 | 2 | 1.25 | "
        "89.00% ± 1.41 | 2 |"
    )
    assert lines[12].startswith("| to vgg_16_a | scratch-B | 10.00 %")
    others = [row._replace(learning_rate=0.01) for row in rows]
    header, body = tables.page_cells([*rows, *others])
    assert header[0] == "learning rate"
    assert [body[0][0], body[-1][0]] == ["0.1", "0.01"]
    one = tables.value_text("accuracy", rows[0].value._replace(deviation=None))
    assert one == "91.00%"
    assert tables.value_text("bits", rows[0].value) == "0.9100 ± 0.0141"


def test_plots(rows, tmp_path):
    fig = plots.draw(plots.COSTS[0], rows)
    (ax,) = fig.axes
    lines = {
        line.get_label(): line.get_xydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }
    assert list(lines) == ["large", "fine-tuned", "scratch-B"]
    np.testing.assert_allclose(lines["scratch-B"], [[40, 92], [10, 80]])
    first, last = ax.get_xlim()
    assert first > 100 > 10 > last  # falls to the right
    plots.write(tmp_path, rows, "net")
    for costs in plots.COSTS:
        assert image.imread(tmp_path / costs.file).std() > 0


def test_page(tmp_path, monkeypatch, capsys):
    folder, _ = support.two_compressions(
        tmp_path / "c", failed={"lr_0.1_s1": 7}
    )
    page = Page(pages.write_page(folder))
    page.assert_names_no_path(folder)
    assert "10 of 10 trainings have finished." in page.text
    assert page.tiles == {
        "large": "91.00%",
        "scratch-B, to vgg_16_a": "80.00%",
    }
    assert page.row("lr_0.1_s0") == ["lr_0.1_s0", "5 of 5", "finished"]
    assert page.row("lr_0.1_s1")[2] == "failed, exit code 7"
    assert page.links == {"lr_0.1_s1": "compressions/lr_0.1_s1/log.txt"}
    assert page.row("criterion") == ["criterion", "l1"]
    assert len(page.charts) == 2
    for chart in page.charts:
        assert {"large", "scratch-B"} <= chart

    given = types.SimpleNamespace(output="", dense="", runs=False)
    monkeypatch.setattr(flags, "FLAGS", given)
    assert report.report(str(folder)) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    wrong = types.SimpleNamespace(output="", dense="x", runs=False)
    monkeypatch.setattr(flags, "FLAGS", wrong)
    with pytest.raises(ValueError, match="for the compressions"):
        report.report(str(folder))


def test_page_before_any_training(tmp_path):
    folder = support.make_compressions(tmp_path, {}, support.ask())
    page = Page(pages.write_page(folder))
    assert "No training has finished yet." in page.text
    assert not page.charts
    with pytest.raises(ValueError, match="must be that of compressions"):
        pages.write_page(tmp_path / "elsewhere")
