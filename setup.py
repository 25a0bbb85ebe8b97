"""Packaging of tf_rigl."""

import importlib.machinery
import pathlib
import re
import types
import warnings

import setuptools
from setuptools.command import bdist_wheel
from setuptools.command import build_ext

ROOT = pathlib.Path(__file__).parent
NATIVE = pathlib.Path("tf_rigl", "native")

REQUIREMENTS = [
    "absl-py>=1.4",
    "keras>=3.6",
    "numpy>=1.26",
    "rich>=13.0",
    "tensorflow>=2.18,<2.22",
    "wrapt>=1.14",
]

EXTRAS = {
    # Models of the Keras that TFMOT uses, and TFMOT's protocol for layers.
    "keras2": ["tensorflow-model-optimization>=0.8", "tf_keras>=2.18"],
    # With TensorFlow 2.18 add `tensorflow-metadata<1.18`: later ones need a
    # newer protobuf than it accepts, and do not say so to pip.
    "data": ["tensorflow-datasets>=4.9.4"],
    "benchmarks": ["zstandard>=0.22"],
    # Runs LiteRT files before they are written; without it TensorFlow's
    # interpreter does, which runs some that LiteRT 2.1 and later refuse.
    "litert": ["ai-edge-litert>=2.1"],
    # In which tests run exports, beside TensorFlow and LiteRT.
    "runtimes": ["onnxruntime>=1.20", "openvino>=2024.6", "tf2onnx>=1.16"],
    # What pictures and the report of a run need.
    "plots": ["jinja2>=3.1", "matplotlib>=3.8"],
    # Tasks of weight agnostic networks: walking and driving.
    "wann": ["gymnasium[box2d]>=1.0"],
    # TensorFlow 2.21 no longer brings it.
    "tensorboard": ["tensorboard>=2.18"],
}

EXTRAS["test"] = [
    *(requirement for extra in EXTRAS.values() for requirement in extra),
    "hypothesis>=6.100",
    "keras-tuner>=1.4",
    # Fronts of several objectives, to compare ours with.
    "moocore>=0.2",
    "mypy>=1.11",
    "pytest>=8.0",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.5",
    # Another minor version formats differently, and the check would fail.
    "ruff>=0.17,<0.18",
    "setuptools>=70.1",
]


def read_version() -> str:
    """Reads the version without importing TensorFlow."""
    text = (ROOT / "tf_rigl" / "version.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


def read_long_description() -> str:
    """Reads README.md, where there is one."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


def load_native_build() -> types.ModuleType:
    """Loads what compiles the native library, without importing tf_rigl.

    The package imports its requirements, which may not be installed yet.
    """
    path = ROOT / NATIVE / "build.py"
    loader = importlib.machinery.SourceFileLoader("native_build", str(path))
    module = types.ModuleType(loader.name)
    module.__file__ = str(path)
    loader.exec_module(module)
    return module


class BuildNative(build_ext.build_ext):
    """Compiles the native library; the package works without it."""

    def get_output_mapping(self) -> dict[str, str]:
        """Returns where what was built belongs in the source, if in place."""
        built = sorted(pathlib.Path(self.build_lib, NATIVE).glob("*.so"))
        return {str(file): str(ROOT / NATIVE / file.name) for file in built}

    def get_outputs(self) -> list[str]:
        """Lists what was built: nothing where there is no compiler."""
        return list(self.get_output_mapping())

    def build_extension(self, ext: setuptools.Extension) -> None:
        """Compiles both shared objects."""
        native_build = load_native_build()
        try:
            native_build.build(pathlib.Path(self.build_lib, NATIVE))
        except native_build.BuildError as error:
            warnings.warn(
                f"tf_rigl is installed without its native library: {error}. "
                "Sparse layers will be computed as dense ones.",
                stacklevel=2,
            )

    def copy_extensions_to_source(self) -> None:
        """Copies what was built for an installation in place."""
        for built, place in self.get_output_mapping().items():
            self.copy_file(built, place)


class BuildWheel(bdist_wheel.bdist_wheel):
    """Names what a wheel needs: a platform, and no version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """Returns the tags of Python, ABI and platform."""
        *_, platform = super().get_tag()
        return "py3", "none", platform


setuptools.setup(
    name="tf_rigl",
    version=read_version(),
    description="Sparse training (RigL and family) for Keras on TensorFlow",
    long_description=read_long_description(),
    long_description_content_type="text/markdown",
    project_urls={
        "Paper": "https://arxiv.org/abs/1911.11134",
        "Archive of the paper's code": "https://github.com/google-research/rigl",
    },
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        *(
            f"Programming Language :: Python :: 3.{minor}"
            for minor in range(10, 14)
        ),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.10,<3.14",
    packages=setuptools.find_packages(include=["tf_rigl", "tf_rigl.*"]),
    package_data={
        # The link `configs` leads to the folder at the top of the checkout.
        "tf_rigl": ["configs/*.*", "configs/*/*.flags", "py.typed"],
        "tf_rigl.data": ["mnist_small/*"],
        "tf_rigl.experiments.report": ["*.html"],
        # An sdist is built where it is installed.
        "tf_rigl.native": [
            f"src/{folder}*.{suffix}"
            for folder in ("", "plan/", "tensorflow/")
            for suffix in ("cc", "h")
        ],
    },
    ext_modules=[setuptools.Extension("tf_rigl.native.librigl", sources=[])],
    cmdclass={"bdist_wheel": BuildWheel, "build_ext": BuildNative},
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["tf-rigl=tf_rigl.__main__:main"]},
)
