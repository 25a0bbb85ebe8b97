import importlib.metadata
import pathlib
import re
import runpy
import shutil
import subprocess
import sys

import pytest
import setuptools

import tf_rigl
from tests import support
from tf_rigl import version
from tf_rigl.experiments import flag_files

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(name="setup_arguments", scope="module")
def setup_arguments_fixture():
    received = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", lambda **kw: received.update(kw))
        runpy.run_path(str(ROOT / "setup.py"))
    return received


def test_version_of_the_package():
    assert tf_rigl.__version__ == version.__version__


def test_version_of_the_installation():
    try:
        installed = importlib.metadata.version("tf_rigl")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from the sources, without an installation")
    assert installed == version.__version__


@pytest.mark.source_tree
def test_version_of_setup_and_module(setup_arguments):
    assert setup_arguments["version"] == version.__version__
    module = (ROOT / "MODULE.bazel").read_text(encoding="utf-8")
    assert f'    version = "{version.__version__}",' in module
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version.__version__}\n" in citation


@pytest.mark.source_tree
def test_every_package_is_shipped(setup_arguments):
    folders = {path.parent for path in (ROOT / "tf_rigl").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(setup_arguments["packages"]) == packages


@pytest.mark.source_tree
def test_every_other_data_file_is_shipped(setup_arguments):
    shipped = {
        path
        for package, patterns in setup_arguments["package_data"].items()
        if package != "tf_rigl"
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    # "": BUILD files and the link `configs`. The library is built, not shipped.
    code = {".py", "", ".pyc", ".typed", ".so"}
    files = (ROOT / "tf_rigl").rglob("*.*")
    data = {path for path in files if path.suffix not in code}
    assert {path for path in data if "configs" not in path.parts} == shipped


@pytest.mark.source_tree
def test_every_configuration_is_shipped(setup_arguments):
    package = ROOT / "tf_rigl"
    assert flag_files.CONFIGS.resolve() == ROOT / "configs"
    shipped = {
        path.resolve()
        for pattern in setup_arguments["package_data"]["tf_rigl"]
        for path in package.glob(pattern)
    }
    folder = ROOT / "configs"
    files = {path for path in folder.rglob("*.*") if path.is_file()}
    # It says that annotations are for type checkers.
    assert shipped == files | {package / "py.typed"}


@pytest.fixture(name="source", scope="module")
def source_fixture(tmp_path_factory):
    """A copy of what a build reads; builds leave files beside it."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("configs", "tf_rigl"):
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, True, hidden)
    return folder


def build(what, source, target):
    """Has setuptools build it, without a network: the file's path."""
    code = (
        "import sys; from setuptools import build_meta\n"
        f"print(build_meta.build_{what}(sys.argv[1]))"
    )
    printed = support.run_python("-c", code, target, cwd=source)
    return target / printed.splitlines()[-1]


def assert_finds_experiments(wheel, package, folder):
    """Installed from the wheel, `package` finds them from any folder."""
    installed = folder / "installed"
    shutil.unpack_archive(wheel, installed, "zip")
    code = (
        "import site, sys; site.addsitedir(sys.argv[1])\n"
        "sys.path += sys.argv[2:]\n"
        "import tf_rigl; from tf_rigl.experiments import flag_files\n"
        "flags = ['configs/mnist_quickstart.flags', 'sweeps/cifar10.flags']\n"
        "print(tf_rigl.__file__)\n"
        "print(*flag_files.expand([f'--flagfile={f}' for f in flags]))"
    )
    # Another installation of the package must not be found in its place.
    others = [path for path in sys.path if path and not holds_package(path)]
    printed = support.run_python("-ISc", code, installed, *others, cwd=folder)
    file, found = printed.splitlines()
    assert pathlib.Path(file).parent == (package or installed) / "tf_rigl"
    assert "--compare_dense --report --method=rigl --sparsity=0.98" in found
    assert found.endswith("--output_dir=runs/sweeps/cifar10")


def holds_package(path):
    return pathlib.Path(path, "tf_rigl").exists()


@pytest.mark.slow
@pytest.mark.source_tree
def test_installed_package_finds_experiments(source, tmp_path):
    sdist = build("sdist", source, tmp_path)
    shutil.unpack_archive(sdist, tmp_path)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    wheel = build("wheel", unpacked, tmp_path)
    assert_finds_experiments(wheel, None, tmp_path)


@pytest.mark.slow
@pytest.mark.source_tree
def test_package_installed_in_place_finds_experiments(source, tmp_path):
    wheel = build("editable", source, tmp_path)
    assert_finds_experiments(wheel, source, tmp_path)


@pytest.mark.source_tree
def test_requirements_of_bazel_are_those_of_setup(setup_arguments):
    expected = {
        *setup_arguments["install_requires"],
        *setup_arguments["extras_require"]["test"],
    }
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} == expected


@pytest.mark.source_tree
def test_no_file_names_a_folder_of_one_machine():
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = listing.stdout.decode().split("\0")[:-1]
    assert names
    tops = b"|".join((b"work", b"root", b"home", b"opt"))
    pattern = re.compile(rb"(?<![\w./$}~-])/(?:" + tops + rb")/[\w.-]")
    found = [
        name
        for name in names
        if (ROOT / name).is_file()
        and pattern.search((ROOT / name).read_bytes())
    ]
    assert not found, f"absolute paths in {found}"
