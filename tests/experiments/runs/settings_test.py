import math

import pytest
from absl import flags

from tests.experiments.runs.support import parse
from tests.experiments.runs.support import tiny
from tf_rigl.experiments import fields
from tf_rigl.experiments.runs import choices
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import settings as rules
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.masking import storage_choice

WRONG = [
    ("model", "lenet"),
    ("width", 0.0),
    ("dropout", 1.0),
    ("kernel_initializer", "normal"),
    ("data", "cifar"),
    ("validation_examples", -1),
    ("image_size", 0),
    ("sequence_length", 0),
    ("vocabulary_size", 1),
    ("method", "rigle"),
    ("sparsity", 1.0),
    ("sparsity", -0.1),
    ("sparsity", math.nan),
    ("distribution", "ERK"),
    ("budget", "local"),
    ("storage", "sparse"),
    ("update_interval", 0),
    ("drop_fraction", 0.0),
    ("drop_fraction", 1.1),
    ("start_fraction", -0.1),
    ("start_fraction", 1.0),
    ("stop_fraction", 0.0),
    ("stop_fraction", 1.5),
    ("ablation_threshold", -0.1),
    ("ablation_threshold", 1.1),
    ("slimming_strength", -1e-4),
    ("keras", "keras"),
    ("precision", "half"),
    ("seed", -1),
    ("epochs", 0),
    ("multiplier", 0.0),
    ("batch_size", 0),
    ("optimizer", "adamw"),
    ("learning_rate", 0.0),
    ("schedule", "sine"),
    ("warmup_epochs", -1.0),
    ("decay_epochs", (2.0, 1.0)),
    ("decay_factor", 1.0),
    ("momentum", 1.0),
    ("rank_scale", -0.1),
    ("frobenius_decay", -0.1),
    ("weight_decay", -0.1),
    ("clip_norm", -1.0),
    ("label_smoothing", 1.0),
    ("steps_per_epoch", -1),
    ("steps_per_execution", 0),
    ("evaluation_steps", -1),
    ("strategy", "two_devices"),
    ("devices", -1),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_names_rule_and_value(name, value):
    with pytest.raises(ValueError) as caught:
        tiny(**{name: value})
    text = str(caught.value)
    assert text.startswith(f"`{name}` must be ")
    assert f"Received: {name}={value!r}" in text


def test_every_rule_has_a_wrong_value():
    assert {name for name, _ in WRONG} == set(fields.rules(RunSettings))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "step"}, "'step' needs `decay_epochs`"),
        ({"warmup_epochs": 3.0}, "`warmup_epochs` must be fewer"),
        ({"frobenius_decay": 0.1}, "`frobenius_decay` is that of factors"),
        (
            {"start_fraction": 0.5, "stop_fraction": 0.5},
            "`start_fraction` must be smaller than `stop_fraction`",
        ),
    ],
)
def test_contradictory_values(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_labels():
    assert tiny(method="dense").label == "Dense"
    assert tiny(method="rigl", sparsity=0.98).label == "RigL 98 %"
    assert tiny(method="static", sparsity=0.965).label == "Static 96.5 %"


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


def test_runs_of_before_a_setting_existed_go_on():
    stored = rules.to_json(tiny())
    del stored["start_fraction"], stored["clip_norm"]
    assert rules.from_json(stored) == tiny()
    assert not rules.contradictions(stored, tiny())
    changed = tiny(start_fraction=0.25, clip_norm=10.0)
    assert rules.contradictions(stored, changed) == {
        "start_fraction": (0.0, 0.25),
        "clip_norm": (0.0, 10.0),
    }


def test_flags_default_to_the_fields():
    values = parse(defaults={})
    assert run_flags.settings(values) == RunSettings()
    assert run_flags.options(values) == RunOptions()


def test_lists_arrive():
    values = parse("--decay_epochs=1,2.5", "--dense_layers=a,b")
    settings = run_flags.settings(values)
    assert settings.decay_epochs == (1.0, 2.5)
    assert settings.dense_layers == ("a", "b")
    with pytest.raises(ValueError, match="`decay_epochs` must be numbers"):
        run_flags.settings(parse("--decay_epochs=soon"))


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--sparsity=1.5", r"--sparsity=1.5: must be in \[0, 1\)"),
        ("--sparsity=half", "--sparsity=half: could not convert"),
        ("--epochs=2.5", "--epochs=2.5: invalid literal"),
        ("--method=magic", "value should be one of <dense|small_dense|static"),
    ],
)
def test_illegal_flags(argument, text):
    with pytest.raises(flags.IllegalFlagValueError, match=text):
        parse(argument)


def test_storages_are_those_of_sparsify():
    assert choices.STORAGES == storage_choice.CHOICES
