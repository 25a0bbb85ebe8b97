"""Tables of a benchmark, and what they come to."""

from collections.abc import Sequence

from tf_rigl.core import text_table
from tf_rigl.experiments.benchmark import records
from tf_rigl.experiments.benchmark.records import Measurement
from tf_rigl.experiments.benchmark.records import Results

_MEBI = 2.0**20
# Models this close to each other are equally fast, as far as can be told.
_EQUAL = 1.05


def memory_table(results: Results) -> text_table.TextTable:
    """Makes the table of what each model needs.

    Times are those with the first batch size and number of threads, memory and
    differences the largest ones.
    """
    openings = {one.model: one for one in reversed(results.openings)}
    body = []
    for model in results.models:
        own = [one for one in results.measurements if one.model == model.label]
        if own:
            opening = openings[model.label]
            body.append(
                (
                    model.label,
                    opening.runtime,
                    _mebibytes(model.bytes),
                    f"{opening.load_seconds:.3f}",
                    f"{own[0].first_seconds:.3f}",
                    _mebibytes(max(one.memory_bytes for one in own)),
                    _mebibytes(max(one.process_bytes for one in own)),
                    _difference(own),
                )
            )
    header = (
        "model",
        "runs in",
        "file MB",
        "load s",
        "first call s",
        "memory MB",
        "process MB",
        "difference",
    )
    return text_table.TextTable(header, body, text_columns=2)


def latency_table(results: Results) -> text_table.TextTable:
    """Makes the table of latencies."""
    body = [
        (
            one.model,
            str(one.threads),
            str(one.batch_size),
            milliseconds(one.median),
            f"{milliseconds(min(one.rounds))} to "
            f"{milliseconds(max(one.rounds))}",
            milliseconds(one.cpu_median),
            f"{ratio:.2f}",
        )
        for one, ratio in zip(
            results.measurements, results.speedups(), strict=True
        )
    ]
    header = (
        "model",
        "threads",
        "batch",
        "ms",
        "lowest to highest",
        "CPU ms",
        "times as fast",
    )
    return text_table.TextTable(header, body)


def verdicts(results: Results) -> list[str]:
    """Says for each batch size and number of threads what is fastest."""
    found = []
    for (threads, batch), members in results.groups():
        if len(members) < 2:
            continue
        first = members[0]
        ratios = [records.speedup(one, first) for one in members]
        best = max(range(len(members)), key=ratios.__getitem__)
        begin = f"Batch {batch}, {records.threads_in_words(threads)}:"
        if ratios[best] < _EQUAL:
            found.append(f"{begin} none is faster than {first.model}.")
        else:
            found.append(
                f"{begin} {members[best].model} is fastest, "
                f"{ratios[best]:.2f} times as fast as {first.model}."
            )
    return found


def notes(results: Results) -> list[str]:
    """Says if the machine was too busy to trust milliseconds."""
    if not any(one.waited for one in results.measurements):
        return []
    return [
        "The machine was busy: calls have waited for a core, longer ones more "
        "often than short ones. CPU ms tell what they cost; measure again."
    ]


def failures(results: Results) -> list[str]:
    """Says what cannot be run, and why, once for each reason."""
    batches: dict[tuple[str, str], list[int]] = {}
    for one in results.failures:
        sizes = batches.setdefault((one.model, one.reason), [])
        if one.batch_size is not None and one.batch_size not in sizes:
            sizes.append(one.batch_size)
    return [
        f"{model} cannot be run"
        + (f" with batch {', '.join(map(str, sizes))}" if sizes else "")
        + f": {reason}"
        for (model, reason), sizes in batches.items()
    ]


def milliseconds(seconds: float) -> str:
    """Formats seconds as milliseconds, with three digits or more."""
    value = 1e3 * seconds
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:,.{digits}f}"


def _mebibytes(size: int) -> str:
    return f"{size / _MEBI:,.1f}"


def _difference(own: Sequence[Measurement]) -> str:
    known = [one.difference for one in own if one.difference is not None]
    return f"{max(known):.1e}" if known else own[0].note
