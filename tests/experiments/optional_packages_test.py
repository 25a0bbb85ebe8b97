import pytest

from tests.experiments.runs.support import hide_package
from tf_rigl.experiments import optional_packages


@pytest.mark.parametrize(
    ("check", "missing"),
    [
        (optional_packages.check_matplotlib, "matplotlib"),
        (optional_packages.check_report, "matplotlib"),
        (optional_packages.check_report, "jinja2"),
        (optional_packages.check_tensorboard, "tensorboard"),
    ],
)
def test_missing_package(monkeypatch, check, missing):
    check()
    hide_package(monkeypatch, missing)
    with pytest.raises(ImportError, match=f"{missing}.*pip install 'tf_rigl"):
        check()
