"""Reads renv.lock, which renv restores during the build."""

import re

from model_dockerize.program.formats.folder import Folder, UnusableError, table, tables
from model_dockerize.program.types import Packages

LOCK = "renv.lock"
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+=https?://(?![!-~]*[@\"'\\$])[!-~]+")


def read(folder: Folder) -> Packages | None:
    """Restore the lock, unless an init script does."""
    if LOCK not in folder.texts or folder.has_init_script:
        return None
    lock = folder.json(LOCK)
    language = table(lock.get("R", {}), LOCK, "R")
    version = str(language.get("Version", ""))
    if not _VERSION.fullmatch(version):
        raise UnusableError(f"{LOCK} names no version of R: run `renv::snapshot()`.")
    listed = tables(language.get("Repositories", []), LOCK, "Repositories")
    repositories = [f"{one.get('Name')}={one.get('URL')}" for one in listed]
    if not all(map(_REPOSITORY.fullmatch, repositories)):
        raise UnusableError(f"{LOCK}: a repository has no name, or no http address without credentials.")
    return Packages(source=LOCK, exact=True, renv=(LOCK, *repositories), base_image=f"rocker/r-ver:{version}")
