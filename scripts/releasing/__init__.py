"""Make a release of this repository. Standard library only: it runs before anything is installed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ReleaseError(Exception):
    """Says why the release cannot be made, and what to do next."""
