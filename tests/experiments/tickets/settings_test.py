import pytest

from tests.experiments.tickets.support import ask
from tests.experiments.tickets.support import parse
from tf_rigl.core import criteria
from tf_rigl.core import treatments
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import settings
from tf_rigl.tickets import arguments

CONFIGS = flag_files.CONFIGS / "tickets"


@pytest.mark.parametrize(
    "file", sorted(CONFIGS.iterdir()), ids=lambda file: file.stem
)
def test_flag_files(file):
    asked = ask(f"--flagfile={file}", given={})
    assert asked.options.output_dir == f"runs/tickets/{file.stem}"
    assert settings.points(asked)
    # Adam, the optimizer where nothing is said, would ignore it.
    momentum = "--momentum=" in "".join(
        flag_files.expand(["", f"--flagfile={file}"])
    )
    assert (asked.base.optimizer == "sgd") == momentum


def test_choices_are_those_of_the_library():
    """The flags are known before it is imported."""
    assert settings.SCOPES == arguments.SCOPES
    assert settings.RETRAIN == arguments.RETRAIN
    assert ("rewind", *settings.REDRAWS) == arguments.ACTIONS
    assert tuple(treatments.TREATMENTS) == settings.TREATMENTS
    plain = [one for one in settings.CONTROLS if settings.KEEPS_SIGN not in one]
    assert set(plain) == set(arguments.CONTROLS)
    assert set(settings.CRITERIA) == {
        name for name, one in criteria.CRITERIA.items() if not one.needs_data
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--prune_rates=logits"], "form layer=rate"),
        (["--prune_rates=logits=few"], "form layer=rate"),
        (["--prune_rates==0.1"], "form layer=rate"),
        (["--control_levels=2"], "`control_levels` must be levels"),
        (["--control_levels=few"], "`control_levels` must be numbers"),
        (["--controls=luck"], "`controls` must be each one of reinit"),
        (["--action=reinit", "--retrain=state"], "--retrain=weights"),
        (["--treatment=initial", "--retrain=fine_tune"], "weights or state"),
        (["--treatment=initial"], "--controls=reinit"),
        (["--learning_rates=0.1,0.1"], "must differ"),
        (["--learning_rates=0"], "`learning_rates` must be greater than 0"),
        (["--validation_examples=0"], "--validation_examples=5000"),
        (["--retrain=fine_tune", "--schedule=cosine"], "last learning rate"),
        (["--strategy=multi_worker"], "A search trains on one machine"),
    ],
)
def test_errors(given, message):
    with pytest.raises(ValueError, match=message):
        ask(*given)


def test_levels_of_controls_do_not_matter_without_controls():
    assert ask("--controls=", "--control_levels=9").search.rounds == 1


def test_fine_tuning_at_a_constant_rate():
    assert ask("--retrain=fine_tune", "--schedule=constant")


def test_a_search_for_each_seed_and_learning_rate():
    points = settings.points(ask("--seeds=2", "--learning_rates=0.1,0.01"))
    assert [one.name for one in points] == [
        "lr_0.1_s0",
        "lr_0.01_s0",
        "lr_0.1_s1",
        "lr_0.01_s1",
    ]
    last = points[-1].settings
    assert (last.learning_rate, last.seed) == (0.01, 1)
    assert (last.method, last.sparsity) == ("static", 0.0)


def test_controls_are_of_the_last_level_by_default():
    asked = ask("--rounds=2", "--controls=constant_keep_sign", "--draws=2")
    assert progress.trainings(asked.search) == [
        "level_00",
        "level_01",
        "level_02",
        "control_constant_02_keep_sign_0",
        "control_constant_02_keep_sign_1",
    ]


def test_the_process_of_a_search_gets_what_was_asked_for():
    asked = ask(
        "--optimizer=sgd",  # the default of runs, and not that of searches
        "--schedule=cosine",
        "--prune_rates=logits=0.1",
        "--keep_sign",
        "--treatment=movement",
        "--controls=reinit",
        "--control_levels=0,1",
        "--learning_rates=0.1",
        "--checkpoint_every=3",
    )
    (point,) = settings.points(asked)
    words = settings.FLAGS.process_arguments(asked, point.settings, "there")
    found = ask(*words, given={}, define=settings.FLAGS.define_one)
    assert found.base == point.settings
    assert found.search == asked.search
    assert found.options.output_dir == "there"
    assert found.options.checkpoint_every == 3


def test_the_command_repeats_what_was_asked_for():
    asked = ask("--data_dir=/nowhere", "--jobs=2", "--learning_rates=0.1,0.2")
    command = settings.FLAGS.program_command(asked)
    assert "/nowhere" not in command
    assert "--jobs" not in command
    start, name, *words = command.split()
    assert (start, name) == ("tf-rigl", "tickets")
    found = ask(*words, given={})
    assert found.base.data_dir is None
    assert found.search == asked.search
    assert found.grid.learning_rates == (0.1, 0.2)
    assert settings.points(found)[0].name == settings.points(asked)[0].name


def test_shared_settings_are_without_the_varied_and_the_machine():
    found = settings.FLAGS.shared(ask("--data_dir=/nowhere"))
    assert found["learning_rate"] == 0.0012
    assert found["rounds"] == 1
    assert "data_dir" not in found
    varied = settings.FLAGS.shared(ask("--learning_rates=0.1"))
    assert "learning_rate" not in varied


def test_flags_of_masks_that_move_are_none_of_searches():
    assert "update_interval" not in parse()
    assert "seed" not in parse()
