"""Names of images, after the reference grammar of the container registries (the `distribution` project's)."""

import hashlib
import re
import unicodedata

from model_dockerize.program.problems import Problems
from model_dockerize.progress import Progress

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_NAME = rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
_NAME_LIMIT = 255
_MADE_UP, _DIGITS = 128, 8  # characters of a name that is made up, and of a hash in it
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})


def is_reference(text: str) -> bool:
    """Tell whether `text` is a whole reference: name, and maybe a tag and a digest."""
    return re.fullmatch(rf"{_NAME}(?::{_TAG})?(?:@{_DIGEST})?", text) is not None


def legal_name(text: str) -> str:
    """Return the nearest legal image name: `Größen Modell 2` becomes `groessen-modell-2`.

    A text of which letters are lost, or the end, gets a few digits of its hash: no other one has that name.
    """
    return _legal(text)[0]


def _legal(text: str) -> tuple[str, bool]:
    """Return a legal name, and whether it says all that the text says."""
    composed = unicodedata.normalize("NFC", text)
    folded = composed.lower().translate(_GERMAN)
    plain = [unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode() for char in folded]
    name = re.sub(r"[^a-z0-9]+", "-", "".join(plain)).strip("-")
    lost = any(char.isalnum() and not kept for char, kept in zip(folded, plain, strict=True))
    if name and not lost and len(name) <= _MADE_UP:
        return name, True
    digits = hashlib.sha256(composed.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: _MADE_UP - 1 - _DIGITS].strip('-') or 'model'}-{digits}", False


def image_name(setting: str, folder_name: str, problems: Problems, progress: Progress) -> str:
    """Return the setting if there is one, else a name made of the folder's."""
    if not setting:
        name, says_all = _legal(folder_name)
        if not says_all:
            progress.warning(
                f"The image is called {name}, as no image can be called {folder_name!r} like the folder. "
                "image-name says a better one."
            )
        return name
    if re.fullmatch(_NAME, setting) and len(setting) <= _NAME_LIMIT:
        return setting
    if is_reference(setting):
        problems.wrong_input(f"image-name {setting!r} holds a tag or digest; the tag is the input image-version.")
    else:
        problems.wrong_input(
            f"image-name {setting!r} is no legal image name (lower-case letters, digits, single . _ - between them); "
            f"{legal_name(setting)!r} would be."
        )
    return legal_name(setting)


def image_version(setting: str, problems: Problems) -> str:
    """Return the setting, or `latest`."""
    if setting and not re.fullmatch(_TAG, setting):
        problems.wrong_input(
            f"image-version {setting!r} is no legal tag (letters, digits, . _ -, at most 128, first one no . or -)."
        )
    return setting or "latest"
