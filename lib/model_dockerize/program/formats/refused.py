"""Names the files of tools whose packages cannot be installed: an image without them would be built for nothing."""

from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import Packages

FILES = ("conda-lock.yml",)


def read(folder: Folder) -> Packages | None:
    """Refuse the first of these files.

    Raises:
        UnusableError: one is there.
    """
    for name in FILES:
        if name in folder.texts:
            raise UnusableError(
                f"{name} says which packages the program needs, and is not read. Name the environment.yml that it was "
                "made from with requirements-file; or, if the base image or the init script brings the packages, set "
                "`requirements-file: none`."
            )
    return None
