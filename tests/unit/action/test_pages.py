"""The pages that people open when something is wrong: complete, and without dead ends."""

import re
import signal
from pathlib import Path

import pytest

from model_dockerize import errors
from model_dockerize.cancel import Cancelled

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", ["troubleshooting", "exit-codes"])
def test_every_exit_code_is_explained(name: str) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    cancelled = {str(Cancelled(number).exit_code): "cancelled" for number in (signal.SIGINT, signal.SIGTERM)}
    page = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    rows = {
        code: kind
        for codes, kind in re.findall(r"^\| ([0-9, ]+) \| ([a-z-]+) \| \S", page, re.MULTILINE)
        for code in codes.split(", ")
    }
    assert rows == {str(kind.exit_code): kind.kind for kind in kinds} | cancelled


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_past_its_heading(page: Path) -> None:
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        if target.suffix == ".md":
            assert anchor in anchors(target), f"{name}#{anchor}"


def test_the_index_leads_to_every_page() -> None:
    index = set(re.findall(r"\]\(([a-z-]+\.md)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert index == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert "](docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
