"""Names of images, after the reference grammar of the container registries (the `distribution` project's)."""

import re
import unicodedata

from model_dockerize.program.problems import Problems

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_NAME = rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
_NAME_LIMIT = 255
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})


def is_reference(text: str) -> bool:
    """Whether `text` is a whole reference: name, and maybe a tag and a digest."""
    return re.fullmatch(rf"{_NAME}(?::{_TAG})?(?:@{_DIGEST})?", text) is not None


def legal_name(text: str) -> str:
    """The nearest legal image name: `Größen Modell 2` becomes `groessen-modell-2`."""
    folded = unicodedata.normalize("NFC", text).lower().translate(_GERMAN)
    ascii_only = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:128].strip("-") or "model"


def image_name(setting: str, folder_name: str, problems: Problems) -> str:
    """The setting if there is one, else a name made of the folder's."""
    if not setting:
        return legal_name(folder_name)
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
    """The setting, or `latest`."""
    if setting and not re.fullmatch(_TAG, setting):
        problems.wrong_input(
            f"image-version {setting!r} is no legal tag (letters, digits, . _ -, at most 128, first one no . or -)."
        )
    return setting or "latest"
