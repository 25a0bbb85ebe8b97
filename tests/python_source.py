"""Reads the imports of Python files without running them."""

import ast
import pathlib
from collections.abc import Iterator
from typing import NamedTuple


class Import(NamedTuple):
    name: str  # dotted: "a.b" for `import a.b`, "a.b.c" for `from a.b import c`
    line: int
    typing_only: bool  # under `if TYPE_CHECKING:`, so never at run time


def parse(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def find_imports(path: pathlib.Path, root: pathlib.Path) -> list[Import]:
    """Lists the imports anywhere in a file, in functions too.

    A call of `import_module` with a literal name counts as an import.

    Args:
        path: The file.
        root: The folder from which our own modules are imported.

    Returns:
        The imports, each with an absolute name.
    """
    package = path.relative_to(root).parent.parts
    return list(_walk(parse(path), package, typing_only=False))


def resolve_module(name: str, root: pathlib.Path) -> pathlib.Path | None:
    """Finds the file under `root` that an import means.

    The last parts of the name may be attributes of a module, so the longest
    prefix that is a module counts.

    Args:
        name: Dotted name, as in `Import.name`.
        root: The folder from which our own modules are imported.

    Returns:
        The file, or `None` for a module of somebody else.
    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        stem = root.joinpath(*parts[:length])
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def _walk(
    node: ast.AST, package: tuple[str, ...], typing_only: bool
) -> Iterator[Import]:
    for name in _names(node, package):
        yield Import(name, getattr(node, "lineno", 0), typing_only)
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.body:
            yield from _walk(statement, package, typing_only=True)
        for statement in node.orelse:
            yield from _walk(statement, package, typing_only)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, typing_only)


def _names(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        # One dot is the file's own package, each further dot the one above.
        base = package[: len(package) + 1 - node.level] if node.level else ()
        module = (*base, node.module) if node.module else base
        return [".".join((*module, alias.name)) for alias in node.names]
    if isinstance(node, ast.Call) and _last_name(node.func) == "import_module":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return [first.value]
    return []


def _is_type_checking(test: ast.expr) -> bool:
    return _last_name(test) == "TYPE_CHECKING"


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
