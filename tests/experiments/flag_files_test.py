import os

import keras
import pytest
from absl import flags

from tests.experiments.runs import support
from tf_rigl import accounting
from tf_rigl.data.datasets import DataInfo
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import tasks
from tf_rigl.experiments.runs.plan import make_plan

EXPERIMENTS = flag_files.read_experiments()
DATA = {
    "imagenet2012": DataInfo(1_281_167, 50_000, 1000, (224, 224, 3)),
    "cifar10": DataInfo(50_000, 10_000, 10, (32, 32, 3)),
    "text": DataInfo(500_000_000, 1_000_000, 256, (512,)),
}


def expand(*arguments):
    return flag_files.expand(["program", *arguments])[1:]


def settings_of(name):
    return run_flags.settings(
        support.parse(f"--flagfile=configs/{name}.flags", defaults={})
    )


def rows_with(column):
    return [row for row in EXPERIMENTS.values() if row[column]]


def test_files_are_found_beside_the_including_file(tmp_path, monkeypatch):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "one.flags").write_text("# One.\n\n--epochs=1\n")
    (tmp_path / "two.flags").write_text(
        "// Two.\n--flagfile=base/one.flags\n--flagfile=\n  --seed=2  \n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = ["--epochs=1", "--seed=2"]
    assert expand("--a", "--flagfile=../two.flags", "b") == ["--a", *found, "b"]
    assert expand("-flagfile", str(tmp_path / "two.flags")) == found
    assert expand("--", "--flagfile=x") == ["--", "--flagfile=x"]


def test_files_are_found_from_the_working_directory(tmp_path, monkeypatch):
    # As absl finds them, and so as users' files may name them.
    (tmp_path / "one.flags").write_text("--epochs=1\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "two.flags").write_text("--flagfile=one.flags\n")
    monkeypatch.chdir(tmp_path)
    assert expand("--flagfile=deep/two.flags") == ["--epochs=1"]


def test_flags_come_through_a_pipe():
    reading, writing = os.pipe()
    os.write(writing, b"--epochs=1\n")
    os.close(writing)
    assert expand(f"--flagfile=/dev/fd/{reading}") == ["--epochs=1"]
    os.close(reading)


@pytest.mark.parametrize(
    "name",
    ["configs/{}.flags", "{}.flags", "{}", "/nowhere/configs/{}.flags"],
)
def test_experiments_are_found_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = "imagenet_resnet50_pruning80_uniform_1.5x"
    found = expand(f"--flagfile={name.format(experiment)}", "--seed=3")
    assert found[0] == "--data=imagenet2012"
    assert found[-2:] == [f"--output_dir=runs/{experiment}", "--seed=3"]
    assert "--multiplier=1.5" in found


def test_sweeps_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = expand("--flagfile=configs/sweeps/mnist_lenet.flags")
    assert found[0] == "--model=lenet_300_100"
    assert found[-1] == "--output_dir=runs/sweeps/mnist_lenet"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--flagfile", "with no argument"),
        (
            "--flagfile=configs/mnist_rigl89.flags",
            r"Received: flagfile='configs/mnist_rigl89\.flags'\. Close to it: "
            "mnist_rigl98, ",
        ),
        ("--flagfile=/nowhere/mnist_rigl98.flags", "`flagfile` must be a file"),
        ("--flagfile=sweeps", "See that table"),
    ],
)
def test_unknown_files(argument, message, capsys):
    with pytest.raises(flags.Error, match=message):
        expand(argument)
    with pytest.raises(SystemExit, match="FATAL Flags parsing error: "):
        flag_files.parse(["program", argument])


@pytest.mark.parametrize("second", ["one.flags", "folder/../one.flags"])
def test_files_that_include_each_other(tmp_path, second):
    (tmp_path / "folder").mkdir()
    (tmp_path / "one.flags").write_text("--flagfile=two.flags\n")
    (tmp_path / "two.flags").write_text(f"--flagfile={second}\n")
    with pytest.raises(flags.Error, match=r"one.*two.*one.*Take one"):
        expand(f"--flagfile={tmp_path / 'one.flags'}")


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "marked.flags").write_bytes(b"\xef\xbb\xbf--seed=2\n")
    assert expand(f"--flagfile={tmp_path / 'marked.flags'}") == ["--seed=2"]
    (tmp_path / "other.flags").write_bytes(b"--seed=\xff\n")
    with pytest.raises(flags.Error, match="must be text in UTF-8"):
        expand(f"--flagfile={tmp_path / 'other.flags'}")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_meets_the_rules(name):
    values = support.parse(f"--flagfile=configs/{name}.flags", defaults={})
    settings = run_flags.settings(values)
    tasks.check_kinds(settings)
    assert values.output_dir == f"runs/{name}"
    assert settings.method in name or name == "mnist_quickstart"
    assert f"{settings.multiplier:g}x" in name or settings.multiplier == 1
    percent = f"{100 * settings.sparsity:g}".replace(".", "")
    assert percent in name or settings.method == "dense" or "quick" in name


def test_every_base_file_is_used():
    used = {row["base"] for row in EXPERIMENTS.values()}
    folder = (flag_files.CONFIGS / "base").resolve()
    for path in flag_files.CONFIGS.rglob("*.flags"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("--flagfile="):
                other = path.parent.joinpath(line[11:]).resolve()
                if other.parent == folder:
                    used.add(other.stem)
    assert used == {path.stem for path in folder.iterdir()}


def test_the_paper_has_its_experiments():
    assert len(EXPERIMENTS) == 218
    for start, number in (
        ("imagenet_resnet50_", 96),
        ("imagenet_mobilenet_v1_", 79),
        ("cifar10_wrn_22_2_", 29),
        ("wikitext103_gru_", 6),
    ):
        assert sum(name.startswith(start) for name in EXPERIMENTS) == number


def test_accuracies_are_percents_with_a_source():
    for row in rows_with("accuracy"):
        value, _, deviation = row["accuracy"].partition(" ± ")
        assert 50 < float(value) < 95, row
        assert not deviation or 0 < float(deviation) < 1, row
        assert row["source"], row


@pytest.mark.parametrize("column", ["inference", "training"])
def test_published_flops_are_those_of_our_rule(column):
    # Published tables round, and once counted dense layers as sparse ones.
    for row in rows_with(f"published_{column}"):
        ours, theirs = float(row[column]), float(row[f"published_{column}"])
        assert abs(ours - theirs) < max(0.031, 0.23 * theirs), row


def test_training_flops_follow_from_those_of_inference():
    for row in rows_with("training"):
        settings = settings_of(row["name"])
        flops = float(row["inference"])
        # The unit is the dense network of width 1; FLOPs go with the square.
        dense = settings.width**2
        if settings.method == "small_dense":
            dense = flops
        trained = settings.multiplier * networks.training_flops(
            settings, make_plan(settings, DATA[settings.data]), flops, dense
        )
        # Both columns have three digits.
        assert float(row["training"]) == pytest.approx(trained / 3, rel=0.013)


@pytest.mark.parametrize(
    "name",
    [
        "cifar10_wrn_22_2_set80",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "cifar10_wrn_22_2_small_dense80",
                "imagenet_mobilenet_v1_big_rigl75_erk_5x",
                "imagenet_mobilenet_v1_pruning95_uniform",
                "imagenet_resnet50_rigl90_erk",
                "imagenet_resnet50_static80_uniform",
                "wikitext103_gru_rigl75",
            )
        ),
    ],
)
def test_inference_flops_are_those_of_the_network(name):
    settings = settings_of(name)
    task = tasks.make_task(settings, DATA[settings.data])
    dense = networks.build_dense(settings, keras, task, 1 / settings.width)
    whole = accounting.micronet(accounting.profile(dense)).flops
    profile = networks.final_profile(settings, keras, task)
    share = accounting.micronet(profile).flops / whole
    assert f"{share:.3g}" == EXPERIMENTS[name]["inference"]
