"""The runner of code blocks finds them, joins them and sees them fail."""

import pytest

from tests.docs import code_blocks

PAGE = """# A page

<!-- with: model; keras: keras -->
```python
print(model)
```

<!-- continues -->
```python
print(model, 2)
```

prints

<!-- prints -->
```
m
m 2
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
    """A page in a folder of its own."""
    monkeypatch.setattr(code_blocks, "ROOT", tmp_path)
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_blocks_are_found(page):
    blocks = code_blocks.find_blocks(page)
    assert [block.language for block in blocks] == [
        "python",
        "python",
        "",
        "python",
        "shell",
    ]
    assert blocks[0].name == "page.md:5"
    assert blocks[0].stand_ins == ("model",)
    assert blocks[3].text == "raise RuntimeError(keras)\n"


def test_a_block_goes_on_where_another_ended(page):
    first, second = code_blocks.join_continued(code_blocks.find_blocks(page))
    assert first.flavors == ("keras",)
    assert second.flavors == code_blocks.FLAVORS

    names, printed = code_blocks.run_block(first, "keras", {"model": "m"})
    assert names["model"] == "m"
    assert printed == code_blocks.expected_output(first) == "m\nm 2\n"
    assert code_blocks.expected_output(second) is None


def test_an_error_names_the_line_of_the_page(page):
    block = code_blocks.join_continued(code_blocks.find_blocks(page))[1]
    with pytest.raises(RuntimeError) as error:
        code_blocks.run_block(block, "keras", {"keras": 1})
    assert error.traceback[-1].lineno + 1 == block.line == 24
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
        ("<!-- continues -->\n```python\n```\n", "page.md:3 continues no"),
    ],
)
def test_mistakes_of_a_page(page, text, error):
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        code_blocks.join_continued(code_blocks.find_blocks(page))
