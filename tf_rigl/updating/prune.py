"""Pruning at once, before training or after it."""

import functools
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import pruning
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import criteria
from tf_rigl.core.checks import check_choice
from tf_rigl.core.criteria import Criterion
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.masking.state_store import INITIAL_VALUES
from tf_rigl.updating import loss_gradients
from tf_rigl.updating.mask_update import StepWeight


def prune(
    model: Any,
    criterion: str | Criterion | criteria.Score = "magnitude",
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
    - `"normalized_magnitude"`: |w| / ‖w‖₂, so that under one threshold the
      scale of a weight does not count (JaxPruner, arXiv:2304.14082).
    - `"random"`: at random.
    - `"snip"`: |g · w|, the connection sensitivity of SNIP (Lee et al.,
      arXiv:1810.02340), with the gradient g of the mean loss over `data`.
    - `"grasp"`: w · H g, what GraSP (Wang et al., arXiv:2002.07376, equation
      8) keeps of the gradient flow, by the exact product of Hessian and
      gradient over `data`, the logits divided by `temperature`.
    - A `Criterion` of your own, or a function from an `Evidence` to scores,
      of which the highest stay; `tf_rigl.core.criteria` registers names.

    Prune before training and train with `UpdateMasks(Static())`, or prune a
    trained model and fine-tune it likewise.

    Args:
        model: a model of either Keras that `sparsify` has masked, usually
            with `start="dense"`.
        criterion: see above.
        data: batches `(inputs, labels)`, such as a `tf.data.Dataset`; needed
            by criteria that look at derivatives. The papers use one batch for
            SNIP and ten examples of each class for GraSP. All of it is used.
        loss: function of labels and outputs; by default the one that the
            model was compiled with.
        scope: `"weight"`, each weight to what was allotted to it; `"global"`,
            all weights against one threshold, the number over all the same.
            By default global for SNIP, GraSP and the normalized magnitude, as
            in their papers, and weight for the others but those that say so.
        seed: of random pruning.
        temperature: of GraSP; the paper's code divides the outputs by 200.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if criterion or scope are unknown; if data, a loss or
            initial values are needed and missing, masks with a structure are
            to be pruned globally, a score is not finite, or a weight has
            fewer connections than were allotted.

    Example:
        >>> model = tf_rigl.sparsify(model, 0.9, start="dense")
        >>> model.compile(optimizer, loss)
        >>> tf_rigl.prune(model, "snip", dataset.take(1))
    """
    model_flavor(model)
    records = require_masked_weights(model)
    for record in records:
        record.guard.settle()
    chosen = criteria.as_criterion(criterion)
    scope = scope or chosen.scope
    check_choice("scope", scope, pruning.SCOPES)
    _check(records, scope)

    derivatives = _derivatives(
        model, records, criterion, chosen, data, loss, temperature
    )
    scores = [
        _score(record, criterion, chosen, derivative, seed)
        for record, derivative in zip(records, derivatives, strict=True)
    ]
    _keep_largest(records, scores, scope)
    return model


def _derivatives(
    model: Any,
    records: list[MaskedWeight],
    name: Any,
    criterion: Criterion,
    data: Iterable[Any] | None,
    loss: Any,
    temperature: float,
) -> list[dict[str, tf.Tensor]]:
    """Returns what a criterion needs of the loss, for each weight."""
    if not criterion.needs_data:
        return [{}] * len(records)

    loss = loss or loss_gradients.compiled_loss(model)
    if data is None or loss is None:
        missing = "data" if data is None else "loss"
        raise ValueError(
            f"The criterion {name!r} needs gradients and so `data` and "
            f"`loss`. Received: {missing}=None. Pass batches of inputs and "
            "labels, and compile the model or pass a loss function."
        )

    if criterion.derivative == "gradient":
        tensors = loss_gradients.mean_gradients(model, records, data, loss)
    else:
        tensors = loss_gradients.hessian_gradient_products(
            model, records, data, loss, temperature
        )
    return [{criterion.derivative: tensor} for tensor in tensors]


def _score(
    record: MaskedWeight,
    name: Any,
    criterion: Criterion,
    derivatives: dict[str, tf.Tensor],
    seed: int,
) -> tf.Tensor:
    """Returns scores that are compared by magnitude."""
    initial = record.state.get(INITIAL_VALUES)
    if criterion.needs_initial and initial is None:
        raise ValueError(
            f"The criterion {name!r} needs the initial values of the weights. "
            f"Received: {record.path!r}, for which they were not kept. Call "
            "tf_rigl.sparsify(..., options=tf_rigl.SparsifyOptions("
            "keep_initial_values=True))."
        )

    score = criterion.score(
        criteria.Evidence(
            final=record.values(),
            initial=None if initial is None else tf.convert_to_tensor(initial),
            seed=functools.partial(stateless_seed, seed, record.key),
            **derivatives,
        )
    )
    _check_scores(score, record, name)
    must_be_finite = criterion.needs_data or criterion.signed
    if must_be_finite and not bool(tf.reduce_all(tf.math.is_finite(score))):
        raise ValueError(
            "The scores must be finite. Received: NaN or infinity for "
            f"{record.path!r} by the criterion {name!r}. Look for "
            "inputs or a loss that are not."
        )
    return criteria.ranks(score) if criterion.signed else score


def _check_scores(score: Any, record: MaskedWeight, name: Any) -> None:
    shape, dtype = getattr(score, "shape", None), getattr(score, "dtype", None)
    is_floating = dtype is not None and tf.as_dtype(dtype).is_floating
    if not is_floating or tuple(shape or ()) != record.shape:
        raise ValueError(
            "A criterion must return a float for each position of a weight. "
            f"Received: shape {shape} and dtype {dtype} for {record.path!r} of "
            f"shape {record.shape} by the criterion {name!r}. What it looks at "
            "beside `final` it must ask for: Criterion(score, "
            "derivative='gradient', needs_initial=True)."
        )


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
    weights = [
        StepWeight.without_gradient(record).as_view() for record in records
    ]

    updates = pruning.keep_largest(
        weights,
        [
            record.view(score)
            for record, score in zip(records, scores, strict=True)
        ],
        scope=scope,
    )
    for record, update in zip(records, updates, strict=True):
        record.set_mask(record.unview(update.masks.mask))
