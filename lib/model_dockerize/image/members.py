"""Reads an archive's tar once, in bounded memory."""

import hashlib
import json
import posixpath
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from model_dockerize.errors import InputError

_LARGEST_DOCUMENT = 4 << 20  # bytes of one manifest or configuration; real ones have a few thousand
_DOCUMENTS = 64 << 20  # bytes of all of them that are kept
_MOST_MEMBERS = 20_000  # an image has 127 layers at most, and a few files for each
_MOST_HEADERS = 1 << 20  # bytes between two contents: a long name or a list of attributes, which tarfile keeps
_MOST_LOOKS = 10_000  # into documents: indexes may name each other many times over


class Members:
    """Findings of one pass over the tar."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.documents: dict[str, bytes] = {}  # small files that may be JSON
        self.problems: list[str] = []
        self.size = 0  # of all contents, in bytes
        self._parsed: dict[str, Any] = {}
        self._looks = 0

    def json(self, name: str) -> Any:
        """Return a parsed document; None: missing, or no JSON."""
        self._looks += 1
        if self._looks > _MOST_LOOKS:
            raise ValueError("its indexes name each other without end")
        if name not in self._parsed:
            try:
                self._parsed[name] = json.loads(self.documents[name])
            except (KeyError, ValueError, RecursionError):
                self._parsed[name] = None
        return self._parsed[name]

    def blob(self, digest: object) -> Any:
        """Return an OCI layout's document by its digest."""
        return self.json(f"blobs/{str(digest).replace(':', '/', 1)}")


def read(path: Path, stream: IO[bytes], largest: int) -> Members:
    """Read every member.

    Raises:
        tarfile.TarError: it is no tar.
    """
    found, bounded, kept = Members(), _Bounded(path, stream, largest), 0
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r|", errorlevel=2) as tar:
        while True:
            bounded.allow(_MOST_HEADERS)
            member = tar.next()
            bounded.allow(sys.maxsize)
            if member is None:
                return found
            name = posixpath.normpath(member.name)
            found.problems += _suspicious(member)
            if name in found.names and not member.isdir():
                found.problems.append(f"{name}: it is there twice")
            found.names.add(name)
            found.size += member.size
            if found.size > largest:
                raise _too_large(path, largest)
            if len(found.names) > _MOST_MEMBERS or len(found.problems) > _MOST_MEMBERS:
                raise InputError(f"The archive {path} has more than {_MOST_MEMBERS} members, and no image has.")
            file = tar.extractfile(member) if member.isfile() and not member.issparse() else None
            if file is None:
                continue
            text, digest = _document(file, member.size)
            if text is not None and kept + len(text) <= _DOCUMENTS:
                found.documents[name] = text
                kept += len(text)
            wanted = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.json", name)
            if wanted and digest not in wanted.groups():
                found.problems.append(f"{name}: its content is another one (sha256 {digest})")


class _Bounded:
    """A stream limited as a whole, and until the next `allow`."""

    def __init__(self, path: Path, stream: IO[bytes], largest: int) -> None:
        self._path, self._stream, self._largest = path, stream, largest
        self._total, self._allowed = 0, _MOST_HEADERS  # tarfile reads the first header at once

    def allow(self, size: int) -> None:
        self._allowed = size

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._total += len(chunk)
        self._allowed -= len(chunk)
        if self._total > self._largest:
            raise _too_large(self._path, self._largest)
        if self._allowed < 0:
            raise InputError(
                f"The archive {self._path} has names of more than {_MOST_HEADERS >> 20} MiB, and no image has.",
                "Nothing was loaded. Ask where it came from.",
            )
        return chunk


def _too_large(path: Path, largest: int) -> InputError:
    return InputError(
        f"What is packed in {path} has more than {largest / 1e9:.1f} GB: no service runs that.",
        "Nothing was loaded. Ask where it came from.",
    )


def _document(file: IO[bytes], size: int) -> tuple[bytes | None, str]:
    if size <= _LARGEST_DOCUMENT:
        content = file.read()
        digest = hashlib.sha256(content).hexdigest()
        return (content if content[:1] in (b"{", b"[") else None), digest
    return None, hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it needs only read()


def _suspicious(member: tarfile.TarInfo) -> Iterator[str]:
    name = member.name
    if name.startswith("/"):
        yield f"{name!r}: an absolute path"
    elif ".." in name.split("/"):
        yield f"{name!r}: a path that leads out of the archive"
    if member.issym() or member.islnk():
        start = posixpath.dirname(name) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(start, member.linkname))
        if target.startswith(("/", "../")) or target == "..":
            yield f"{name!r}: a link that leads out of the archive, to {member.linkname!r}"
    elif member.issparse():
        yield f"{name!r}: a file with holes"
    elif not (member.isfile() or member.isdir()):
        yield f"{name!r}: neither a file nor a folder nor a link, but a device or a pipe"
