"""The epochs that a sparse network has for the cost of a dense training."""

from tf_rigl.accounting import model_profile
from tf_rigl.core import checks


def scratch_epochs(
    profile: model_profile.ModelProfile,
    epochs: int,
    at_most: int | None = None,
    *,
    large: model_profile.ModelProfile | None = None,
) -> int:
    """Returns the epochs of scratch-B: the budget of a dense training.

    A sparse network that is trained from scratch as many epochs as the dense
    one (scratch-E) costs less. Scratch-B trains it for the FLOPs of the dense
    training: floor(epochs · dense FLOPs / FLOPs) epochs, computed exactly.

    Args:
        profile: the costs of the sparse or narrow network,
            `tf_rigl.profile(model)`.
        epochs: epochs of the dense training, at least 1.
        at_most: a limit on the result; none by default.
        large: the costs of the network whose training is the budget, where
            channels were removed from it; by default the sparse network
            without its zeros.

    Returns:
        Epochs, at least `epochs` unless `at_most` is smaller.

    Raises:
        TypeError: if `epochs` or `at_most` is not an integer.
        ValueError: if one of them is below 1, or the network has no FLOPs.

    Example:
        >>> model = tf_rigl.sparsify(model, 0.9, distribution="uniform")
        >>> scratch_epochs(tf_rigl.profile(model), epochs=10)
        100

    Reference: Liu et al., "Rethinking the Value of Network Pruning", ICLR 2019,
    arXiv:1810.05270, section 3.
    """
    checks.check_positive("epochs", epochs)
    if at_most is not None:
        checks.check_positive("at_most", at_most)
    if not profile.flops:
        raise ValueError(
            "A network must have FLOPs to have epochs for a budget of them. "
            f"Received: profile of {profile.name!r} with flops=0. Profile a "
            "network with connections whose layers can be counted."
        )

    budget = profile.dense_flops if large is None else large.flops
    afforded = epochs * budget // profile.flops
    return afforded if at_most is None else min(afforded, at_most)
