import pathlib
import platform
import runpy
import shutil
import subprocess
import zipfile

import pytest
import setuptools

from tests.native import cases
from tests.support import ROOT
from tests.support import run_python
from tf_rigl.native import build

DRIVER = pathlib.Path(__file__).with_name("driver.cc")
CROSS_COMPILER = "aarch64-linux-gnu-g++"

needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") and platform.machine() == "x86_64"),
    reason="needs g++ on x86_64",
)
needs_cross_compiler = pytest.mark.skipif(
    not shutil.which(CROSS_COMPILER), reason=f"needs {CROSS_COMPILER}"
)


def test_no_compiler_is_an_error_that_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.BuildError, match=r"no C\+\+ compiler"):
        build.build(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_fails_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "false --flag")
    assert build.find_compiler() == ["false", "--flag"]
    with pytest.raises(build.BuildError, match=r"false --flag .*no message"):
        build.build(tmp_path)
    monkeypatch.setenv("CXX", str(tmp_path / "missing"))
    with pytest.raises(build.BuildError, match="does not run"):
        build.build(tmp_path)


def test_other_machines_are_an_error(tmp_path):
    with pytest.raises(build.BuildError, match="x86_64, aarch64 on Linux"):
        build.build(tmp_path, ["true"], "riscv64")


@pytest.mark.source_tree
def test_an_installation_without_a_compiler_warns_once(monkeypatch, tmp_path):
    received = {}
    monkeypatch.setattr(setuptools, "setup", lambda **kw: received.update(kw))
    monkeypatch.setenv("CXX", "false")
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    command = received["cmdclass"]["build_ext"](
        setuptools.Distribution({"ext_modules": received["ext_modules"]})
    )
    command.build_lib = str(tmp_path)
    command.ensure_finalized()
    with pytest.warns(UserWarning, match="without its native library") as seen:
        command.run()
    assert len(seen) == 1
    assert command.get_outputs() == []


@pytest.mark.source_tree
def test_bazel_has_the_same_flags():
    text = (ROOT / "tf_rigl" / "native" / "BUILD").read_text("utf-8")
    levels = [flags for one in build.LEVELS.values() for flags in one.values()]
    # Bazel adds its own for code of shared objects, and links threads.
    flags = {*build.FLAGS} - {"-fPIC", "-pthread"}
    for flag in flags.union(*levels):
        assert f'"{flag}"' in text, flag
    for level in {name for one in build.LEVELS.values() for name in one}:
        assert f'"{level}"' in text, level


@pytest.mark.slow
@pytest.mark.source_tree
@needs_compiler
def test_a_wheel_holds_the_library_and_no_version_of_python(tmp_path):
    source = tmp_path / "source"
    hidden = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "tf_rigl", source / "tf_rigl", True, hidden)
    for name in ("LICENSE", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, source)
    code = "from setuptools import build_meta; build_meta.build_wheel('.')"
    run_python("-c", code, cwd=source)
    (wheel,) = source.glob("*.whl")
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl")
    held = zipfile.ZipFile(wheel).namelist()
    folder = "tf_rigl/native/"
    assert {folder + build.LIBRARY, folder + build.OPS} <= set(held)
    # What programs in C need, beside the library.
    assert folder + "src/rigl_plan.h" in held


def make_driver(folder, compiler, *flags, machine=None, source=DRIVER):
    """Compiles a driver with the library into one program."""
    objects = build.compile_sources(folder, compiler, machine, flags)
    objects = [one for one in objects if "tensorflow" not in one.name]
    driver = folder / "driver"
    command = [*compiler, *build.FLAGS, *flags, f"-I{build.SOURCES}", source]
    subprocess.run([*command, *objects, "-o", driver], check=True)
    return driver


def run_driver(*command):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(tmp_path, sanitizer):
    flags = ["-O1", "-g", f"-fsanitize={sanitizer}"]
    if sanitizer != "thread":
        flags.append("-fno-sanitize-recover=all")
    driver = make_driver(tmp_path, ["g++"], *flags)
    for level in cases.LEVELS:
        assert ": 80 cases" in run_driver(driver, level, 4, 40)


@pytest.mark.slow
@needs_compiler
@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
def test_valgrind_finds_nothing(tmp_path):
    """It knows no AVX-512, hence at most AVX2."""
    driver = make_driver(tmp_path, ["g++"], "-O1", "-g")
    printed = run_driver(
        "valgrind", "--error-exitcode=9", "--leak-check=no", driver, 1, 2, 3
    )
    assert ": 6 cases" in printed


@pytest.mark.slow
@needs_cross_compiler
def test_kernels_for_arm(tmp_path):
    """Compiled, and run where there is an emulator."""
    driver = make_driver(
        tmp_path, [CROSS_COMPILER], "-static", machine="aarch64"
    )
    emulator = shutil.which("qemu-aarch64") or shutil.which(
        "qemu-aarch64-static"
    )
    if not emulator:
        pytest.skip("compiled; needs qemu-user to run")
    assert "baseline: 40 cases" in run_driver(emulator, driver, 0, 2, 20)
