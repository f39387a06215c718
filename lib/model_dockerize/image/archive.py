"""The downloadable form of an image: one `.docker.tar.gz` that `docker load -i` takes as it is."""

import gzip
import os
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from docker.errors import APIError

from model_dockerize.errors import EngineError, InputError
from model_dockerize.image.engine import Engine, connect
from model_dockerize.image.store import Image, inspect, tag
from model_dockerize.progress import Progress

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Archive:
    """A written archive. `tag` is the name under which `docker load -i` brings the image back."""

    path: Path
    tag: str  # "gx-images:t-<32 hex>"
    size: int  # bytes


def archive_tag(build_id: str) -> str:
    """The image's name inside its archive. Raises EngineError for an image that has no build id of 32 hex digits."""
    if not re.fullmatch(r"[0-9a-f]{32}", build_id):
        raise EngineError(
            f"The image has no build id of 32 hexadecimal digits (it has {build_id!r}), so its archive has no name.",
            "Build the image with model-dockerize.",
        )
    return f"gx-images:t-{build_id}"


def save(engine: Engine, image: Image, directory: Path, name: str, progress: Progress) -> Archive:
    """Writes `<name>_<6 hex>.docker.tar.gz` into `directory`; does nothing where it is there already.

    The file appears under its name only when it is whole. `name` is the model's; what no file name holds becomes "-".
    """
    saved_as = archive_tag(image.build_id)
    tag(engine, image, saved_as)
    path = directory / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}_{image.build_id[:6]}.docker.tar.gz"
    # The name inside the gzip header: it tells two contents apart, without unpacking one.
    inner = f"t-{image.build_id}.tar"
    if _inner_name(path) == inner:
        progress.info(f"The archive {path} is there already and holds this image.")
        return Archive(path, saved_as, path.stat().st_size)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(engine, saved_as, path, inner)
    except OSError as error:
        raise InputError(
            f"The archive {path} cannot be written: {error.strerror or error}",
            "Name a directory that is writable and has room for the image.",
        ) from error
    size = path.stat().st_size
    progress.info(f"Saved {saved_as} to {path} ({size / 1e6:.1f} MB).")
    return Archive(path, saved_as, size)


def load(engine: Engine, path: Path, progress: Progress) -> Image:
    """Brings the image of an archive, gzipped or plain, into the engine.

    Raises:
        InputError: there is no such file, or it is no archive of an image, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
            if not head.startswith(_GZIP) and head[257:262] != b"ustar":
                raise InputError(
                    f"{path} is no archive of an image: neither gzip nor tar.", "Name a file that `docker save` wrote."
                )
            file.seek(0)
            ref = _load(engine, file, path)
    except OSError as error:
        raise InputError(f"The archive {path} cannot be read: {error.strerror or error}", "Check the path.") from error
    image = inspect(engine, ref)
    progress.info(f"Loaded image: {ref}")
    return image


def _write(engine: Engine, ref: str, path: Path, inner: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            closing(connect(engine)) as client,
            part.open("wb") as file,
            gzip.GzipFile(filename=inner, mode="wb", fileobj=file, mtime=0) as packed,
        ):
            # The low-level call keeps the name, and the tar then holds no other one.
            for chunk in client.api.get_image(ref):
                packed.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _inner_name(path: Path) -> str:
    """The file name in a gzip header (RFC 1952 section 2.3); empty where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(256)
    except OSError:
        return ""
    if not head.startswith(_GZIP) or len(head) < 10 or head[3] != 0x08:  # only FNAME is set
        return ""
    return head[10:].partition(b"\0")[0].decode("latin-1")


def _load(engine: Engine, file: BinaryIO, path: Path) -> str:
    """Hands the file to the engine, which unpacks gzip itself; the name under which the image came back."""
    with closing(connect(engine)) as client:
        try:
            events = list(client.api.load_image(file, quiet=True))  # type: ignore[no-untyped-call]
        except APIError as error:
            raise InputError(
                f"The engine does not take the archive {path}: {error.explanation}", "Download it again."
            ) from error
    said = "\n".join(str(event.get("stream") or event.get("error") or event.get("message") or "") for event in events)
    refs = re.findall(r"Loaded image(?: ID)?: (\S+)", said)
    if not refs:
        raise InputError(f"The engine does not take the archive {path}: {said.strip()}", "Download it again.")
    return str(refs[0])
