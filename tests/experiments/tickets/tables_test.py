import io

from rich import console as consoles

from tests.experiments.tickets import records_test
from tests.experiments.tickets import support
from tf_rigl.experiments.process_sets import tables as set_tables
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import tables

HEADING = set_tables.Heading("the command", "net on data", 2000, 5, "keras 3.0")


def rows_of(folder):
    trainings = records_test.read_all(*support.two_searches(folder))
    return records.summarize(trainings)


def table_of(rows):
    return tables.page_cells(rows), tables.introduction(HEADING), HEADING


def test_markdown(tmp_path):
    lines = set_tables.markdown(*table_of(rows_of(tmp_path))).splitlines()
    assert lines[0].startswith("net on data, steps: 2,000, seeds: 5; mean ±")
    assert lines[0].endswith("keras 3.0.")
    assert lines[2] == "`the command`"
    assert lines[4].startswith("| level | kind | left | early stop |")
    assert lines[6] == (
        "| 0 | ticket | 100.00 % | 8 ± 0 | 91.00% ± 1.41 | 92.00% ± 1.41 | 2 |"
    )
    assert lines[8].startswith("| 2 | ticket | 64.00 % | 6 ± 3 |")
    assert lines[9].startswith("| 2 | reinit | 64.00 % | 12 ± 0 |")


def test_a_terminal_of_80_columns(tmp_path):
    file = io.StringIO()
    console = consoles.Console(file=file, width=80)
    console.print(set_tables.terminal_table(*table_of(rows_of(tmp_path))))
    printed = file.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    assert "92.00% ± 1.41" in printed


def test_learning_rates_are_a_column_if_there_are_several(tmp_path):
    rows = rows_of(tmp_path)
    others = [row._replace(learning_rate=0.1) for row in rows]
    header, body = tables.page_cells([*rows, *others])
    assert header[0] == "learning rate"
    assert body[0][:3] == ["0.0012", "0", "ticket"]
    assert body[-1][:3] == ["0.1", "2", "reinit"]


def test_what_is_not_known(tmp_path):
    row = rows_of(tmp_path)[0]
    alone = row.end._replace(deviation=None)
    row = row._replace(early_stop=None, there=None, end=alone)
    _, (cells,) = tables.page_cells([row])
    assert cells[3:] == ["–", "–", "92.00%", "2"]


def test_kinds_in_words():
    assert tables.kind_text("random_mask") == "random mask"
    assert tables.kind_text("constant_keep_sign") == "constant, sign kept"
