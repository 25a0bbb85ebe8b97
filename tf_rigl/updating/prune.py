"""Pruning at once, before training or after it."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import grasp
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms import snip
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core.checks import check_choice
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.random_scores import random_scores
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import loss_gradients
from tf_rigl.updating.mask_update import StepWeight

CRITERIA = (*pruning.CRITERIA, "snip", "grasp")
# As in their papers; the others prune each weight by itself.
_GLOBAL_BY_DEFAULT = ("snip", "grasp")


def prune(
    model: Any,
    criterion: str = "magnitude",
    data: Iterable[Any] | None = None,
    *,
    loss: Any = None,
    scope: str | None = None,
    seed: int = 0,
    temperature: float = 200.0,
) -> Any:
    """Prunes a model to the connections that `sparsify` allotted, at once.

    The model is changed in place and returned. Of the connections that it has
    those that score highest stay:

    - `"magnitude"`: |w|.
    - `"random"`: at random.
    - `"snip"`: |g · w|, the connection sensitivity of SNIP (Lee et al.,
      arXiv:1810.02340), with the gradient g of the mean loss over `data`.
    - `"grasp"`: w · H g, what GraSP (Wang et al., arXiv:2002.07376, equation
      8) keeps of the gradient flow, by the exact product of Hessian and
      gradient over `data`, the logits divided by `temperature`.

    Prune before training and train with `UpdateMasks(Static())`, or prune a
    trained model and fine-tune it likewise.

    Args:
        model: a model of either Keras that `sparsify` has masked, usually
            with `start="dense"`.
        criterion: see above.
        data: batches `(inputs, labels)`, such as a `tf.data.Dataset`; needed
            by SNIP and GraSP. The papers use one batch for SNIP and ten
            examples of each class for GraSP. All of it is used.
        loss: function of labels and outputs; by default the one that the
            model was compiled with.
        scope: `"weight"`, each weight to what was allotted to it; `"global"`,
            all weights against one threshold, the number over all the same.
            By default global for SNIP and GraSP, as in their papers, and
            weight for the others.
        seed: of random pruning.
        temperature: of GraSP; the paper's code divides the outputs by 200.

    Returns:
        The same model.

    Raises:
        TypeError: where `model` is a model of neither Keras.
        ValueError: for an unknown criterion or scope; where data or a loss is
            needed and missing, masks with a structure are to be pruned
            globally, a score is not finite, or a weight has fewer connections
            than were allotted.

    Example:
        >>> model = tf_rigl.sparsify(model, 0.9, start="dense")
        >>> model.compile(optimizer, loss)
        >>> tf_rigl.prune(model, "snip", dataset.take(1))
    """
    model_flavor(model)
    records = require_masked_weights(model)
    scope = scope or ("global" if criterion in _GLOBAL_BY_DEFAULT else "weight")
    check_choice("criterion", criterion, CRITERIA)
    check_choice("scope", scope, pruning.SCOPES)
    _check(records, scope)
    if criterion in ("snip", "grasp"):
        scores = _scores_from_data(
            model, records, criterion, data, loss, temperature
        )
    elif criterion == "random":
        scores = [
            random_scores(r.shape, stateless_seed(seed, r.key)) for r in records
        ]
    else:
        scores = [record.values() for record in records]
    _keep_largest(records, scores, scope)
    return model


def _scores_from_data(
    model: Any,
    records: list[MaskedWeight],
    criterion: str,
    data: Iterable[Any] | None,
    loss: Any,
    temperature: float,
) -> list[tf.Tensor]:
    """Scores that are compared by magnitude."""
    loss = loss or loss_gradients.compiled_loss(model)
    if data is None or loss is None:
        missing = "data" if data is None else "loss"
        raise ValueError(
            f"The criterion {criterion!r} needs gradients and so `data` and "
            f"`loss`. Received: {missing}=None. Pass batches of inputs and "
            "labels, and compile the model or pass a loss function."
        )
    values = [record.values() for record in records]
    if criterion == "snip":
        gradients = loss_gradients.mean_gradients(model, records, data, loss)
        scores = list(map(snip.sensitivity, values, gradients))
    else:
        products = loss_gradients.hessian_gradient_products(
            model, records, data, loss, temperature
        )
        scores = list(map(grasp.flow_scores, values, products))
    for record, score in zip(records, scores, strict=True):
        if not bool(tf.reduce_all(tf.math.is_finite(score))):
            raise ValueError(
                "The scores must be finite. Received: NaN or infinity for "
                f"{record.path!r} by the criterion {criterion!r}. Look for "
                "inputs or a loss that are not."
            )
    return grasp.as_magnitudes(scores) if criterion == "grasp" else scores


def _check(records: list[MaskedWeight], scope: str) -> None:
    for record in records:
        if scope == "global" and record.layout is not None:
            raise ValueError(
                "Weights compete with each other one by one, so that a global "
                "scope needs masks without a structure. Received: "
                f"{record.structure} on {record.path!r}. Pass scope='weight'."
            )
        if record.num_active() < record.target:
            raise ValueError(
                "A weight must have the connections that were allotted to it, "
                f"or more. Received: {record.num_active()} instead of "
                f"{record.target} for {record.path!r}."
            )


def _keep_largest(
    records: list[MaskedWeight], scores: list[tf.Tensor], scope: str
) -> None:
    weights = [StepWeight.without_gradient(record).seen() for record in records]
    updates = pruning.keep_largest(
        weights,
        [
            record.view(score)
            for record, score in zip(records, scores, strict=True)
        ],
        [record.target for record in records],
        scope,
    )
    for record, update in zip(records, updates, strict=True):
        record.set_mask(record.unview(update.masks.mask))
