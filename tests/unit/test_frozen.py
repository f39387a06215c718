"""Stages take and give frozen values (docs/architecture.md): nobody changes what another was given."""

import re
from collections.abc import Iterator
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "lib" / "model_dockerize"
_DATACLASS = re.compile(r"^ *@dataclass(\([^)\n]*\))?\n(?: *@.*\n)* *class (\w+)", re.MULTILINE)
#: These collect while something goes on, and are handed to no stage.
COLLECT = {"Checks", "Pace", "_Vertex", "Section"}


def open_dataclasses() -> Iterator[str]:
    """Yield the names of dataclasses that are not frozen."""
    for path in LIB.rglob("*.py"):
        for given, name in _DATACLASS.findall(path.read_text(encoding="utf-8")):
            if "frozen=True" not in given:
                yield name


def test_what_stages_hand_on_is_frozen() -> None:
    assert set(open_dataclasses()) == COLLECT
