"""Reads files in the program folder, ignored or not."""

import os
from pathlib import Path

from model_dockerize.inside import OutsideError, read_bytes, resolved, why_unread
from model_dockerize.program.problems import Problems


def content(root: Path, name: str, problems: Problems) -> bytes | None:
    """Read a small file; None if missing, or with a problem if unreadable."""
    path = root / name
    try:
        if not os.path.lexists(path) or resolved(path, root).is_dir():
            return None
        return read_bytes(path, root)
    except FileNotFoundError:  # a link to nothing
        return None
    except (OSError, OutsideError) as error:
        problems.wrong_folder(f"{name} cannot be read: {why_unread(error)}.")
        return None


def text(root: Path, name: str, problems: Problems, errors: str = "strict") -> str | None:
    found = content(root, name, problems)
    try:
        return None if found is None else found.decode("utf-8-sig", errors)
    except UnicodeDecodeError:
        problems.wrong_folder(f"{name} cannot be read: it is not UTF-8 text.")
        return None
