import pytest

import tf_rigl
from tests.native import cases
from tests.support import run_python
from tf_rigl import native
from tf_rigl.native import build
from tf_rigl.native import library


@pytest.fixture(autouse=True)
def switched_on():
    """Begins as a process does, even if the tests run without the library."""
    is_off = "use(False)" in (native.why_unavailable() or "")
    native.use(True)
    yield
    native.use(not is_off)


def test_use_switches_the_library_off_and_on():
    assert tf_rigl.native is native
    before = native.available()
    try:
        native.use(False)
        assert not native.available()
        assert "use(False)" in native.why_unavailable()
    finally:
        native.use(True)
    assert native.available() == before
    assert bool(native.why_unavailable()) != before


def test_an_installation_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    library._load.cache_clear()
    try:
        assert not native.available()
        assert "g++" in native.why_unavailable()
        assert f"python {build.__file__}" in native.why_unavailable()
        assert library.path_of_ops() is None
        with pytest.raises(RuntimeError, match="must be there"):
            library.find()
    finally:
        monkeypatch.undo()
        library._load.cache_clear()


def test_a_file_that_is_no_library(monkeypatch, tmp_path):
    (tmp_path / "librigl.so").write_text("nothing")
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    library._load.cache_clear()
    try:
        assert "does not load" in native.why_unavailable()
    finally:
        monkeypatch.undo()
        library._load.cache_clear()


@cases.needs_library
def test_levels_can_be_capped():
    names = [library.cap_level(level) for level in (0, 1, 2, 9)]
    assert names[0] in ("sse2", "baseline")
    # What the machine has not is not used.
    assert names[2] == names[3]
    assert set(names) <= {"sse2", "avx2", "avx512", "baseline"}


@cases.needs_library
def test_loading_keeps_denormal_numbers():
    """Linked with -ffast-math, it would switch them off for the process."""
    print_product = "print(np.float32(1e-30) * np.float32(1e-10))"
    code = (
        "import numpy as np; import tf_rigl.native.library as library\n"
        f"{print_product}; library.find(); {print_product}"
    )
    before, after = run_python("-c", code).split()
    assert before == after
    assert float(after) == pytest.approx(1e-40, rel=1e-4)


@cases.needs_library
def test_kernels_need_no_tensorflow():
    code = (
        "import sys; from tf_rigl.native import library\n"
        "print(library.find().rigl_interface(), 'tensorflow' in sys.modules)"
    )
    assert run_python("-c", code).split() == ["2", "False"]


@cases.needs_library
def test_a_forked_process_has_its_own_threads():
    code = """
import os
import numpy as np
from tests.native import cases
from tf_rigl.native import kernels, library

library.set_threads(4)
case = cases.make((600, 600), 128, 0.3)
product = lambda: kernels.spmm(case.x, case.values, case.index, case.bias)
before = product()
child = os.fork()
if not child:
    os._exit(0 if np.array_equal(product(), before) else 1)
_, status = os.waitpid(child, 0)
print(status, np.array_equal(product(), before))
"""
    assert run_python("-c", code).split() == ["0", "True"]
