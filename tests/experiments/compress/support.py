import io
import json

from absl import flags
from rich import console as consoles

from tf_rigl.experiments import flag_files
from tf_rigl.experiments.compress import program
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.process_sets.tables import Heading
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps.request import LOG

# One ratio, two epochs of four steps.
TINY = {
    "model": "lenet_5",
    "width": 0.5,
    "data": "mnist_small",
    "criterion": "l1",
    "ratios": 0.5,
    "epochs": 2,
    "decay_epochs": 1,
    "steps_per_epoch": 4,
    "batch_size": 16,
    "evaluation_steps": 2,
    "seeds": 1,
}
NAME = "lr_0.1_s0"


def parse(*arguments, define=settings.FLAGS.define):
    values = flags.FlagValues()
    define(values)
    tiny = [f"--{name}={value}" for name, value in TINY.items()]
    values(flag_files.expand(["program", *tiny, *map(str, arguments)]))
    return values


def ask(*arguments):
    return settings.read(parse(*arguments))


def run_program(*arguments):
    file = io.StringIO()
    console = consoles.Console(file=file, width=80)
    code = program.run_flagged(parse(*arguments), console)
    return code, file.getvalue()


def costs(parameters, flops):
    return {"parameters": parameters, "flops": flops}


def result(accuracy, parameters=1000, flops=4000, epochs=2):
    return {
        "headline": "accuracy",
        "measures": {"accuracy": accuracy, "loss": 1.0},
        "profile": costs(parameters, flops),
        "epochs": epochs,
    }


def make_compressions(folder, found, asked, failed=None):
    """Writes the folder of a program.

    `found` has, for each compression, records by the name of their folder, of
    trainings or of cuts.
    """
    points = {one.name: one.settings for one in settings.points(asked)}
    for name, records in found.items():
        path = folder / request.COMPRESSIONS / name
        path.mkdir(parents=True)
        (path / "configuration.json").write_text(
            json.dumps(to_json(points[name]))
        )
        (path / LOG).write_text(f"begun\nError: no {folder}/deep/one.txt\n")
        for training, content in records.items():
            (path / training).mkdir()
            is_cut = training.startswith(trainings.PRUNED)
            file = "record.json" if is_cut else "results.json"
            (path / training / file).write_text(json.dumps(content))

    request.FILE.write(
        folder,
        SetRequest(
            Heading("the command", "net on data", 8, 2, "tensorflow 2.0"),
            tuple(points),
            tuple(one.name for one in trainings.trainings(asked)),
            settings.FLAGS.shared(asked),
            failed or {},
        ),
    )
    return folder


def two_compressions(folder, **known):
    """Two seeds, one ratio and a network by name, and two ways."""
    asked = ask(
        "--seeds=2",
        "--ratios=0.5",
        "--pruned_models=vgg_16_a",
        "--retrain=scratch_b,finetune",
    )
    small, smaller = costs(400, 1000), costs(100, 500)
    found = {
        f"lr_0.1_s{seed}": {
            "large": result(0.9 + seed / 50),
            "pruned_0.5": cut(0.3, small),
            "finetune_0.5": result(0.88 + seed / 50, 400, 1000),
            "scratch_b_0.5": result(0.92, 400, 1000, 8),
            "pruned_vgg_16_a": cut(0.1, smaller),
            "finetune_vgg_16_a": result(0.7, 100, 500),
            "scratch_b_vgg_16_a": result(0.8, 100, 500, 16),
        }
        for seed in range(2)
    }
    return make_compressions(folder, found, asked, **known), asked


def cut(accuracy, after):
    return {
        "headline": "accuracy",
        "measures": {"accuracy": accuracy},
        "before": costs(1000, 4000),
        "after": after,
        "scratch_b": 8,
        "channels": {"conv1": [4, 2]},
    }
