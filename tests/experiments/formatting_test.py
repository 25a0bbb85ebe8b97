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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read /srv/me/data/x.txt, then", "read …/x.txt, then"),
        ("data_dir='/srv/me and you/data'.", "data_dir='…/data'."),
        ('File "/usr/lib/a.py", line 3', 'File "…/a.py", line 3'),
        ("--output_dir=/srv/runs/", "--output_dir=…/runs"),
        ("/srv/me:/srv/you", "…/me:…/you"),
        # No paths of a machine.
        ("fc1/kernel of 3/4", "fc1/kernel of 3/4"),
        ("runs/latest/log.txt and ./a/b", "runs/latest/log.txt and ./a/b"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("2 / 3 and 1 FLOP/s", "2 / 3 and 1 FLOP/s"),
    ],
)
def test_without_paths(text, expected):
    assert formatting.without_paths(text) == expected
