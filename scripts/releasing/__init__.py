"""Make a release of this repository. Standard library only: it runs before anything is installed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ReleaseError(Exception):
    """The release cannot be made; the text says why, and what to do next."""
