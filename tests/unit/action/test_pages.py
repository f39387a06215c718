"""The pages that people open when something is wrong: complete, and without dead ends."""

import re
from pathlib import Path

import pytest

from model_dockerize import errors

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_exit_code_is_explained() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([0-9]+) \| ([a-z-]+) \|", page, re.MULTILINE))
    assert rows == {str(kind.exit_code): kind.kind for kind in kinds}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
