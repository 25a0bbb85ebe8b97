"""Recurrent character-level language models."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import size

CELLS = {"gru": "GRU", "lstm": "LSTM"}  # names of the layer classes


def character_rnn(
    keras: ModuleType,
    cell: str = "gru",
    vocabulary: int = 256,
    embedding_units: int = 128,
    units: int = 512,
    readout_units: Sequence[int] = (256, 128),
    length: int | None = None,
    width: float = 1.0,
    name: str | None = None,
) -> Any:
    """Builds a network that predicts the next character of a text.

    The layers are `embedding`, `gru` or `lstm`, `readout1`, `readout2` and
    `logits`, which scores every character at every position. With the GRU there
    are 1,179,648 weights, 32,768 more in the embedding, and 3,712 biases.

    The sizes of the layers are those of the paper. The paper does not specify
    two details, which are chosen here: both readout layers use ReLU, and the
    logits do not share weights with the embedding.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        cell: `"gru"` or `"lstm"`.
        vocabulary: number of characters, which is also that of the logits.
        embedding_units: width of the embedding.
        units: size of the recurrent state.
        readout_units: widths of the layers between the state and the logits.
        length: number of characters in a text; None for texts of any length.
        width: multiplier of these widths. A narrowed layer keeps at least one
            unit.
        name: name of the model; None for `character_gru` or `character_lstm`.

    Returns:
        A functional model of the given Keras from `[batch, length]` integers in
        [0, vocabulary) to logits `[batch, length, vocabulary]`.

    Raises:
        ValueError: if `cell` is unknown, or a number is not positive.

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    arXiv:1911.11134, section 4.2 and appendix I.
    """
    size.check_size(vocabulary, width)
    if cell not in CELLS:
        raise ValueError(
            f"`cell` must be one of {sorted(CELLS)}. Received: cell={cell!r}."
        )
    if min(embedding_units, units, *readout_units) < 1:
        raise ValueError(
            "`embedding_units`, `units` and all `readout_units` must be "
            f"positive. Received: embedding_units={embedding_units}, "
            f"units={units}, readout_units={tuple(readout_units)}."
        )

    layers = keras.layers
    characters = keras.Input(shape=(length,), dtype="int32", name="characters")
    features = layers.Embedding(
        vocabulary, size.narrow(embedding_units, width), name="embedding"
    )(characters)

    recurrent = getattr(layers, CELLS[cell])
    features = recurrent(
        size.narrow(units, width), return_sequences=True, name=cell
    )(features)

    for number, full in enumerate(readout_units, start=1):
        features = layers.Dense(
            size.narrow(full, width), activation="relu", name=f"readout{number}"
        )(features)

    logits = layers.Dense(vocabulary, name="logits")(features)
    return keras.Model(characters, logits, name=name or f"character_{cell}")
