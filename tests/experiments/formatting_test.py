import pytest

from tf_rigl.experiments import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1 k"),
        (10_648, "10.6 k"),
        (532_400, "532 k"),
        (1.5e6, "1.5 M"),
        (3.2e11, "320 G"),
        (2e18, "2 E"),
        (2e24, "2e+03 Z"),
    ],
)
def test_si_number(value, text):
    assert formatting.si_number(value) == text
