"""What a stage made, changed or left, as a value: the lines of a plan, and what a run says it did."""

from dataclasses import dataclass
from typing import Literal

Action = Literal["make", "change", "leave", "remove"]
_SIGNS = {"make": "+", "change": "~", "leave": "=", "remove": "-"}


@dataclass(frozen=True)
class Change:
    """One resource. `fields` are the names of what differs, never the values: those may be secret."""

    action: Action
    kind: str  # e.g. "log group"
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`+ role iris`, `~ service iris (desiredCount)`, `= cluster models`."""
        why = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{_SIGNS[self.action]} {self.kind} {self.name}{why}"
