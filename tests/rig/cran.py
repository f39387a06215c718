"""A repository like CRAN, with one package in two versions: the older one only in its archive."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE, OLDER, NEWEST = "rows", "1.0", "2.0"
_DESCRIPTION = """Package: rows
Version: {version}
Title: Rows
Description: Says its version.
Author: Somebody
Maintainer: Somebody <somebody@example.com>
License: MIT
"""


def make(folder: Path) -> Path:
    """Write the repository."""
    contrib = folder / "src/contrib"
    for version, place in ((OLDER, contrib / "Archive" / PACKAGE), (NEWEST, contrib)):
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{PACKAGE}_{version}.tar.gz").write_bytes(_packed(version))
    (contrib / "PACKAGES").write_text(f"Package: {PACKAGE}\nVersion: {NEWEST}\nLicense: MIT\nNeedsCompilation: no\n")
    return folder


def _packed(version: str) -> bytes:
    files = {
        "DESCRIPTION": _DESCRIPTION.format(version=version),
        "NAMESPACE": "export(rows)\n",
        "R/rows.R": "rows <- function() 'rows'\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            header = tarfile.TarInfo(f"{PACKAGE}/{name}")
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text.encode()))
    return packed.getvalue()
