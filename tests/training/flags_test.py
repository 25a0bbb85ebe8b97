import dataclasses
import pathlib

import pytest
from absl import flags

from tf_rigl.training import flags as training_flags
from tf_rigl.training.configuration import Configuration

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
FLAG_FILES = sorted(CONFIGS.glob("mnist_*.flags"))


def parse(*arguments):
    values = flags.FlagValues()
    flags.DEFINE_string("flagfile", None, "", flag_values=values)
    training_flags.define(values)
    values(["program", *arguments])
    return values


def test_defaults_are_those_of_the_configuration():
    assert training_flags.configuration(parse()) == Configuration()


def test_values_arrive():
    values = parse(
        "--method=static",
        "--sparsity=0.9",
        "--distribution=uniform",
        "--keras=keras2",
        "--data=mnist",
        "--data_dir=somewhere",
        "--strategy=mirrored",
        "--devices=2",
        "--tpu=none",
        "--download",
        "--epochs=3",
        "--batch_size=7",
        "--learning_rate=0.5",
        "--momentum=0.8",
        "--seed=11",
        "--update_interval=13",
        "--drop_fraction=0.4",
        "--stop_fraction=0.6",
        "--steps_per_execution=5",
        "--compare_dense",
    )
    parsed = training_flags.configuration(values)
    assert parsed == Configuration(
        method="static",
        sparsity=0.9,
        distribution="uniform",
        keras="keras2",
        data="mnist",
        data_dir="somewhere",
        strategy="mirrored",
        devices=2,
        tpu="none",
        download=True,
        epochs=3,
        batch_size=7,
        learning_rate=0.5,
        momentum=0.8,
        seed=11,
        update_interval=13,
        drop_fraction=0.4,
        stop_fraction=0.6,
        steps_per_execution=5,
        compare_dense=True,
    )
    # So that no field is left out of this test.
    default = dataclasses.asdict(Configuration())
    assert not default.items() & dataclasses.asdict(parsed).items()


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--sparsity=1.5", r"--sparsity=1.5: must be in \[0, 1\)"),
        ("--sparsity=half", "--sparsity=half: could not convert"),
        ("--epochs=0", "--epochs=0: must be at least 1"),
        ("--epochs=2.5", "--epochs=2.5: invalid literal"),
        ("--learning_rate=-1", "--learning_rate=-1.0: must be greater than 0"),
        ("--drop_fraction=2", r"--drop_fraction=2.0: must be in \(0, 1\]"),
        ("--method=magic", "value should be one of <dense|static|rigl"),
        ("--keras=torch", "value should be one of <keras3|keras2>"),
    ],
)
def test_illegal_value(argument, text):
    with pytest.raises(flags.IllegalFlagValueError, match=text):
        parse(argument)


def test_dense_against_dense():
    with pytest.raises(flags.IllegalFlagValueError, match="needs a sparse"):
        parse("--method=dense", "--compare_dense")


def test_unknown_flag():
    with pytest.raises(flags.UnrecognizedFlagError, match="sparsety"):
        parse("--sparsety=0.9")


@pytest.mark.source_tree
def test_there_are_flag_files():
    assert len(FLAG_FILES) >= 7


@pytest.mark.source_tree
@pytest.mark.parametrize("path", FLAG_FILES, ids=lambda path: path.stem)
def test_flag_file(path):
    assert path.read_text(encoding="utf-8").startswith("# ")
    values = parse(f"--flagfile={path}")
    training_flags.configuration(values)
    # Two experiments that run after each other keep their results apart.
    assert values.output_dir == f"runs/{path.stem}"
