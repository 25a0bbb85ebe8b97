"""The results of a run, in plain JSON values."""

import platform
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

import tf_rigl
from tf_rigl import accounting
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs.callbacks import read_metrics
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.runs.train import TrainedRun

# The attributes of a profile that a record has.
TOTALS = (
    "nonzeros",
    "parameters",
    "macs",
    "dense_macs",
    "flops",
    "dense_flops",
    "bytes",
    "dense_bytes",
)


def make_record(
    run: PreparedRun,
    trained: TrainedRun,
    folder: RunFolder,
    files: Mapping[str, Any],
) -> dict[str, Any]:
    """Puts a run that has ended into plain JSON values.

    `files` are those of `write_model`, none if no model was written.
    """
    profile = tf_rigl.profile(trained.model)
    published = accounting.micronet(profile)
    epochs = read_metrics(folder.metrics)
    masks = tf_rigl.masks(trained.model) if run.settings.is_sparse else {}

    return {
        "settings": to_json(run.settings),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            run.keras.__name__: run.keras.__version__,
            "tf_rigl": tf_rigl.__version__,
        },
        "label": run.settings.label,
        "measures": dict(trained.measures),
        "headline": run.task.headline,
        "steps": run.plan.total,
        "epochs": run.plan.epochs,
        "examples_seen": run.plan.total * run.settings.batch_size,
        "seconds": round(sum(one["seconds"] for one in epochs), 3),
        "profile": {name: int(getattr(profile, name)) for name in TOTALS},
        "published": {
            name: int(value) for name, value in published._asdict().items()
        },
        "training_flops": training_flops(run, profile),
        "connections": {path: int(mask.sum()) for path, mask in masks.items()},
        "files": dict(files),
        "folder": str(folder.path),
    }


def training_flops(run: PreparedRun, profile: Any) -> float:
    """Counts FLOPs of the whole run, two for each MAC, as in the RigL paper."""
    examples = run.plan.total * run.settings.batch_size
    return examples * networks.training_flops(
        run.settings, run.plan, profile.flops, profile.dense_flops
    )
