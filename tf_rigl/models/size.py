"""How large the networks are, the same for all builders."""


def check_size(classes: int, width: float) -> None:
    """Checks the number of classes and the width multiplier of a network.

    Raises:
        ValueError: if one of them is not positive.
    """
    if not width > 0:
        raise ValueError(
            f"`width` must be greater than 0. Received: width={width}."
        )
    if classes < 1:
        raise ValueError(
            f"`classes` must be positive. Received: classes={classes}."
        )


def check_fraction(name: str, value: float) -> None:
    """Checks the fraction that a dropout layer drops.

    Raises:
        ValueError: if it is not in [0, 1).
    """
    if not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be in [0, 1). Received: {name}={value}."
        )


def narrow(units: int, width: float) -> int:
    """Units of a layer, multiplied by a width and at least 1."""
    return max(1, round(width * units))
