"""Stages take and give frozen values (docs/architecture.md): nobody changes what another was given."""

import ast
from collections.abc import Iterator
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "lib" / "model_dockerize"
#: These collect while something goes on, and are handed to no stage.
COLLECT = {"Checks", "Pace", "_Vertex", "Section"}


def open_dataclasses() -> Iterator[str]:
    """Yield the names of dataclasses that are not frozen."""
    for path in LIB.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "@dataclass" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                words = ast.unparse(decorator)
                if words.startswith("dataclass") and "frozen=True" not in words:
                    yield node.name  # type: ignore[attr-defined]


def test_what_stages_hand_on_is_frozen() -> None:
    assert set(open_dataclasses()) == COLLECT
