import json

import tf_rigl
from tests import support
from tests.tickets import search_test


@support.one_keras("keras")
def test_a_level_of_several_calls_of_fit(keras, tmp_path):
    """Rewound into an epoch, its rest and the epochs after it are two calls."""
    model = search_test.make_model(keras)
    search = tf_rigl.TicketSearch(model, tmp_path, rounds=1, rewind_step=2)
    calls = {0: [(4, 0, 3)], 1: [(2, 0, 1), (4, 1, 3)]}
    for level in search:
        level.ends_at(12)
        for steps, first, end in calls[level.number]:
            model.fit(
                search_test.data(level.step),
                steps_per_epoch=steps,
                initial_epoch=first,
                epochs=end,
                verbose=0,
                callbacks=level.callbacks,
            )
    for name in ("level_00", "level_01"):
        text = (tmp_path / name / "metrics.jsonl").read_text()
        steps = [json.loads(line)["step"] for line in text.splitlines()]
        assert steps == [4, 8, 12]
