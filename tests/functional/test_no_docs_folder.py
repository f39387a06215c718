"""Hold that no text which an installed user sees names the docs folder: only a checkout has it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "lib"
TEMPLATES = (".j2", ".html", ".R", ".yml")


def texts(path: Path) -> Iterator[str]:
    """Yield the texts that a file may show: a template whole, of Python all texts but docstrings."""
    if path.suffix in TEMPLATES:
        yield path.read_text(encoding="utf-8")
        return
    tree = ast.parse(path.read_bytes())
    # A text that is a statement of its own is a docstring. Of a command, click shows it.
    silent = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and "model_dockerize/cli/" not in path.as_posix()
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def places() -> list[Path]:
    return sorted(path for path in LIB.rglob("*") if path.suffix in (".py", *TEMPLATES))


@pytest.mark.parametrize("room", sorted({path.relative_to(LIB).parts[0] for path in places()}))
def test_no_text_names_a_page_that_only_a_checkout_has(room: str) -> None:
    found = [
        f"{path.relative_to(LIB)}: {text}"
        for path in places()
        if path.relative_to(LIB).parts[0] == room
        for text in texts(path)
        if "docs/" in text and "https://" not in text
    ]
    assert found == []
