"""What a source of inputs says of one of them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Given:
    """One value as it was written: its text, where it stands (for messages), and what relative paths start from.

    Attributes:
        problem: why the source could not take it as a text. Empty when it could.
        needed_by: inputs of which each, when true, forbids that the text is empty.
    """

    text: str
    where: str
    base: Path
    problem: str = ""
    needed_by: tuple[str, ...] = ()
