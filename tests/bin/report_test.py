from tests.bin.support import BIN
from tests.bin.support import python
from tests.training.runs.support import tiny
from tf_rigl.training.runs.run_folder import RunFolder


def test_writes_a_page_and_names_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open(tiny())
    folder.keep_settings(tiny())
    folder.close()
    done = python(BIN / "report.py", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["run/report.html"]
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "<h1>lenet_300_100 on mnist_small</h1>" in page
    assert "Not finished: 0 of 3 epochs have ended." in page
    assert "The run has written no checkpoint yet." in page


def test_what_is_no_run(tmp_path):
    output = tmp_path / "page.html"
    done = python(BIN / "report.py", ".", f"--output={output}", cwd=tmp_path)
    assert done.returncode == 1
    assert "Error: `folder` must be that of a training run" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
