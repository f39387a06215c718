"""Names the files of tools whose packages cannot be installed: an image without them would be built for nothing."""

from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import Packages

_OTHERWISE = "If the base image or the init script brings them, set `requirements-file: none`."
_RENV = "renv.lock"  # an init script is what restores it
_REMEDIES = {
    "conda-lock.yml": "Name the environment.yml that it was made from with requirements-file.",
    _RENV: "Restore it in an init script, on a base image of R: `Rscript -e 'renv::restore()'` (docs/base-images.md).",
}
FILES = tuple(_REMEDIES)


def read(folder: Folder) -> Packages | None:
    """Refuse the first of these files.

    Raises:
        UnusableError: one is there.
    """
    for name, remedy in _REMEDIES.items():
        if name in folder.texts and not (name == _RENV and folder.has_init_script):
            raise UnusableError(f"{name} says which packages the program needs, and is not read. {remedy} {_OTHERWISE}")
    return None
