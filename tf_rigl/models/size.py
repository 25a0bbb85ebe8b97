"""Checks and scaling of layer sizes, shared by all builders."""

from collections.abc import Sequence


def check_size(classes: int, width: float) -> None:
    """Raises a ValueError unless `classes` and `width` are positive."""
    if not width > 0:
        raise ValueError(
            f"`width` must be greater than 0. Received: width={width}."
        )
    if classes < 1:
        raise ValueError(
            f"`classes` must be positive. Received: classes={classes}."
        )


def check_fraction(name: str, value: float) -> None:
    """Raises a ValueError unless `value` is a dropout rate in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be in [0, 1). Received: {name}={value}."
        )


def check_units(hidden_units: Sequence[int]) -> None:
    """Raises a ValueError unless all widths of layers are positive."""
    if any(units < 1 for units in hidden_units):
        raise ValueError(
            "All `hidden_units` must be positive. "
            f"Received: hidden_units={tuple(hidden_units)}."
        )


def narrow(units: int, width: float, least: int = 1) -> int:
    """Scales a layer's units by `width`, but not below min(units, least)."""
    return max(min(units, least), round(width * units))


def given_filters(
    widths: Sequence[int] | None, usual: Sequence[int], width: float
) -> list[int]:
    """Returns the filters of all convolutions, in the order of the layers.

    Args:
        widths: numbers that replace the usual ones, before `width`, or None.
        usual: the numbers of the network as published, after `width`.
        width: the multiplier of given numbers.

    Raises:
        ValueError: if there are more or fewer `widths` than convolutions, or
            one is not positive.
    """
    if widths is None:
        return list(usual)
    widths = tuple(widths)
    if len(widths) != len(usual) or min(widths) < 1:
        raise ValueError(
            f"`widths` must be {len(usual)} positive numbers, one for each "
            f"convolution but those of shortcuts. Received: {len(widths)} "
            f"numbers, widths={widths}."
        )
    return [narrow(one, width) for one in widths]


def check_sums(
    filters: Sequence[int], size: int, numbers: Sequence[int]
) -> None:
    """Raises a ValueError unless all blocks of a stage can be summed up.

    Args:
        filters: those of all convolutions of all blocks.
        size: the number of convolutions in a block.
        numbers: the number of blocks in each stage.
    """
    ends = list(filters[size - 1 :: size])
    for stage, number in enumerate(numbers, start=1):
        own, ends = ends[:number], ends[number:]
        if len(set(own)) > 1:
            raise ValueError(
                "The last convolutions of all blocks of a stage must have "
                "the same number of filters, since they are added up. "
                f"Received: {own} in stage {stage}. Make these equal."
            )
