import textwrap

from tests import python_source


def test_imports_of_every_form(tmp_path):
    path = tmp_path / "tf_rigl/core/mask.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        textwrap.dedent(
            """
            import a.b, c as d
            from e.f import g
            from . import h
            from ..i import j
            if typing.TYPE_CHECKING:
                import k
            else:
                import l
            def function():
                from m import n
                importlib.import_module("o.p")
            """
        )
    )
    found = python_source.find_imports(path, tmp_path)
    names = "a.b c e.f.g tf_rigl.core.h tf_rigl.i.j k l m.n o.p".split()
    assert [imported.name for imported in found] == names
    assert [imported.name for imported in found if imported.typing_only] == [
        "k"
    ]
