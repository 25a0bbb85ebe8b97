"""The error that damaged data answers with."""


class CorruptDataError(ValueError):
    """Packed data that cannot be what was written."""


def check(holds: bool, rule: str, received: str) -> None:
    """Raises a `CorruptDataError` unless data hold to a rule."""
    if not holds:
        raise CorruptDataError(
            f"{rule} Received: {received}. The data are damaged or cut off; "
            "export the model again."
        )
