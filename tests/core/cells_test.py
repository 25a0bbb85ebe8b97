import pytest

from tf_rigl.core import cells


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (cells.count(1234567), "1,234,567"),
        (cells.count(0), "0"),
        (cells.count(None), ""),
        (cells.percent(0.98765), "98.77 %"),
        (cells.percent(None), ""),
        (cells.share(1, 8), "12.50 %"),
        (cells.share(0, 0), ""),
        (cells.shape((3, 3, 64)), "3×3×64"),
        (cells.shape(()), ""),
    ],
)
def test_cells(cell, text):
    assert cell == text


def test_counts():
    assert cells.counts(1000, None, 0) == ("1,000", "", "0")
