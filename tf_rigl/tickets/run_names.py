"""Names of the folders of levels and controls."""

import re
from typing import NamedTuple

_CONTROL = "control_"
_OF_CONTROL = re.compile(rf"{_CONTROL}(\w+)_(\d{{2,}}?)(_keep_sign)?_(\d+)")


class ControlName(NamedTuple):
    """What the name of a control tells."""

    how: str
    level: int
    keep_sign: bool
    draw: int


def level(number: int) -> str:
    """Returns the name of a level, such as `"level_03"`."""
    return f"level_{number:02d}"


def control(name: ControlName) -> str:
    """Returns the name of a control, such as `"control_reinit_09_0"`."""
    sign = "_keep_sign" if name.keep_sign else ""
    return f"{_CONTROL}{name.how}_{name.level:02d}{sign}_{name.draw}"


def is_control(name: str) -> bool:
    """Returns whether a folder is that of a control."""
    return name.startswith(_CONTROL)


def read_control(name: str) -> ControlName:
    """Returns what the name of a control tells.

    Raises:
        ValueError: if it is not the name of a control.
    """
    found = _OF_CONTROL.fullmatch(name)
    if found is None:
        raise ValueError(
            "A control must be named as `TicketSearch` does it, such as "
            f"control_reinit_09_0. Received: {name!r}."
        )
    how, number, sign, draw = found.groups()
    return ControlName(how, int(number), bool(sign), int(draw))
