import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl import wann
from tf_rigl.experiments.wann import plots
from tf_rigl.wann import live_nodes

GENOME = evolved.evolve(4, 2, steps=30, seed=1)


def make_result(generations=3):
    records = [
        wann.GenerationRecord(n, 10.0 * n, 20.0, 5.0, 9.0 * n, 7)
        for n in range(1, 1 + generations)
    ]
    front = [
        wann.FrontMember(GENOME, 3.0, 5.0, 4),
        wann.FrontMember(GENOME, 4.0, 4.5, 9),
    ]
    return wann.SearchResult(
        GENOME, 27.0, (1.0,), tuple(front), tuple(records), (1.0,), "SwingUp"
    )


def lines_of(fig):
    (ax,) = fig.axes
    return {line.get_label(): line.get_xydata().tolist() for line in ax.lines}


def test_the_front():
    assert lines_of(plots.draw_front(make_result())) == {
        "mean over shared weights": [[4, 3], [9, 4]],
        "best shared weight": [[4, 5], [9, 4.5]],
    }


@pytest.mark.parametrize("generations", [1, 3])
def test_the_course(generations):
    lines = lines_of(plots.draw_history(make_result(generations)))
    assert len(lines["champion"]) == generations
    assert lines["best of the generation"][-1] == [
        generations,
        10 * generations,
    ]


def test_the_network():
    """From left to right, each live node once, each live connection once."""
    (ax,) = plots.draw_network(GENOME).axes
    lines, *nodes = ax.collections
    live = live_nodes.find(GENOME)
    segments = np.array(lines.get_segments())
    assert len(segments) == len(live.sources)
    assert np.all(segments[:, 0, 0] < segments[:, 1, 0])
    places = np.concatenate([one.get_offsets() for one in nodes])
    assert len(np.unique(places, axis=0)) == len(places)
    used = {*live.sources, *live.destinations, *live.nodes}
    assert len(places) == len(used)
    names = [text.get_text() for text in ax.texts]
    assert len(names) == len(used) - (0 in used)


def test_files(tmp_path):
    plots.write(tmp_path, make_result())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "champion.png",
        "front.png",
        "history.png",
    ]
