import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.export import support
from tests.support import in_turn
from tests.support import one_keras
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.saved_model.export import export_saved_model


def join(self, *tensors):
    return self.out(self.hidden(tf.concat(tensors, -1)))


def two(self, left, right):
    return join(self, left, right)


def optional(self, left, right=None, *, more=None):
    rest = [one for one in (right, more) if one is not None]
    return join(self, left, *rest)


def switched(self, left, training=False, mask=None):
    found = join(self, self.drop(left, training=training))
    return found if mask is None else found * mask


def nested(self, inputs, state=None):
    more = [] if state is None else [state[0]]
    found = join(self, inputs["a"], *inputs["b"]["c"], *more)
    return {"found": found, "state": [found + 1]}


def any_number(self, *tensors):
    return join(self, *tensors)


def named(self, left, **others):
    return join(self, left, others["right"])


def batch(*shape):
    shape = shape or (6,)
    random = np.random.default_rng(sum(shape))
    return tf.constant(random.normal(size=(3, *shape)), tf.float32)


PAIR = {"left": batch(), "right": batch(5)}
NEST = {"a": batch(), "b": {"c": [batch(4), batch(5)]}}
# The model's call, what it is called on, `inputs` of the export and how what
# was loaded is called.
CASES = {
    "by_name": (two, [*PAIR.values()], PAIR, [((), PAIR)]),
    "by_place": (two, [*PAIR.values()], None, [(PAIR.values(), {})]),
    "in_order": (two, [*PAIR.values()], [*PAIR.values()], []),
    "shapes": (
        two,
        [*PAIR.values()],
        {"left": (None, 6), "right": (None, 5)},
        [((PAIR["left"],), {"right": PAIR["right"]})],
    ),
    "left_out": (optional, [batch()], None, []),
    "given": (optional, [*PAIR.values()], PAIR, []),
    "keyword": (
        optional,
        {"left": batch(), "more": batch(5)},
        {"left": batch(), "more": batch(5)},
        [((batch(),), {"more": batch(5)})],
    ),
    "training": (switched, [batch()], None, []),
    "mask": (
        switched,
        {"left": batch(), "mask": tf.ones((3, 1))},
        {"left": batch(), "mask": tf.ones((3, 1))},
        [((batch(),), {"mask": tf.ones((3, 1))})],
    ),
    "nested": (nested, [NEST], None, []),
    "state": (
        nested,
        [NEST, [batch()]],
        {"inputs": NEST, "state": [batch()]},
        [],
    ),
    "named": (named, PAIR, PAIR, []),
    "any_number": (
        any_number,
        [*PAIR.values()],
        {"tensors": [*PAIR.values()]},
        [],
    ),
}
SLOW = {"named", "shapes", "given", "in_order", "training", "any_number"}


def make_plain_model(keras, call, **methods):
    def init(self):
        keras.Model.__init__(self)
        self.hidden = keras.layers.Dense(32)
        self.out = keras.layers.Dense(4)
        self.drop = keras.layers.Dropout(0.5)

    members = {"__init__": init, "call": call, **methods}
    return type("Model", (keras.Model,), members)()


def make_model(keras, call, called_on):
    model = make_plain_model(keras, call)
    arguments, keywords = (called_on, {})
    if isinstance(called_on, dict):
        arguments, keywords = (), dict(called_on)
        # Keras builds by the first argument.
        arguments = (keywords.pop("left"),)
    model(*arguments, **keywords)
    tf_rigl.sparsify(model, 0.5)
    return model, model(*arguments, **keywords), (arguments, keywords)


@pytest.mark.parametrize(
    ("case", "keras"), in_turn(CASES, SLOW.__contains__), indirect=["keras"]
)
def test_call_arguments(keras, case, tmp_path):
    call, called_on, inputs, calls = CASES[case]
    model, expected, given = make_model(keras, call, called_on)
    if case == "by_place" and keras.__name__ == "keras":
        pytest.skip("Keras 3 remembers one argument")
    loaded, _ = support.exported(model, tmp_path, inputs=inputs)
    for arguments, keywords in (given, *calls):
        outputs = loaded.serve(*arguments, **keywords)
        for one, other in zip(
            tf.nest.flatten(outputs), tf.nest.flatten(expected), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_arguments_that_keras_forgets_are_asked_for(keras3, tmp_path):
    """Keras 3 only remembers the shape of the first argument."""
    model, _, _ = make_model(keras3, two, [*PAIR.values()])
    message = r"remembers only some.*\['right'\] are not.*inputs={'left': ..."
    for export in (export_saved_model, export_litert):
        with pytest.raises(ValueError, match=message):
            export(model, tmp_path / "model")
        with pytest.raises(ValueError, match=r"all arguments.*\['right'\]"):
            export(model, tmp_path / "model", inputs=batch())
    with pytest.raises(ValueError, match=message):
        tf_rigl.profile(model)

    model, _, _ = make_model(keras3, optional, [*PAIR.values()])
    with pytest.raises(ValueError, match=r"must be exported with `inputs`"):
        export_saved_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_build_of_several_arguments(keras3, tmp_path):
    """`build` takes the shapes in another order than `call` its arguments."""

    def build(self, right_shape, left_shape):
        self.hidden.build((None, right_shape[-1] + left_shape[-1]))
        self.out.build((None, 32))

    model = make_plain_model(keras3, two, build=build)
    expected = model(**PAIR)
    loaded, _ = support.exported(tf_rigl.strip(model), tmp_path)
    outputs = loaded.serve(PAIR["left"], PAIR["right"])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@one_keras("tf_keras")
def test_litert_files_of_several_arguments(keras, tmp_path):
    model, _, _ = make_model(keras, nested, [NEST, [batch()]])
    options = tf_rigl.LiteRTOptions(
        verification_data=[NEST, [batch()]], tolerance=1e-5
    )
    inputs = {"inputs": NEST, "state": [batch()]}
    report = export_litert(
        model, tmp_path / "model", inputs=inputs, options=options
    )
    assert report.relative_error < 1e-5
