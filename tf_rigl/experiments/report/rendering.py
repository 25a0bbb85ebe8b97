"""Rendering of the Jinja2 templates in this folder.

Requires Jinja2: call `optional_packages.check_report` before importing this
module.
"""

import os
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

import tf_rigl
from tf_rigl.backend import atomic_files


def write_page(
    template: str, content: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Renders a template to a file, which it replaces atomically.

    Values are escaped. The template also gets `version`, that of this library.

    Raises:
        OSError: if the file cannot be written.
    """
    # With `StrictUndefined`, a misspelled name is an error, not empty text.
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_source),
    )
    page = environment.get_template(template).render(
        content, version=tf_rigl.__version__
    )
    atomic_files.write_text(path, page + "\n")


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
