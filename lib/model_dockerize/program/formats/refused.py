"""Refuses files of tools that cannot be installed from."""

from model_dockerize.program.formats import pixi
from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import Packages

_LOCK = "conda-lock.yml"
FILES = (_LOCK, pixi.FILE)


def read(folder: Folder) -> Packages | None:
    if _LOCK in folder.texts:
        raise UnusableError(
            f"{_LOCK} says which packages the program needs, and is not read. Name the environment.yml that it was "
            "made from with requirements-file; or, if the base image or the init script brings the packages, set "
            "`requirements-file: none`."
        )
    if pixi.FILE in folder.texts:  # and no lock, which would have been read before
        raise UnusableError(f"{pixi.FILE} is not locked: run `pixi lock`. The lock is installed from.")
    return None
