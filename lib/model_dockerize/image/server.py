"""The server image, from which model images copy their server.

Its version, a hash of its sources, is part of each model image's build id.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from docker.errors import ImageNotFound

from model_dockerize.errors import EngineError
from model_dockerize.image.build import BuildRequest, build
from model_dockerize.image.engine import Engine, connect
from model_dockerize.progress import Progress

#: `localhost/`, because no public registry can serve an image under such a name.
_REPOSITORY = "localhost/model-dockerize/model-server"
_STAGE = "model-server"
_DOCKERFILE = "Dockerfile"
#: What the stage is made of, beside itself. Only these are sent to its build, so nothing else can get into it.
_SOURCES = (
    *("lib/model_compare", "lib/model_server", "lib/model_runner", "lib/model_installer"),
    *("requirements/server-build.txt", "requirements/uv.txt", "requirements/rattler.txt"),
)
_BUNDLE = Path("/opt/model-server.tar.gz")
_NO_SECRETS: Mapping[str, Path] = MappingProxyType({})
_REMEDY = "Install model-dockerize anew, or run it from a clone of its repository."


@dataclass(frozen=True)
class ServerSources:
    """Sources and bundle, either of which makes the server image.

    Attributes:
        files: by name; empty if one is missing.
        bundle: the finished server as a tar, in the Action's image only.
    """

    files: Mapping[str, Path]
    bundle: Path | None


def find_sources() -> ServerSources:
    """Find the bundle and the sources beside this file."""
    here = Path(__file__).resolve()
    library, beside = here.parents[2], here.parent / "sources"
    installed = {
        name: library / name.removeprefix("lib/") if name.startswith("lib/") else beside / Path(name).name
        for name in (_DOCKERFILE, *_SOURCES)
    }
    complete = (files for files in (of_checkout(here.parents[3]), installed) if all(map(Path.exists, files.values())))
    return ServerSources(next(complete, {}), _BUNDLE if _BUNDLE.is_file() else None)


def of_checkout(root: Path) -> dict[str, Path]:
    return {name: root / name for name in (_DOCKERFILE, *_SOURCES)}


def server_version(sources: ServerSources) -> str:
    """Hash the server's sources to 12 hex digits."""
    if not sources.files:
        raise EngineError("The sources of the model server are not beside this program.", _REMEDY)
    digest = hashlib.sha256(stage_text(sources.files[_DOCKERFILE].read_text("utf-8"), _STAGE).encode())
    for name, path in _files(sources.files):
        content = path.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def server_ref(version: str, platform: str) -> str:
    machine = platform.rpartition("/")[2]
    return f"{_REPOSITORY}:{version}" if machine == "amd64" else f"{_REPOSITORY}:{version}-{machine}"


def server_image(
    engine: Engine,
    version: str,
    platform: str,
    sources: ServerSources,
    progress: Progress,
    secrets: Mapping[str, Path] = _NO_SECRETS,
) -> str:
    """Find the server image, else make it of bundle or sources.

    Args:
        platform: a bundle is only for the engine's own.
    """
    ref = server_ref(version, platform)
    with closing(connect(engine)) as client:
        try:
            client.images.get(ref)
            return ref
        except ImageNotFound:
            pass
    if sources.bundle and platform == engine.platform:
        progress.info(f"Making the model server's image {ref} of the bundle {sources.bundle}.")
        build(engine, partial(_write_bundle, sources.bundle), BuildRequest(tags=(ref,)), progress)
    elif sources.files:
        progress.info(f"Building the model server's image {ref}: once for this version.")
        request = BuildRequest(tags=(ref,), secrets=secrets, target=_STAGE, platform=platform)
        build(engine, partial(_write_sources, sources.files), request, progress)
    else:
        raise EngineError(f"The image {ref} is not in the engine, and there is nothing to make it from.", _REMEDY)
    return ref


def stage_text(dockerfile: str, name: str) -> str:
    """Return the text of the stage `name` and of all that it uses."""
    preamble, *stages = re.split(r"^(?=FROM\s)", dockerfile, flags=re.MULTILINE | re.IGNORECASE)
    named = {
        match[1].lower(): text
        for text in stages
        if (match := re.match(r"FROM\s+.*?\s+AS\s+(\S+)\s*$", text, re.MULTILINE | re.IGNORECASE))
    }
    if name not in named:
        raise EngineError(f"The Dockerfile of model-dockerize has no stage {name}.", _REMEDY)
    wanted, todo = {name}, [name]
    while todo:
        used = re.findall(
            r"(?:^FROM\s+(?:--\S+\s+)*|[-,\s]from=)([\w.-]+)", named[todo.pop()], re.MULTILINE | re.IGNORECASE
        )
        fresh = {stage.lower() for stage in used} & named.keys() - wanted
        wanted |= fresh
        todo += fresh
    return preamble + "".join(text for stage, text in named.items() if stage in wanted)


def _files(files: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    found = {}
    for source in _SOURCES:
        path = files[source]
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                found[(Path(source) / file.relative_to(path)).as_posix()] = file
    yield from sorted(found.items())


def _write_sources(files: Mapping[str, Path], file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w|") as tar:
        for name, path in [(_DOCKERFILE, files[_DOCKERFILE]), *_files(files)]:
            tar.add(path, name, filter=_plain)


def _write_bundle(bundle: Path, file: BinaryIO) -> None:
    # ADD unpacks it.
    text = f"FROM scratch\nADD {bundle.name} /\n".encode()
    with tarfile.open(fileobj=file, mode="w|") as tar:
        dockerfile = tarfile.TarInfo(_DOCKERFILE)
        dockerfile.size = len(text)
        tar.addfile(dockerfile, io.BytesIO(text))
        tar.add(bundle, bundle.name, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Owner and time differ between computers.
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
