"""What an archive of an image holds, found out before anything of it is loaded.

One pass over the file, with nothing written: a tar that comes from elsewhere is not unpacked to be looked at.

Sources: https://github.com/opencontainers/image-spec (image-layout.md, config.md), and what `docker save` writes: its
manifest.json names the configuration and the layers, in a layout of its own before version 25, in the OCI one since.
"""

import hashlib
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from model_dockerize.errors import InputError
from model_dockerize.image.packing import DAMAGED, unpacked
from model_dockerize.image.store import BUILD_ID_LABEL

_LARGEST_DOCUMENT = 4 << 20  # bytes of one manifest or configuration; real ones have a few thousand
_DOCUMENTS = 64 << 20  # bytes of all of them that are kept
#: Bytes that an image may have, unpacked: Fargate gives no task more (200 GiB of ephemeral storage).
LARGEST = 200 << 30
_SHOWN = 10  # problems of one archive that are told
# What our Dockerfile says after the step that sets the label. Anything else means that somebody built upon our image.
_LAST_STEPS = {"EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
_IMAGE_TYPES = ("image.manifest", "distribution.manifest.v2")


@dataclass(frozen=True)
class Contents:
    """An image in an archive.

    Attributes:
        names: `repository:tag` that it has in the archive, perhaps none.
        config: digest of its configuration, "sha256:...": the same in every registry and engine.
        ids: under which an engine may know it: by its configuration, or, with the containerd store, by its manifest or
            the index above.
        platform: what its programs are for, e.g. "linux/amd64".
        labels: of the image.
        ports: TCP ports that it declares; docker publishes others as well.
        build_id: of an image that this program built and nobody changed since; empty for others.
        size: bytes of the archive, unpacked.
        missing_manifest: what `docker load` of engines without the containerd store needs besides, if anything.
    """

    path: Path
    names: tuple[str, ...]
    config: str
    ids: tuple[str, ...]
    platform: str
    labels: Mapping[str, str]
    ports: tuple[int, ...]
    build_id: str
    size: int
    missing_manifest: bytes = field(default=b"", repr=False)

    @property
    def identity(self) -> str:
        """32 hexadecimal digits that are equal for equal images: our build id, or of the configuration's digest."""
        return self.build_id or self.config.removeprefix("sha256:")[:32]


def look(path: Path, platform: str, largest: int = LARGEST) -> Contents:
    """Checks an archive and says which image it holds.

    Args:
        platform: preferred one, where the archive holds several.
        largest: bytes that it may have, unpacked: what is packed well may hold no end of zeros.

    Raises:
        InputError: it is no archive of one image, or damaged, or too large, or has members that no image has.
    """
    try:
        with unpacked(path) as stream:
            members = _read(path, stream, largest)
    except (tarfile.TarError, *DAMAGED) as error:
        raise InputError(f"The archive {path} is damaged: {error}", "Download it again.") from error
    except OSError as error:
        raise InputError(f"The archive {path} cannot be read: {error.strerror or error}", "Check the path.") from error
    if members.problems:
        problems = (*members.problems[:_SHOWN], *(["..."] if len(members.problems) > _SHOWN else []))
        raise InputError(
            f"The archive {path} is not loaded: it is damaged, or made to do harm.",
            "Download it again from where you trust; tell them if it stays so.",
            problems,
        )
    try:
        return _contents(path, members, platform)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The archive {path} is damaged: what it says of its image has no form that an image's can have.",
            "Download it again.",
            (f"{type(error).__name__}: {error}",),
        ) from error


class _Members:
    """What one pass over the tar found."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.documents: dict[str, bytes] = {}  # small files that may be JSON
        self.problems: list[str] = []
        self.size = 0

    def json(self, name: str) -> Any:
        """A document, parsed; None where there is none or it is no JSON."""
        try:
            return json.loads(self.documents[name])
        except (KeyError, ValueError, RecursionError):
            return None

    def blob(self, digest: object) -> Any:
        """A document of an OCI layout by its digest."""
        return self.json(f"blobs/{str(digest).replace(':', '/', 1)}")


def _read(path: Path, stream: IO[bytes], largest: int) -> _Members:
    found, kept = _Members(), 0
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            found.problems += _suspicious(member)
            found.names.add(name)
            found.size += member.size
            if found.size > largest:
                raise InputError(
                    f"What is packed in {path} has more than {largest / 1e9:.1f} GB: no service runs that.",
                    "Nothing was loaded. Ask where it came from.",
                )
            file = tar.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            text, digest = _document(file, member.size)
            if text is not None and kept + len(text) <= _DOCUMENTS:
                found.documents[name] = text
                kept += len(text)
            wanted = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.json", name)
            if wanted and digest not in wanted.groups():
                found.problems.append(f"{name}: its content is another one (sha256 {digest})")
    return found


def _document(file: IO[bytes], size: int) -> tuple[bytes | None, str]:
    """A file's content if it can be a document, and its SHA-256."""
    if size <= _LARGEST_DOCUMENT:
        content = file.read()
        digest = hashlib.sha256(content).hexdigest()
        return (content if content[:1] in (b"{", b"[") else None), digest
    return None, hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it needs only read()


def _suspicious(member: tarfile.TarInfo) -> Iterator[str]:
    """Why a member has no place in an image's archive."""
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
    elif not (member.isfile() or member.isdir()):
        yield f"{name!r}: neither a file nor a folder nor a link, but a device or a pipe"


def _contents(path: Path, members: _Members, platform: str) -> Contents:
    saved = members.json("manifest.json")
    if isinstance(saved, list) and saved:
        config_name, names, manifest = *_saved(path, members, saved), b""
    elif isinstance(index := members.json("index.json"), dict) and "oci-layout" in members.names:
        config_name, names, manifest = _layout(path, members, index, platform)
    else:
        raise _no_image(path, members)
    config = members.json(config_name)
    if not isinstance(config, dict) or not isinstance(config.get("rootfs"), dict):
        raise InputError(
            f"The archive {path} is damaged: {config_name} is no configuration of an image.", "Download it again."
        )
    settings = config.get("config") or {}
    labels = {str(key): str(value) for key, value in (settings.get("Labels") or {}).items()}
    ports = (re.fullmatch(r"(\d+)(?:/tcp)?", str(port)) for port in settings.get("ExposedPorts") or {})
    digest = f"sha256:{hashlib.sha256(members.documents[config_name]).hexdigest()}"
    tops = (members.json("index.json") or {}).get("manifests") or []
    manifests = [entry for top in tops for entry in _images(members, top)]
    return Contents(
        path=path,
        names=names,
        config=digest,
        ids=(
            digest,
            *(str(top["digest"]) for top in tops),
            *(entry for entry in manifests if members.blob(entry)["config"]["digest"] == digest),
        ),
        platform=_platform(config),
        labels=labels,
        ports=tuple(sorted(int(port[1]) for port in ports if port)),
        build_id=_build_id(labels, settings.get("Env") or [], config.get("history") or []),
        size=members.size,
        missing_manifest=manifest,
    )


def _saved(path: Path, members: _Members, saved: list[Any]) -> tuple[str, tuple[str, ...]]:
    """What `docker save` wrote: the configuration's place and the image's names."""
    if len(saved) > 1:
        names = [", ".join(entry.get("RepoTags") or ["one without a name"]) for entry in saved]
        raise InputError(
            f"The archive {path} holds {len(saved)} images, and one is needed.",
            "Save the one that is the model: docker save IMAGE",
            tuple(names[:_SHOWN]),
        )
    entry = saved[0] if isinstance(saved[0], dict) else {}
    config, layers = str(entry.get("Config", "")), [str(layer) for layer in entry.get("Layers") or []]
    _complete(path, members, [config, *layers])
    return posixpath.normpath(config), tuple(map(str, entry.get("RepoTags") or []))


def _layout(path: Path, members: _Members, index: dict[str, Any], platform: str) -> tuple[str, tuple[str, ...], bytes]:
    """An OCI layout without Docker's manifest: the same, and the manifest that it lacks."""
    tops = [entry for entry in index.get("manifests") or [] if isinstance(entry, dict)]
    images = [(top, entry) for top in tops for entry in _images(members, top)]
    if not images:
        raise _no_image(path, members)
    if len({top.get("digest") for top, _ in images}) > 1:
        raise InputError(
            f"The archive {path} holds several images, and one is needed.", "Save the one that is the model."
        )
    top, chosen = next((pair for pair in images if _platform_of(members, pair[1]) == platform), images[0])
    notes = top.get("annotations") or {}
    named = str(notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or "")
    name = named.removeprefix("docker.io/").removeprefix("library/")
    names = (name,) if ":" in name else ()
    manifest = members.blob(chosen)
    config = _place(manifest["config"])
    layers = [_place(layer) for layer in manifest["layers"]]
    _complete(path, members, [config, *layers])
    entry = {"Config": config, "RepoTags": list(names), "Layers": layers}
    return config, names, json.dumps([entry]).encode()


def _images(members: _Members, entry: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """The digests of the images below an entry of an index: not of what attests how they were built."""
    kind, digest = str(entry.get("mediaType", "")), str(entry.get("digest", ""))
    inner = members.blob(digest)
    if not isinstance(inner, dict) or "vnd.docker.reference.type" in (entry.get("annotations") or {}):
        return
    if isinstance(inner.get("manifests"), list) and depth < 3:
        for below in inner["manifests"]:
            if isinstance(below, dict):
                yield from _images(members, below, depth + 1)
    elif any(word in kind for word in _IMAGE_TYPES) and "config" in inner:
        yield digest


def _place(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/', 1)}"


def _complete(path: Path, members: _Members, wanted: list[str]) -> None:
    missing = [name for name in wanted if posixpath.normpath(name) not in members.names]
    if missing:
        raise InputError(
            f"The archive {path} is not whole: it lacks {len(missing)} of the files that its manifest names.",
            "Download it again.",
            tuple(missing[:_SHOWN]),
        )


def _no_image(path: Path, members: _Members) -> InputError:
    exported = {name.split("/")[0] for name in members.names} >= {"etc", "usr"}
    how = "`docker export` wrote it: the files of a container. " if exported else ""
    return InputError(
        f"{path} is a tar, but no image: it has neither manifest.json nor oci-layout with index.json.",
        f"{how}Name a file that `docker save` wrote.",
    )


def _platform_of(members: _Members, digest: str) -> str:
    return _platform(members.blob(members.blob(digest)["config"]["digest"]))


def _platform(config: dict[str, Any]) -> str:
    return f"{config['os']}/{config['architecture']}"


def _build_id(labels: Mapping[str, str], environment: list[Any], history: list[Any]) -> str:
    """Our label, if the environment agrees and nothing was built upon the image that we made."""
    claimed = labels.get(BUILD_ID_LABEL, "")
    if not re.fullmatch(r"[0-9a-f]{32}", claimed) or f"MODEL_BUILD_ID={claimed}" not in environment:
        return ""
    steps = [str(step.get("created_by", "")) for step in history if isinstance(step, dict)]
    labelled = max((place for place, step in enumerate(steps) if BUILD_ID_LABEL in step), default=-1)
    after = [step.split(" ", 1)[0] for step in steps[labelled + 1 :]]
    ours = labelled >= 0 and len(after) == len(set(after)) and set(after) <= _LAST_STEPS
    return claimed if ours else ""
