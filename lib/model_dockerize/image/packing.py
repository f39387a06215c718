"""Unpacks plain, gzipped and zstandard archives."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from model_dockerize.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: What reading a damaged file raises. A cut one ends too early (EOFError), a changed one has a wrong checksum.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError)


def packing(path: Path) -> str:
    """Return "gzip", "zstd" or "tar"."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"The archive {path} cannot be read: {error.strerror or error}", "Check the path.") from error
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    if head[257:262] == b"ustar":
        return "tar"
    raise InputError(
        f"{path} is no archive of an image: neither gzip nor zstd nor tar.", "Name a file that `docker save` wrote."
    )


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Yield the file's tar, to be read once. May raise DAMAGED while reading."""
    kind = packing(path)
    if kind == "gzip":
        with gzip.open(path, "rb") as stream:
            yield cast("IO[bytes]", stream)
    elif kind == "zstd":
        with zstd.open(path, "rb") as stream:
            yield cast("IO[bytes]", stream)
    else:
        with path.open("rb") as file:
            yield file
