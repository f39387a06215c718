"""Lines for people, wrapped on a terminal only."""

from typing import TextIO

from rich.console import Console
from rich.text import Text

_NARROWEST = 20  # characters that a line has in any case


class Sheet:
    """Prints untrusted texts: they are no markup, and never move the cursor."""

    def __init__(self, file: TextIO) -> None:
        self.console = Console(file=file, highlight=False, emoji=False, markup=False, soft_wrap=True)

    def row(self, head: str, text: str, head_style: str = "", text_style: str = "", indent: int | None = None) -> None:
        """Print a row; `indent`: where further lines begin, if not below the text."""
        whole = Text.assemble((printable(head), head_style), " " if text else "", (printable(text), text_style))
        whole.expand_tabs(4)
        if not self.console.is_terminal:
            self.console.print(whole)
            return
        inset = Text(head).cell_len + 1 if indent is None else indent
        first, *rest = whole.wrap(self.console, self.console.width) or [whole]
        self.console.print(first)
        if rest:
            more = whole[len(first.plain.rstrip()) :]
            more = more[len(more.plain) - len(more.plain.lstrip()) :]
            for line in more.wrap(self.console, max(self.console.width - inset, _NARROWEST)):
                self.console.print(Text.assemble(" " * inset, line))

    def line(self, text: str, style: str = "") -> None:
        """Print a line unwrapped: an address must stay whole."""
        self.console.print(Text(printable(text), style))


def printable(text: str) -> str:
    """Remove control characters, which could redraw the terminal; lines stay apart."""
    return "".join(char for char in text.replace("\n", " ") if char.isprintable() or char == "\t")


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
