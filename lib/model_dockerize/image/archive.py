"""Saves and loads an image as one `.docker.tar.gz` for `docker load -i`."""

import gzip
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from docker.errors import APIError

from model_dockerize.engine_images import lost_a_layer
from model_dockerize.errors import EngineError, InputError
from model_dockerize.image.contents import Contents, look, process_of
from model_dockerize.image.engine import Engine, connect
from model_dockerize.image.packing import packing, unpacked
from model_dockerize.image.store import ARCHIVED, Image, has, inspect, tag
from model_dockerize.inside import OutsideError, open_regular
from model_dockerize.progress import Progress, counted

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20  # bytes handed to the engine at once
_ATTEMPTS = 3  # to load an image whose layers the engine loses


@dataclass(frozen=True)
class Archive:
    """A written archive; `tag` is the image's name in it."""

    path: Path
    tag: str  # "gx-images:t-<32 hex>"
    size: int  # bytes


def archive_tag(build_id: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", build_id):
        raise EngineError(
            f"The image has no build id of 32 hexadecimal digits (it has {build_id!r}), so its archive has no name.",
            "Build the image with model-dockerize.",
        )
    return f"{ARCHIVED}:t-{build_id}"


def save(engine: Engine, image: Image, directory: Path, name: str, progress: Progress) -> Archive:
    """Write `<name>_<6 hex>.docker.tar.gz` atomically, unless it holds the image already."""
    saved_as = archive_tag(image.build_id)
    tag(engine, image, saved_as)
    path = directory / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}_{image.build_id[:6]}.docker.tar.gz"
    # The name inside the gzip header: it tells two contents apart without unpacking one, which decides what it tells.
    inner = f"t-{image.build_id}.tar"
    if _inner_name(path) == inner and _holds(engine, path, image):
        progress.info(f"The archive {path} is there already and holds this image.")
        return Archive(path, saved_as, path.stat().st_size)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # What the engine hands out is about as large as the image, except where it keeps layers packed.
        _write(engine, saved_as, path, inner, 0 if engine.containerd_store else image.size, progress)
    except OSError as error:
        raise InputError(
            f"The archive {path} cannot be written: {error.strerror or error}",
            "Name a directory that is writable and has room for the image.",
        ) from error
    size = path.stat().st_size
    progress.info(f"Saved {saved_as} to {path} ({size / 1e6:.1f} MB).")
    return Archive(path, saved_as, size)


def check_room(contents: Contents, free: int | None) -> None:
    """Refuse an image that does not fit packed and unpacked at once."""
    needed = 2 * contents.size
    if free is not None and needed > free:
        raise InputError(
            f"The image in {contents.path} needs {needed / 1e9:.1f} GB while it is loaded, and "
            f"{free / 1e9:.1f} GB are free where Docker Engine keeps images.",
            "Make room (`docker system df` says what takes it), and repeat.",
        )


def held(engine: Engine, contents: Contents) -> Image | None:
    """Find the archive's image in the engine; give it the archive's names."""
    for digest in contents.ids:
        if has(engine, digest) and _is_it(engine, digest, contents):
            return _named(engine, inspect(engine, digest), contents)
    return None


def load(engine: Engine, contents: Contents, progress: Progress) -> Image:
    """Load an archive under its names, else as `gx-images:t-<its identity>`."""
    former = {name: inspect(engine, name) for name in contents.names if has(engine, name)}
    refs = _load(engine, contents, progress)
    strange = [ref for ref in refs if not (ref.startswith("sha256:") or ref in contents.names)]
    if strange or not all(_is_it(engine, ref, contents) for ref in refs):
        _undo(engine, refs, former)
        raise InputError(
            f"The archive {contents.path} holds another image than the one that it says: nothing of it is kept.",
            "Ask where it came from.",
            tuple(f"the engine took {ref} out of it" for ref in refs),
        )
    image = _named(engine, inspect(engine, refs[0]), contents)
    progress.info(f"Loaded image: {image.ref}")
    return image


def _is_it(engine: Engine, ref: str, contents: Contents) -> bool:
    with closing(connect(engine)) as client:
        found = client.images.get(ref)
    # Of an index with this digest, an engine chooses one image: compare layers and process, too.
    return (
        found.id in contents.ids
        and tuple(found.attrs["RootFS"].get("Layers") or ()) == contents.layers
        and process_of(found.attrs.get("Config") or {}) == contents.process
    )


def _undo(engine: Engine, refs: Sequence[str], former: Mapping[str, Image]) -> None:
    with closing(connect(engine)) as client:
        for ref in refs:
            with suppress(APIError):  # a container uses it, or another reference took it along
                client.api.remove_image(ref)
    for name, image in former.items():
        if has(engine, image.id):
            tag(engine, image, name)


def _named(engine: Engine, image: Image, contents: Contents) -> Image:
    names = contents.names or (f"{ARCHIVED}:t-{contents.identity}",)
    for name in names:
        tag(engine, image, name)
    return replace(image, ref=names[0])


def _write(engine: Engine, ref: str, path: Path, inner: str, size: int, progress: Progress) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            closing(connect(engine)) as client,
            part.open("xb") as file,  # never through a link that lies there
            gzip.GzipFile(filename=inner, mode="wb", fileobj=file, mtime=0) as packed,
        ):
            # The low-level call keeps the name, and the tar then holds no other one.
            for chunk in _counted(client.api.get_image(ref), "saving", size, progress):
                packed.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _holds(engine: Engine, path: Path, image: Image) -> bool:
    try:
        return _is_it(engine, image.id, look(path, image.platform))
    except InputError:
        return False


def _inner_name(path: Path) -> str:
    try:
        with open_regular(path) as file:
            head = file.read(256)
    except (OSError, OutsideError):
        return ""
    if not head.startswith(_GZIP) or len(head) < 10 or head[3] != 0x08:  # only FNAME is set
        return ""
    # RFC 1952 section 2.3.
    return head[10:].partition(b"\0")[0].decode("latin-1")


def _load(engine: Engine, contents: Contents, progress: Progress) -> list[str]:
    said = _ask_to_load(engine, contents, progress)
    for _ in range(_ATTEMPTS - 1):
        if lost_a_layer(said):
            said = _ask_to_load(engine, contents, progress)
    refs = re.findall(r"Loaded image(?: ID)?: (\S+)", said)
    if not refs:
        raise InputError(f"The engine does not take the archive {contents.path}: {said.strip()}", "Download it again.")
    return list(map(str, refs))


def _ask_to_load(engine: Engine, contents: Contents, progress: Progress) -> str:
    path = contents.path
    is_packed = packing(path) == "gzip" and not contents.missing_manifest
    size = path.stat().st_size if is_packed else contents.size
    with closing(connect(engine)) as client:
        try:
            counted = _counted(_stream(contents, is_packed), "loading", size, progress)
            events = list(client.api.load_image(counted, quiet=True))  # type: ignore[no-untyped-call]
        except APIError as error:
            return str(error.explanation)
    return "\n".join(str(event.get("stream") or event.get("error") or event.get("message") or "") for event in events)


def _counted(chunks: Iterable[bytes], what: str, total: int, progress: Progress) -> Iterator[bytes]:
    moved = counted(what, total, progress)
    for chunk in chunks:
        yield chunk
        moved(len(chunk))


def _stream(contents: Contents, is_packed: bool) -> Iterator[bytes]:
    # Not every engine takes zstandard, or an archive without Docker's own manifest.
    if is_packed:
        with contents.path.open("rb") as file:  # the engine unpacks it faster than we do
            yield from iter(partial(file.read, _CHUNK), b"")
        return
    if contents.missing_manifest:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(contents.missing_manifest)
        yield member.tobuf() + contents.missing_manifest + bytes(-member.size % tarfile.BLOCKSIZE)
    with unpacked(contents.path) as stream:
        yield from iter(partial(stream.read, _CHUNK), b"")
