"""The terminal of the rig: what a person sees at the end of a command that draws and erases."""

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from tests.rig.terminal import Screen, written

DRAWN = "one\r\n\x1b[?25l\x1b[1mtwo\x1b[0m\r\nthree\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[?25h"


def seen(pieces: list[str], columns: int = 80) -> list[str]:
    screen = Screen()
    for piece in pieces:
        screen.feed(piece)
    return [line.plain for line in screen.lines(columns)]


def test_what_was_erased_is_gone_wherever_the_pieces_end() -> None:
    for size in range(1, len(DRAWN) + 1):
        pieces = [DRAWN[at : at + size] for at in range(0, len(DRAWN), size)]
        assert seen(pieces) == ["one", "done"], size


def test_a_long_line_is_as_many_as_the_terminal_makes_of_it() -> None:
    assert seen(["a" * 20 + "\nb"], columns=10) == ["a" * 10, "a" * 10, "b"]


def test_what_rich_left_of_a_live_display_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=io.StringIO(), force_terminal=True, width=40)
    with Live(console=console) as live:
        for count in range(5):
            live.update(f"step {count}\nof five", refresh=True)
        live.console.print("above")
    assert seen([console.file.getvalue()]) == ["above", "step 4", "of five"]


@pytest.mark.parametrize("columns", [80, None])
def test_a_command_is_in_a_terminal_or_not(tmp_path: Path, columns: int | None) -> None:
    program = "import os, sys; print(sys.stdout.isatty() and os.get_terminal_size().columns)"
    said = written((sys.executable, "-c", program), tmp_path, os.environ, columns)
    assert "".join(said).split() == [str(columns or False)]


def test_another_exit_code_than_the_expected_one_is_told_with_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        list(written(("sh", "-c", "echo no such thing; exit 3"), tmp_path, os.environ, 80))
