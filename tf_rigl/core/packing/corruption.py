"""The error raised for damaged packed data."""


class CorruptDataError(ValueError):
    """Raised if packed data cannot have been written by the encoder."""


def check(holds: bool, rule: str, received: str) -> None:
    """Raises a `CorruptDataError` that names the rule unless `holds`."""
    if not holds:
        raise CorruptDataError(
            f"{rule} Received: {received}. The data are damaged or cut off; "
            "export the model again."
        )
