"""Settings as another machine would have them."""

import dataclasses
from typing import Any

from tf_rigl.experiments.runs.settings import RunSettings

# Settings that are only valid on one machine, and their neutral values.
PORTABLE: dict[str, Any] = {"data_dir": None, "download": False, "tpu": ""}


def without_machine(settings: RunSettings) -> RunSettings:
    """Returns settings without those that are only valid on one machine."""
    return dataclasses.replace(settings, **PORTABLE)
