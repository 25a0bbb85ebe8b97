import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import console as consoles

from tests.core import strategies
from tf_rigl.core import text_table

NAMES = ("stage_4/block_2/depthwise_conv/kernel", "head/out/kernel")
FOLDED = """\
                            dense
weight            shape      MACs
---------------------------------
stage_4/block_2/  3×3×8×16  1,152
depthwise_conv/                  
kernel                           
head/out/kernel   64×10       640
---------------------------------
total                       1,792
"""  # noqa: W291


def render(table, width=80):
    file = io.StringIO()
    consoles.Console(file=file, width=width).print(table)
    return file.getvalue()


def small(**arguments):
    return text_table.TextTable(
        ("weight", "shape", "dense MACs"),
        [(NAMES[0], "3×3×8×16", "1,152"), (NAMES[1], "64×10", "640")],
        ("total", "", "1,792"),
        text_columns=2,
        **arguments,
    )


def test_names_fold_at_separators_and_headers_between_words():
    assert render(small(), 33) == FOLDED


def test_nothing_folds_where_there_is_room():
    head, _, first, *_ = render(small()).splitlines()
    assert head.split() == ["weight", "shape", "dense", "MACs"]
    assert first.split() == [NAMES[0], "3×3×8×16", "1,152"]


def test_whole_columns_are_not_folded():
    rows = [("a_b_c_d_" * 5, " ▁ ▂ ▃ ▄ ▅ ▆ ", "1")]
    text = render(
        text_table.TextTable(
            ("name", "values", "n"), rows, (), 2, whole_columns=(1,)
        ),
        32,
    )
    assert "  ▁ ▂ ▃ ▄ ▅ ▆   1" in text
    assert max(map(len, text.splitlines())) <= 32


def test_title_and_caption_are_as_wide_as_the_console():
    caption = "twelve words of a caption that is wider than its small table"
    text = render(small(title="a title", caption=caption), 60)
    first, _, header, *_ = text.splitlines()
    assert first.strip() == "a title"
    assert header.startswith("weight")
    assert caption in text


def test_markup_is_text():
    assert "[bold]x[/bold]" in render(
        text_table.TextTable(("", ""), [("[bold]x[/bold]", "1")])
    )


@pytest.mark.parametrize("header", [("a",), ("",)])
def test_an_empty_table_has_its_header(header):
    assert text_table.aligned(header, [])[:1] == list(filter(None, header))


@strategies.examples(60)
@given(
    st.lists(
        st.tuples(
            st.text("abc/_ ", min_size=1, max_size=120),
            st.text("xyz0 ", max_size=60),
            st.integers(0, 10**10).map("{:,}".format),
            st.integers(0, 10**6).map("{:,}".format),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_table_fits_and_loses_nothing(rows):
    lines = text_table.aligned(
        ("weight", "stored", "dense MACs", "share of all"), rows, (), 2
    )
    assert len(set(map(len, lines))) == 1
    assert len(lines[0]) <= text_table.WIDTH
    printed = "".join("".join(lines).split())
    for character in "abcxyz/_":
        expected = sum(row[0].count(character) for row in rows)
        expected += sum(row[1].count(character) for row in rows)
        header = "".join(lines[: 1 + _rule(lines)])
        assert printed.count(character) == expected + header.count(character)
    # Numbers are whole, in one line each.
    for row in rows:
        assert any(row[2] in line and row[3] in line for line in lines)


def _rule(lines):
    return next(n for n, line in enumerate(lines) if set(line) == {"-"})


def test_paragraphs_keep_long_words_whole():
    path = "/a/long/path" * 10
    lines = text_table.paragraph(f"wrote {path} and more", "  ").splitlines()
    assert lines == ["wrote", f"  {path}", "  and more"]
