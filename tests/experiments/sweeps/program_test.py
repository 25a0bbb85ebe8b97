"""The program of sweeps, but for training: see tests/bin/sweep_test.py."""

import io

import pytest
from absl import flags
from rich import console as consoles

from tests.experiments.report.support import Page
from tests.experiments.runs import support
from tf_rigl.backend import atomic_files
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps import grid
from tf_rigl.experiments.sweeps import program

CONFIGS = flag_files.CONFIGS / "sweeps"


def parse(*arguments):
    values = flags.FlagValues()
    grid.define("unused", values)
    values(flag_files.expand(["program", *arguments]))
    return values


def run_sweep(*arguments):
    given = [f"--{name}={value}" for name, value in support.TINY.items()]
    values = parse(*given, *arguments)
    file = io.StringIO()
    code = program.run_flagged(values, consoles.Console(file=file, width=100))
    return code, file.getvalue()


@pytest.mark.parametrize(
    "file", sorted(CONFIGS.iterdir()), ids=lambda file: file.stem
)
def test_flag_files(file):
    sweep = grid.read(parse(f"--flagfile={file}"))
    assert sweep.options.output_dir == f"runs/sweeps/{file.stem}"
    assert grid.points(sweep.grid, sweep.base)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method=rigl"], "takes --methods in place of --method"),
        (["--sparsity=0.5"], "takes --sparsities in place of --sparsity"),
        (["--seed=0"], "takes --seeds in place of --seed"),
        (["--compare_dense"], "takes --methods=dense,... in place of"),
        (["--methods="], "`methods` must name at least one"),
        (["--methods=rigl,magic"], "Change 'magic'"),
        (["--training_flops=0.01"], "must allow each method an epoch"),
        (["--sparsities=0.9,1"], "Change 1.0"),
        (["--sparsities=most"], "`sparsities` must be numbers"),
        (["--strategy=multi_worker"], "A sweep trains on one machine"),
        (["--data=cifar10", "--data_dir=/nowhere"], "cifar10"),
        (["--data=text"], "`data` must be images"),
        (["--dense_layers=fc9"], "`dense_layers` must name layers"),
        (["--width=0.01", "--methods=small_dense"], "width"),
    ],
)
def test_errors_come_before_any_run(arguments, message, tmp_path, capsys):
    code, _ = run_sweep(*arguments, f"--output_dir={tmp_path / 'sweep'}")
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert not list(tmp_path.rglob("runs"))


@pytest.mark.parametrize("argument", ["--seeds=0", "--jobs=0"])
def test_illegal_numbers(argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument):
        parse(argument)


def test_other_settings_are_an_error(tmp_path, capsys):
    stored = support.tiny(method="rigl", sparsity=0.9, seed=1, epochs=5)
    folder = tmp_path / "runs" / "rigl_0.9_s1"
    folder.mkdir(parents=True)
    atomic_files.write_json(folder / "configuration.json", to_json(stored))
    code, _ = run_sweep(f"--output_dir={tmp_path}")
    assert code == 1
    assert "--epochs=3 (it has 5)" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [
        "rigl_0.9_s1"
    ]


def test_one_sweep_in_a_folder(tmp_path, capsys):
    with run_folder.locked(tmp_path, "output_dir", "sweep"):
        code, _ = run_sweep(f"--output_dir={tmp_path}")
    assert code == 1
    error = capsys.readouterr().err
    assert "`output_dir` must not be in use by another sweep" in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_failed_runs_are_named(tmp_path, capsys):
    # A file where the run's checkpoints are to be.
    blocked = tmp_path / "runs" / "static_0.9_s0"
    blocked.mkdir(parents=True)
    (blocked / "checkpoints").touch()
    code, output = run_sweep(
        f"--output_dir={tmp_path}",
        "--methods=static",
        "--sparsities=0.9",
        "--seeds=1",
    )
    assert code == 1

    assert "static_0.9_s0  failed with exit code 1  1/1 runs" in output
    log = blocked / "log.txt"
    error = capsys.readouterr().err
    assert f"Error: static_0.9_s0 failed, exit code 1: {log}" in error
    assert "checkpoints" in error.partition(str(log))[2]
    assert not (tmp_path / "table.md").exists()

    assert f"Page: {tmp_path / 'report.html'}" in output
    page = Page(tmp_path / "report.html")
    assert "0 of 1 runs have finished, 1 failed." in page.text
    assert page.links == {"static_0.9_s0": "runs/static_0.9_s0/log.txt"}
    assert any("…/checkpoints" in text for text in page.text)
    assert any("--methods=static --sparsities=0.9" in one for one in page.text)
    assert page.row("update_interval") == ["update_interval", "2"]
    page.assert_names_no_path(tmp_path)


def test_dry_run_at_equal_flops(tmp_path):
    code, output = run_sweep(
        "--dry_run",
        "--methods=dense,static",
        "--sparsities=0.9",
        "--seeds=1",
        "--epochs=20",
        "--training_flops=0.1",
        f"--output_dir={tmp_path / 'sweep'}",
    )
    assert code == 0
    dense, static = (
        line.split() for line in output.splitlines() if line.endswith(" steps")
    )
    assert dense == "dense_s0 8 steps".split()
    assert int(static[1]) > 30
    assert f"Runs: 2; epochs: 2 to {int(static[1]) // 4}, of 4 steps" in output


def test_dry_run_writes_nothing(tmp_path):
    code, output = run_sweep(
        "--dry_run",
        "--methods=dense,small_dense,rigl",
        "--sparsities=0.9",
        f"--output_dir={tmp_path / 'sweep'}",
    )
    assert code == 0
    assert "rigl_0.9_s2  12 steps" in output
    assert "Runs: 9; epochs: 3, of 4 steps; 108 steps in all" in output
    assert "fc1/kernel" in output
    assert "RigL 90 %" in output
    assert not list(tmp_path.iterdir())
