"""The documentation's pictures: all are shown with words for who cannot see them, and none is large."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LARGEST = 120_000  # bytes
ROW = 24.4  # height of a line in a terminal's picture


def test_every_picture_is_shown_with_words_and_every_shown_one_is_there() -> None:
    shown = [
        found
        for page in PAGES
        for found in re.findall(r"!\[([^\]]*)\]\([a-z/]*pictures/([^)]+)\)", page.read_text("utf-8"))
    ]
    assert [name for words, name in shown if not words] == []
    assert {name for _, name in shown} == {path.name for path in PICTURES.iterdir()}


def test_no_picture_is_large() -> None:
    assert {path.name: size for path in PICTURES.iterdir() if (size := path.stat().st_size) > LARGEST} == {}


def test_each_page_is_seen_on_a_desktop_a_phone_and_in_the_dark() -> None:
    text = (ROOT / "docs" / "pages.md").read_text("utf-8")
    for state in ("dashboard", "add-job", "jobs", "running", "failed", "complete", "table", "plot", "swagger"):
        for look in ("desktop", "phone", "dark"):
            assert f"(pictures/page-{state}-{look}.png)" in text


def lines(name: str) -> int:
    """Count the lines that a terminal shows, from the one below the command to the last that has words."""
    picture = (PICTURES / f"terminal-{name}.svg").read_text("utf-8")
    places = [float(y) for y in re.findall(r'<text class="terminal-\d+-r\d+" x="[\d.]+" y="([\d.]+)"[^>]*>.', picture)]
    return round((max(places) - min(places)) / ROW)


def test_the_counts_of_lines_are_those_of_the_pictures() -> None:
    text = (ROOT / "docs" / "terminal.md").read_text("utf-8")
    counts = {
        name: (int(narrow), int(wide))
        for name, narrow, wide in re.findall(
            r"^\| \[[^\]]+\]\(#[^)]+\) `([a-z-]+)` \| .* \| (\d+) \| (\d+) \|$", text, re.MULTILINE
        )
    }
    assert set(counts) == {"deployed", "unchanged", "build-failed", "rolled-back"}
    for name, found in counts.items():
        assert found == (lines(f"{name}-80"), lines(f"{name}-100")), name
