import pytest
from absl import flags

from tests.experiments.compress import support
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import trainings
from tf_rigl.models import predefined
from tf_rigl.models import registry

EARLY = ("--criterion=slimming", "--retrain=early_bird")
FILES = sorted((flag_files.CONFIGS / "compress").glob("*.flags"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ratios=0.5,1"], r"`ratios` must be in \(0, 1\).*Change 1.0"),
        (["--ratios="], "`ratios` must name at least one"),
        (["--ratios=0.5,0.5"], "must differ from each other"),
        (["--retrain="], "`retrain` must name at least one"),
        (["--retrain=again"], "each one of finetune, scratch_e"),
        (["--early_bird_threshold=1"], r"threshold=1.0: must be in \[0, 1\)"),
        (["--retrain=early_bird"], "of slimming and of ratios.*='l1'"),
        (
            [*EARLY, "--schedule=cosine"],
            "goes on at the learning rate.*'cosine'",
        ),
        (["--pruned_models=resnet_57_a"], "networks of this package"),
        (["--select"], "Selections are of slimming.*criterion='l1'"),
        (
            ["--select", "--criterion=slimming", "--scope=layer"],
            "Selections are .*scope='layer'",
        ),
        (["--learning_rates=0.1,0"], "`learning_rates` must be greater"),
        (["--strategy=multi_worker"], "A compression trains on one machine"),
        (
            ["--warmup_epochs=1", "--finetune_epochs=1"],
            "fewer than those of finetune.*finetune_epochs=1",
        ),
    ],
)
def test_wrong_values(arguments, message):
    with pytest.raises((ValueError, flags.IllegalFlagValueError)) as error:
        support.ask(*arguments)
    assert error.match(f"(?s){message}")


def test_what_criteria_mean():
    slimming = support.ask("--criterion=slimming").compress
    assert slimming.prune_criterion == "bn_scale"
    assert slimming.prune_scope == "global"
    l1 = support.ask("--criterion=l1").compress
    assert (l1.prune_criterion, l1.prune_scope) == ("l1", "layer")
    one_by_one = support.ask("--criterion=slimming", "--scope=layer").compress
    assert one_by_one.prune_scope == "layer"


@pytest.mark.parametrize(
    ("name", "large", "small"),
    [
        ("none", False, False),
        ("search", True, False),
        ("all", True, True),
    ],
)
def test_what_is_in_low_precision(name, large, small):
    compress = support.ask(f"--low_precision={name}").compress
    assert compress.in_low_precision(is_large=True) == large
    assert compress.in_low_precision(is_large=False) == small


def test_names_of_trainings():
    asked = support.ask(
        "--ratios=0.5,0.70",
        "--pruned_models=vgg_16_a",
        "--retrain=ticket,scratch_e",
    )
    assert [one.name for one in trainings.trainings(asked)] == [
        "large",
        "ticket_0.5",
        "scratch_e_0.5",
        "ticket_0.7",
        "scratch_e_0.7",
        "ticket_vgg_16_a",
        "scratch_e_vgg_16_a",
    ]
    rates = support.ask("--seeds=2", "--learning_rates=0.1,0.01")
    assert [one.name for one in settings.points(rates)] == [
        *("lr_0.1_s0", "lr_0.01_s0", "lr_0.1_s1", "lr_0.01_s1")
    ]


def settings_of(kind, *arguments, **lengths):
    asked = support.ask(*arguments)
    training = trainings.Training(kind, asked.targets[0])
    return trainings.settings_of(
        training, asked.compress, asked.base, trainings.Lengths(**lengths)
    )


SCHEDULE = ("--epochs=160", "--decay_epochs=80,120", "--multiplier=0.5")


@pytest.mark.parametrize("kind", ["scratch_e", "ticket", "finetune"])
def test_as_many_epochs(kind):
    found = settings_of(kind, *SCHEDULE)
    assert (found.total_epochs, found.decay_epochs) == (80, (40, 60))
    assert found.learning_rate == 0.1


def test_as_many_flops():
    """Rates drop at the same shares of the epochs, as the authors' do."""
    found = settings_of("scratch_b", *SCHEDULE, scratch_b=220)
    assert (found.total_epochs, found.decay_epochs) == (220, (110, 165))
    least = settings_of(
        "scratch_b", *SCHEDULE, "--most_epochs=100", scratch_b=220
    )
    assert least.total_epochs == 100
    assert least.decay_epochs == pytest.approx((50, 75))


def test_fine_tuning():
    """Li et al.: 40 epochs at 0.001, and no steps."""
    given = ("--finetune_epochs=40", "--finetune_rate=0.001")
    found = settings_of("finetune", *SCHEDULE, *given, "--warmup_epochs=5")
    assert (found.total_epochs, found.learning_rate) == (40, 0.001)
    assert (found.schedule, found.decay_epochs) == ("constant", ())
    assert found.warmup_epochs == 0
    found = settings_of("finetune", *SCHEDULE, "--finetune_epochs=40")
    assert found.decay_epochs == pytest.approx((20, 30))
    assert found.learning_rate == 0.1


def test_early_birds_go_on_where_they_were():
    given = ("--epochs=160", "--decay_epochs=80,120", *EARLY)
    found = settings_of("early_bird", *given, ticket=30)
    assert (found.total_epochs, found.decay_epochs) == (130, (50, 90))
    assert found.learning_rate == 0.1
    found = settings_of("early_bird", *given, ticket=80)
    assert (found.total_epochs, found.decay_epochs) == (80, (40,))
    assert found.learning_rate == pytest.approx(0.01)
    found = settings_of("early_bird", *given, ticket=130)
    assert (found.schedule, found.decay_epochs) == ("constant", ())
    assert found.learning_rate == pytest.approx(0.001)


def test_command_lines():
    given = ["--ratios=0.3", "--retrain=ticket", "--checkpoint_every=3"]
    asked = support.ask(*given)
    words = settings.FLAGS.process_arguments(asked, asked.base, "/x")
    assert {"--ratios=0.3", "--retrain=ticket", "--criterion=l1"} <= {*words}
    assert "--checkpoint_every=3" in words
    values = flags.FlagValues()
    settings.FLAGS.define_one(values)
    values(["program", *words])
    again = settings.read(values)
    assert again.compress == asked.compress
    assert again.base == asked.base
    assert again.options.output_dir == "/x"

    command = settings.FLAGS.program_command(
        support.ask("--learning_rates=1,2")
    )
    assert command.startswith("tf-rigl compress --model=lenet_5")
    assert "--learning_rates=1.0,2.0" in command


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_flag_files(path):
    """Those of the papers, and of a day of one core."""
    values = flags.FlagValues()
    settings.FLAGS.define(values)
    values(flag_files.expand(["program", f"--flagfile={path}"]))
    asked = settings.read(values)
    assert asked.base.model in registry.BUILDERS
    of_imagenet = asked.compress.most_epochs == 180
    assert asked.base.data == ("imagenet2012" if of_imagenet else "cifar10")
    assert asked.options.output_dir == f"runs/compress/{path.stem}"
    found = asked.base.total_epochs, asked.base.decay_epochs
    lengths = (160, (80, 120))
    if of_imagenet:
        lengths = (90, (30, 60))
    elif path.stem.startswith("cifar10"):
        lengths = (24, (12, 18))
    assert found == lengths
    rates = asked.compress.finetune_epochs, asked.compress.finetune_rate
    chosen = bool(asked.compress.pruned_models)
    tuned = (20 if of_imagenet else 40), 0.001
    assert rates == (tuned if chosen else (0, 0))
    assert (asked.compress.criterion == "l1") is chosen


def test_predefined_networks_have_a_flag_file_each():
    texts = [path.read_text() for path in FILES]
    for name in predefined.WIDTHS:
        line = f"--pruned_models={name}\n"
        assert sum(line in text for text in texts) == 1
