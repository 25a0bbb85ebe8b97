"""One-shot pruning, before training or after it."""

import functools
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import pruning
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing.snapshot import Snapshot
from tf_rigl.core import criteria
from tf_rigl.core.checks import check_choice
from tf_rigl.core.criteria import Criterion
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import check_stored_masked
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.masking.state_store import INITIAL_VALUES
from tf_rigl.updating import loss_gradients
from tf_rigl.updating import pruning_rates
from tf_rigl.updating import reference_slimming
from tf_rigl.updating.mask_update import StepWeight
from tf_rigl.updating.pruning_rates import Contest


def prune(
    model: Any,
    criterion: str | Criterion | criteria.Score = "magnitude",
    data: Iterable[Any] | None = None,
    *,
    loss: Any = None,
    scope: str | None = None,
    seed: int = 0,
    temperature: float = 200.0,
    amount: float | None = None,
    rates: Mapping[Any, float] | None = None,
    initial: Mapping[str, Any] | Snapshot | None = None,
    preset: str | None = None,
) -> Any:
    """Prunes a model in one shot, to its sparsity or by a fraction.

    By default, weights are pruned to the sparsity that `sparsify` was given.
    With `amount` or `rates`, a fraction of the connections left is dropped, and
    the weights are allotted what stays; so the same model can be pruned again
    and again, as iterative magnitude pruning does.

    The model is changed in place and returned. Of its active connections, the
    ones with the highest scores stay active; ties go to the lowest index:

    - `"magnitude"`: |w|.
    - `"normalized_magnitude"`: |w| / ‖w‖₂, so that the scale of a weight does
      not matter to a global threshold (JaxPruner, arXiv:2304.14082).
    - `"random"`: random scores.
    - `"snip"`: |g · w|, the connection sensitivity of SNIP (Lee et al.,
      arXiv:1810.02340), with the gradient g of the mean loss over `data`.
    - `"grasp"`: w · H g, the contribution to the gradient flow in GraSP (Wang
      et al., arXiv:2002.07376, equation 8), with the exact Hessian-gradient
      product over `data`; logits are divided by `temperature`.
    - The mask criteria of Zhou et al. (arXiv:1905.01067), functions of initial
      and final values: `"large_final"`, `"small_final"`, `"large_init"`,
      `"small_init"`, `"large_init_large_final"`, `"small_init_small_final"`,
      `"magnitude_increase"`, `"movement"`, and `"large_final_same_sign"`,
      `"large_final_diff_sign"`, `"magnitude_increase_same_sign"`,
      `"magnitude_increase_diff_sign"`; see `tf_rigl.core.mask_criteria`.
    - Your own `Criterion`, or a function from an `Evidence` to scores;
      `tf_rigl.core.criteria` registers names for them.

    Prune before training and train with `UpdateMasks(Static())`, or prune a
    trained model and fine-tune it with the same callback.

    Args:
        model: a model of either Keras, masked by `sparsify`, usually with
            `start="dense"`.
        criterion: the score, as listed above.
        data: batches `(inputs, labels)`, such as a `tf.data.Dataset`, all of
            which are used; required by criteria that use derivatives. The
            papers use one batch for SNIP and ten examples a class for GraSP.
        loss: a function of labels and outputs; by default the loss that the
            model was compiled with.
        scope: `"weight"` prunes each weight to its own number of connections;
            `"global"` prunes all weights by one threshold to the same total.
            By default that of the criterion: global for SNIP, GraSP and the
            normalized magnitude, as in their papers.
        seed: the seed of random pruning.
        temperature: GraSP's divisor of the outputs, 200 in the paper's code.
        amount: fraction of the connections left to drop, in [0, 1): n become
            n - floor(amount · n). It is that of each weight, or of all of them
            together under the global scope. Weights that `sparsify` was told to
            keep `dense` lose nothing.
        rates: fractions for single weights or layers, by layer, name or path,
            which replace `amount`; `{"logits": 0.1}`, say. Under the global
            scope these weights do not compete with the others.
        initial: initial values, a `Snapshot` or arrays by path, for criteria
            that need them; by default those that `sparsify` has kept.
        preset: `"reference"` prunes the scales of `sparsify(...,
            weights="scales")` by the threshold of the repository of network
            slimming, which keeps what is strictly greater: one channel less
            than here, more where magnitudes are equal.

    Under the global scope, scales and kernels do not compete with each other,
    and each layer keeps one of its scales, the largest.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the criterion or scope is unknown; if data, a loss or
            initial values are required and missing; if structured masks are
            to be pruned globally; if a score is not finite; if a rate is
            outside [0, 1) or leaves a weight without connections; if a
            weight has fewer active connections than its target; or if a preset
            is for others, or would leave a layer no scale. No mask has been
            changed then.

    Example:
        >>> model = tf_rigl.sparsify(model, 0.9, start="dense")
        >>> model.compile(optimizer, loss)
        >>> tf_rigl.prune(model, "snip", dataset.take(1))
        >>> tf_rigl.prune(model, amount=0.2, rates={"logits": 0.1})
    """
    model_flavor(model)
    records = require_masked_weights(model)
    check_stored_masked(records, "prune")
    for record in records:
        record.guard.settle()
    chosen = criteria.as_criterion(criterion)
    scope = scope or chosen.scope
    check_choice("scope", scope, pruning.SCOPES)
    check_choice("preset", preset, (None, "reference"))
    if isinstance(initial, Snapshot):
        initial = initial.weights
    _check_structures(records, scope)
    if amount is None and not rates:
        contests = pruning_rates.to_targets(records, scope)
    else:
        contests = pruning_rates.by_rates(
            model, records, scope, amount, rates or {}
        )

    if preset == "reference":
        _prune_as_reference(contests, criterion)
        return model

    derivatives = _derivatives(
        model, records, criterion, chosen, data, loss, temperature
    )
    evidence = {
        record.path: _evidence(
            record, criterion, chosen, derivative, seed, initial
        )
        for record, derivative in zip(records, derivatives, strict=True)
    }
    scores = [
        _scores(contest, criterion, chosen, evidence) for contest in contests
    ]

    for contest, of_weights in zip(contests, scores, strict=True):
        _keep_largest(contest, of_weights)
    pruning_rates.warn_of_collapse(records)
    return model


def _prune_as_reference(contests: list[Contest], criterion: Any) -> None:
    """Prunes scales by the threshold of the published repository."""
    if criterion != "magnitude":
        raise ValueError(
            "preset='reference' ranks scales by their magnitude. Received: "
            f"criterion={criterion!r}. Leave one of them out."
        )
    found = [(one, reference_slimming.masks(one)) for one in contests]
    for contest, masks in found:
        for record in contest.records:
            record.set_mask(masks[record.path])
            record.set_target(record.num_active())


def _derivatives(
    model: Any,
    records: list[MaskedWeight],
    name: Any,
    criterion: Criterion,
    data: Iterable[Any] | None,
    loss: Any,
    temperature: float,
) -> list[dict[str, tf.Tensor]]:
    """Returns the derivatives that a criterion asks for, for each weight.

    Each dictionary maps `criterion.derivative` to a float32 tensor of the
    weight's shape, and is empty if the criterion needs no data.
    """
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


def _evidence(
    record: MaskedWeight,
    name: Any,
    criterion: Criterion,
    derivatives: dict[str, tf.Tensor],
    seed: int,
    given: Mapping[str, Any] | None,
) -> criteria.Evidence:
    """Returns all that a criterion may know of a weight.

    Raises:
        ValueError: if the criterion needs initial values that were neither
            given nor kept.
    """
    initial = record.state.get(INITIAL_VALUES)
    if given is not None:
        initial = given.get(record.path)
    if criterion.needs_initial and initial is None:
        raise ValueError(
            f"The criterion {name!r} needs the initial values of the weights. "
            f"Received: {record.path!r}, for which they were neither passed "
            "nor kept. Pass initial=snapshot, of a model of the same layer "
            "names, or call tf_rigl.sparsify(..., options="
            "tf_rigl.SparsifyOptions(keep_initial_values=True))."
        )
    if initial is not None:
        initial = tf.convert_to_tensor(initial, record.dtype)

    return criteria.Evidence(
        final=record.values(),
        initial=initial,
        seed=functools.partial(stateless_seed, seed, record.key),
        candidates=record.mask,
        **derivatives,
    )


def _scores(
    contest: Contest,
    name: Any,
    criterion: Criterion,
    evidence: Mapping[str, criteria.Evidence],
) -> list[tf.Tensor]:
    """Returns the scores of a contest's weights, compared by magnitude."""
    of_weights = [evidence[record.path] for record in contest.records]
    if not criterion.ranked or contest.scope != "global":
        return [
            _score(record, name, criterion, one)
            for record, one in zip(contest.records, of_weights, strict=True)
        ]

    # Ranks compare within one tensor only.
    fields = {
        field: [getattr(one, field) for one in of_weights]
        for field in criteria.Evidence._fields
        if tf.is_tensor(getattr(of_weights[0], field))
    }
    together = criteria.Evidence(
        **{
            field: tf.concat([tf.reshape(one, [-1]) for one in tensors], 0)
            for field, tensors in fields.items()
        }
    )
    flat = tf.split(
        criterion.score(together), [record.size for record in contest.records]
    )
    return [
        tf.reshape(scores, record.shape)
        for scores, record in zip(flat, contest.records, strict=True)
    ]


def _score(
    record: MaskedWeight,
    name: Any,
    criterion: Criterion,
    evidence: criteria.Evidence,
) -> tf.Tensor:
    """Returns the scores of a weight, to be ranked by their magnitude.

    Raises:
        ValueError: if they have a wrong shape or dtype or are not finite.
    """
    score = criterion.score(evidence)
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
            f"shape {record.shape} by the criterion {name!r}. Declare inputs "
            "other than `final`: Criterion(score, derivative='gradient', "
            "needs_initial=True)."
        )


def _check_structures(records: list[MaskedWeight], scope: str) -> None:
    for record in records:
        if scope == "global" and record.layout is not None:
            raise ValueError(
                "Global pruning ranks single weights, so it needs masks "
                f"without a structure. Received: {record.structure} on "
                f"{record.path!r}. Pass scope='weight'."
            )


def _keep_largest(contest: Contest, scores: list[tf.Tensor]) -> None:
    """Prunes the weights of a contest and allots them what stays."""
    records = contest.records
    updates = pruning.keep_largest(
        [StepWeight.without_gradient(one).as_view() for one in records],
        [
            record.view(score)
            for record, score in zip(records, scores, strict=True)
        ],
        contest.counts,
        contest.scope,
    )
    for record, update in zip(records, updates, strict=True):
        record.set_mask(record.unview(update.masks.mask))
        if contest.allots:
            record.set_target(record.num_active())
