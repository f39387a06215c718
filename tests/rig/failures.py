"""Failures as tools printed them (tests/unit/image/failures), and the sentence and remedy of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from model_dockerize.image import diagnose_program
from model_dockerize.image.causes import diagnose

if TYPE_CHECKING:
    from model_dockerize.image.causes import Diagnosis

FOLDER = Path(__file__).resolve().parents[1] / "unit/image/failures"
STEP = "[stage-0 2/9] RUN install"
_HEADINGS = {
    "uv": "By uv",
    "pip": "By pip",
    "rattler": "By py-rattler, of conda's packages",
    "renv": "By renv, of R's packages",
    "program": "By programs",
}
_WIDEST = 200  # characters of a line that is shown
_INTRODUCTION = """# What is said of failures

Made by `scripts/generate` from what these tools and programs really printed (`tests/unit/image/failures`).
Of each failure there are three lines: what happened, what to do, and the line that tells. The log shows more around it.
"""


def recorded() -> list[str]:
    """Return the names of all failures, CASE.TOOL."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def lines_of(name: str) -> list[str]:
    """Return what was printed."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def cause_of(name: str) -> Diagnosis:
    """Return what is said of a failure."""
    lines = lines_of(name)
    return diagnose_program(lines) if name.endswith(".program") else diagnose(STEP, lines)


def document() -> str:
    """Return docs/failures.md."""
    parts = [_INTRODUCTION]
    for tool, heading in _HEADINGS.items():
        parts.append(f"## {heading}\n")
        parts += [_shown(name) for name in recorded() if name.endswith(f".{tool}")]
    return "\n".join(parts)


def _shown(name: str) -> str:
    cause = cause_of(name)
    lines = [cause.sentence or "(the tool's own words)", f"Next: {cause.remedy}", cause.line[:_WIDEST].strip()]
    return "\n".join(("```text", f"{name.rpartition('.')[0]}:", *(f"  {line}" for line in lines), "```", ""))
