"""Names of images."""

import hashlib
import re
import unicodedata

from model_dockerize.patterns import REFERENCE
from model_dockerize.progress import Progress

_MADE_UP, _DIGITS = 128, 8  # characters of a name that is made up, and of a hash in it
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})


def is_reference(text: str) -> bool:
    return REFERENCE.regex.fullmatch(text) is not None


def legal_name(text: str) -> str:
    """Return the nearest legal image name, unique by a hash where letters are lost."""
    return _legal(text)[0]


def _legal(text: str) -> tuple[str, bool]:
    composed = unicodedata.normalize("NFC", text)
    folded = composed.lower().translate(_GERMAN)
    plain = [unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode() for char in folded]
    name = re.sub(r"[^a-z0-9]+", "-", "".join(plain)).strip("-")
    lost = any(char.isalnum() and not kept for char, kept in zip(folded, plain, strict=True))
    if name and not lost and len(name) <= _MADE_UP:
        return name, True
    digits = hashlib.sha256(composed.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: _MADE_UP - 1 - _DIGITS].strip('-') or 'model'}-{digits}", False


def made_up_name(folder_name: str, progress: Progress) -> str:
    name, says_all = _legal(folder_name)
    if not says_all:
        progress.warning(
            f"The image is called {name}, as no image can be called {folder_name!r} like the folder. "
            "image-name says a better one."
        )
    return name
