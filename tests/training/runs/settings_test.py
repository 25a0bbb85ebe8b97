import pathlib

import pytest

from tests.training.runs.support import parse
from tests.training.runs.support import tiny
from tf_rigl.training.runs import flags as run_flags
from tf_rigl.training.runs import settings as rules
from tf_rigl.training.runs import tasks
from tf_rigl.training.runs.settings import Settings
from tf_rigl.training.runs.train import Options

CONFIGS = pathlib.Path(__file__).parents[3] / "configs"
FLAG_FILES = sorted(
    file
    for file in CONFIGS.glob("*.flags")
    if not file.name.startswith("mnist_")
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "lenet"}, "`model` must be one of lenet_300_100"),
        ({"sparsity": 1.0}, r"`sparsity` must be in \[0, 1\)"),
        ({"width": 0.0}, "`width` must be greater than 0"),
        ({"precision": "half"}, "`precision` must be one of float32"),
        ({"decay_epochs": (2.0, 1.0)}, "`decay_epochs` .* rising"),
        ({"schedule": "step"}, "'step' needs `decay_epochs`"),
        ({"warmup_epochs": 3.0}, "`warmup_epochs` must be fewer"),
        ({"label_smoothing": 1.0}, "`label_smoothing` must be in"),
    ],
)
def test_rules(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_json_keeps_everything():
    settings = tiny(dense_layers=("fc1",), decay_epochs=(1.0, 2.5))
    assert rules.from_json(rules.to_json(settings)) == settings
    assert not rules.contradictions(rules.to_json(settings), settings)


def test_contradictions_are_those_that_matter():
    stored = rules.to_json(tiny())
    assert not rules.contradictions(stored, tiny(data_dir="x", devices=3))
    assert rules.contradictions(stored, tiny(seed=1, dense_layers=("a",))) == {
        "seed": (0, 1),
        "dense_layers": ([], ["a"]),
    }


def test_flags_default_to_the_fields():
    values = parse(defaults={})
    assert run_flags.settings(values) == Settings()
    assert run_flags.options(values) == Options()


def test_lists_arrive():
    values = parse("--decay_epochs=1,2.5", "--dense_layers=a,b")
    settings = run_flags.settings(values)
    assert settings.decay_epochs == (1.0, 2.5)
    assert settings.dense_layers == ("a", "b")
    with pytest.raises(ValueError, match="`decay_epochs` must be numbers"):
        run_flags.settings(parse("--decay_epochs=soon"))


@pytest.mark.source_tree
@pytest.mark.parametrize("file", FLAG_FILES, ids=lambda file: file.stem)
def test_every_configuration_meets_the_rules(file):
    values = parse(f"--flagfile={file}", defaults={})
    settings = run_flags.settings(values)
    tasks.check_kinds(settings)
    assert values.output_dir == f"runs/{file.stem}"
    assert settings.method in file.stem
    # A flag that is named is one that says something.
    assert file.read_text("utf-8").startswith("# ")


def test_every_experiment_has_configurations():
    assert len(FLAG_FILES) > 100
    for start in ("imagenet_resnet50", "imagenet_mobilenet_v1", "cifar10_wrn"):
        assert sum(file.name.startswith(start) for file in FLAG_FILES) > 20
