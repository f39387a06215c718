"""Names tools that a build fetches, before a missing index fails it."""

import configparser
from pathlib import Path

from model_dockerize.program import notebook
from model_dockerize.program.types import Packages
from model_dockerize.progress import Progress

_YES = ("1", "true", "yes", "on", "y", "t")


def tell(needs: Packages, entry: str, pip_config: Path | None, progress: Progress) -> None:
    """Report each tool, its purpose and source."""
    fetched = {"py-rattler": f"the packages of conda in {needs.source}"} if needs.conda else {}
    if entry.endswith(notebook.SUFFIX):
        fetched[" and ".join(notebook.NAMES)] = f"executing {entry}"
    for tool, purpose in fetched.items():
        progress.info(f"The build fetches {tool} from the package index, for {purpose}.")
        if _has_no_index(pip_config):
            progress.warning(
                f"pip-config says no-index: {tool} must be where find-links points, for {purpose}, or the build fails.",
                pip_config,
            )
    if needs.renv:
        progress.info(f"The build takes renv from the base image, else from a repository of {needs.source}.")


def _has_no_index(pip_config: Path | None) -> bool:
    parser = configparser.RawConfigParser()
    try:
        parser.read(pip_config or (), encoding="utf-8")
        said = [parser.get(section, "no-index", fallback="") for section in ("global", "install")]
    except (configparser.Error, UnicodeDecodeError):
        return False  # the build's tools say what is wrong with it
    return any(value.lower() in _YES for value in said)
