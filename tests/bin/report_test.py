from tests.bin.support import BIN
from tests.bin.support import python


def test_what_is_no_run(tmp_path):
    output = tmp_path / "page.html"
    done = python(BIN / "report.py", ".", f"--output={output}", cwd=tmp_path)
    assert done.returncode == 1
    assert "Error: `folder` must be that of a training run" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
