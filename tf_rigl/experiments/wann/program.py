"""The program of searches for topologies, once its flags are parsed."""

import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
from rich import console as consoles

from tf_rigl import wann
from tf_rigl.backend import atomic_files
from tf_rigl.core import text_table
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.wann.settings import WannSettings
from tf_rigl.wann import breeding
from tf_rigl.wann import scoring

_CHAMPION = "champion.npz"
_TUNED = "tuned.npz"
_RESULTS = "results.json"


def run(asked: WannSettings, console: consoles.Console) -> int:
    """Searches, or goes on with a search, and writes its results.

    Returns:
        The exit code, 0.

    Raises:
        ImportError: if a package is missing.
        ValueError: if the folder is damaged or has another search.
    """
    optional_packages.check_matplotlib()
    task = asked.make_task()
    folder = pathlib.Path(asked.output_dir)
    with run_folder.locked(folder, "output_dir", "search"):
        result = _search(asked, task, folder, console)
        outcome = _judge(asked, task, result, console)
        _write(folder, result, outcome)

    write = terminal.printer(console)
    write(str(result))
    for line in _describe(outcome):
        write(text_table.paragraph(line))
    write(f"Files: {folder}")
    return 0


class Outcome(NamedTuple):
    """What the champion is worth in the end.

    Attributes:
        scores: by weight, its mean over fresh episodes: those that are shared
            in the search, and the best one of a scan.
        best: the best shared weight.
        tuned: the network with single weights; None if they were not tuned.
        tuned_score: its mean over the same episodes.
        accuracy: of digits, the share of test images that are classified
            rightly, with the best shared weight, by the vote of all shared
            weights, and tuned.
    """

    scores: dict[float, float]
    best: float
    tuned: wann.Genome | None
    tuned_score: float | None
    accuracy: dict[str, float]


def _search(
    asked: WannSettings,
    task: wann.Task,
    folder: pathlib.Path,
    console: consoles.Console,
) -> wann.SearchResult:
    total = asked.generations or task.defaults.generations
    display = terminal.Display(total, 0, console)
    began = False

    def show(record: wann.GenerationRecord) -> None:
        nonlocal began
        if not began:
            # Generations of earlier processes cost no time now.
            display.begin(record.generation - 1)
            began = True
        detail = str(record).partition("  ")[2]
        display.show(
            record.generation, f"generation {record.generation:,}", detail
        )

    with display:
        return wann.search(
            task,
            asked.population or None,
            total,
            asked.seed,
            shared_weights=asked.shared_weights,
            episodes=asked.episodes or None,
            workers=asked.workers,
            folder=folder,
            options=asked.options(),
            on_generation=show,
        )


def _judge(
    asked: WannSettings,
    task: wann.Task,
    result: wann.SearchResult,
    console: consoles.Console,
) -> Outcome:
    """Evaluates the champion on episodes that no choice was made by."""
    best = wann.best_weight(
        result.best, task, episodes=asked.champion_episodes, seed=asked.seed
    ).weight
    fresh: dict[str, Any] = {
        "episodes": asked.final_episodes,
        "seed": asked.seed + 1,
    }
    weights = list(dict.fromkeys([*asked.shared_weights, best]))
    scores = wann.best_weight(result.best, task, weights, **fresh).scores

    tuned = tuned_score = None
    if asked.tune_iterations:
        tuned = _tune(asked, task, result.best, best, console)
        seeds = breeding.champion_seeds(fresh["seed"], fresh["episodes"])
        tuned_score = float(scoring.score(task, [tuned], None, seeds).mean())
    accuracy = {}
    if isinstance(task, wann.Digits):
        accuracy["best shared weight"] = task.accuracy(result.best, best)
        voters = wann.ensemble(result.best, asked.shared_weights)
        images, labels = task.images[2:]
        accuracy["vote of shared weights"] = float(
            np.mean(voters(images) == labels)
        )
        if tuned is not None:
            accuracy["tuned"] = task.accuracy(tuned, None)
    return Outcome(
        dict(zip(weights, scores, strict=True)),
        best,
        tuned,
        tuned_score,
        accuracy,
    )


def _tune(
    asked: WannSettings,
    task: wann.Task,
    genome: wann.Genome,
    weight: float,
    console: consoles.Console,
) -> wann.Genome:
    display = terminal.Display(asked.tune_iterations, 0, console)

    def show(iteration: int, score: float) -> None:
        display.show(iteration, "tuning", f"mean of samples {score:.4g}")

    with display:
        return wann.tune(
            genome,
            task,
            weight,
            iterations=asked.tune_iterations,
            seed=asked.seed,
            workers=asked.workers,
            on_iteration=show,
        ).genome


def _write(
    folder: pathlib.Path, result: wann.SearchResult, outcome: Outcome
) -> None:
    """Writes networks, numbers and pictures, each file whole."""
    # It imports matplotlib.
    from tf_rigl.experiments.wann import plots

    for name, genome in ((_CHAMPION, result.best), (_TUNED, outcome.tuned)):
        if genome is not None:
            with atomic_files.open_whole(folder / name) as file:
                arrays: dict[str, Any] = genome.arrays()
                np.savez_compressed(file, **arrays)
    content = {
        "task": result.task,
        "generations": len(result.history),
        "hidden_nodes": result.best.hidden,
        "connections": result.best.connections,
        "mean": result.mean,
        "scores": {f"{w:g}": score for w, score in outcome.scores.items()},
        "best_weight": outcome.best,
        "tuned_score": outcome.tuned_score,
        "accuracy": outcome.accuracy,
        "front": [
            {"connections": one.connections, "mean": one.mean, "best": one.best}
            for one in result.front
        ],
    }
    atomic_files.write_json(folder / _RESULTS, content)
    plots.write(folder, result)


def _describe(outcome: Outcome) -> list[str]:
    scores = ", ".join(f"{w:g}: {s:.4g}" for w, s in outcome.scores.items())
    lines = [
        f"On fresh episodes, by shared weight: {scores}; "
        f"best shared weight {outcome.best:g}.",
    ]
    if outcome.tuned_score is not None:
        lines.append(f"Tuned single weights: {outcome.tuned_score:.4g}.")
    if outcome.accuracy:
        found = ", ".join(f"{k} {v:.2%}" for k, v in outcome.accuracy.items())
        lines.append(f"Test accuracy: {found}.")
    return lines
