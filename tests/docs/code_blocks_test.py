import pytest

from tests.docs import code_blocks

PAGE = """# A page

<!-- with: model; keras: keras -->
```python
print(model)
```

prints

<!-- prints -->
```
m
```

1. In a list:

   ```python
   raise RuntimeError(keras)
   ```

```shell
bin/test
```
"""


@pytest.fixture(name="page")
def page_fixture(tmp_path, monkeypatch):
    monkeypatch.setattr(code_blocks, "ROOT", tmp_path)
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_blocks_are_found(page):
    first, second, third = code_blocks.find_blocks(page)
    assert first.name == "page.md:5"
    assert first.stand_ins == ("model",)
    assert first.flavors == ("keras",)
    assert first.prints == "m\n"
    assert second.text == "raise RuntimeError(keras)\n"
    assert second.flavors == code_blocks.FLAVORS
    assert second.prints is None
    assert third.language == "shell"
    assert code_blocks.python_blocks(page) == [first, second]


def test_what_is_printed_and_named(page):
    block = code_blocks.find_blocks(page)[0]
    names, printed = code_blocks.run_block(block, "keras", {"model": "m"})
    assert names["model"] == "m"
    assert printed == block.prints


def test_an_error_names_the_line_of_the_page(page):
    block = code_blocks.find_blocks(page)[1]
    with pytest.raises(RuntimeError) as error:
        code_blocks.run_block(block, "keras", {"keras": 1})
    assert error.traceback[-1].lineno + 1 == block.line == 18
    assert str(error.traceback[-1].path) == str(page)


def test_tf_keras_is_imported_as_keras(page):
    page.write_text("```python\nimport keras\n```\n", encoding="utf-8")
    (block,) = code_blocks.find_blocks(page)
    for flavor in code_blocks.FLAVORS:
        names, _ = code_blocks.run_block(block, flavor, {})
        assert names["keras"].__name__.split(".")[0] == flavor


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```python\n", "page.md:2: the block does not end"),
        ("<!-- wiht: x -->\n```python\n```\n", "unknown keys .'wiht'."),
    ],
)
def test_mistakes_of_a_page(page, text, error):
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        code_blocks.find_blocks(page)
