"""One thing in AWS that is ours, and how it is removed."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Thing:
    """Something that may go. `remove` may be called again after it failed half way."""

    kind: str
    name: str
    remove: Callable[[], object] = field(repr=False, compare=False)
    ids: frozenset[str] = frozenset()  # by which others name it, or what is in it

    def __str__(self) -> str:
        """`service iris`."""
        return f"{self.kind} {self.name}"
