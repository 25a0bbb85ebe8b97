import io
import json

from absl import flags
from rich import console as consoles

from tf_rigl.experiments import flag_files
from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.process_sets.tables import Heading
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps.request import LOG
from tf_rigl.experiments.tickets import program
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import request
from tf_rigl.experiments.tickets import settings

# One round of twelve steps, and two controls.
TINY = {
    "width": 0.1,
    "epochs": 3,
    "steps_per_epoch": 4,
    "batch_size": 32,
    "evaluation_steps": 2,
    "validation_examples": 100,
    "rounds": 1,
    "seeds": 1,
}
LEFT = (1.0, 0.8, 0.64)


def parse(*arguments, given=TINY, define=settings.FLAGS.define):
    values = flags.FlagValues()
    define(values)
    tiny = [f"--{name}={value}" for name, value in given.items()]
    values(flag_files.expand(["program", *tiny, *map(str, arguments)]))
    return values


def ask(*arguments, given=TINY, define=settings.FLAGS.define):
    return settings.read(parse(*arguments, given=given, define=define))


def run_program(*arguments):
    file = io.StringIO()
    console = consoles.Console(file=file, width=80)
    code = program.run_flagged(parse(*arguments), console)
    return code, file.getvalue()


def record(level, step, there, end):
    """What `TicketSearch` records of a training."""

    def line(step, accuracy):
        return {
            "epoch": step // 4,
            "step": step,
            "val_loss": 1.5,
            "val_accuracy": 0.5,
            "test_loss": 2.5,
            "test_accuracy": accuracy,
        }

    return {
        "level": level,
        "left": LEFT[level],
        "early_stop": None if step is None else line(step, there),
        "end": line(12, end),
    }


def make_searches(folder, searches, asked, failed=None):
    """Writes the folder of a program: its searches, with records by name."""
    points = {one.name: one.settings for one in settings.points(asked)}
    for name, records in searches.items():
        path = folder / request.SEARCHES / name
        path.mkdir(parents=True)
        (path / "configuration.json").write_text(
            json.dumps(to_json(points[name]))
        )
        (path / LOG).write_text(f"begun\nError: no {folder}/deep/one.txt\n")
        for training, content in records.items():
            (path / training).mkdir()
            (path / training / "record.json").write_text(
                json.dumps({"name": training, **content})
            )

    request.FILE.write(
        folder,
        SetRequest(
            Heading("the command", "net on data", 12, 2, "tensorflow 2.0"),
            tuple(points),
            tuple(progress.trainings(asked.search)),
            settings.FLAGS.shared(asked),
            failed or {},
        ),
    )
    return folder


def two_searches(folder, **known):
    """Two seeds of two rounds, with two draws of one control at level 2."""
    asked = ask("--rounds=2", "--seeds=2", "--controls=reinit", "--draws=2")
    searches = {
        f"lr_0.0012_s{seed}": {
            "level_00": record(0, 8, 0.90 + seed / 50, 0.91 + seed / 50),
            "level_01": record(1, 4, 0.92 + seed / 50, 0.94 + seed / 50),
            "level_02": record(2, 4 + 4 * seed, 0.93, 0.90),
            "control_reinit_02_0": record(2, 12, 0.8, 0.80),
            "control_reinit_02_1": record(2, 12, 0.8, 0.84),
        }
        for seed in range(2)
    }
    return make_searches(folder, searches, asked, **known), asked
