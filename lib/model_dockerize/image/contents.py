"""Finds which image an archive holds, before anything is loaded.

Sources: https://github.com/opencontainers/image-spec (image-layout.md, config.md). `docker save` also writes a
manifest.json, in a layout of its own before version 25, in the OCI one since.
"""

import hashlib
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_dockerize.errors import InputError
from model_dockerize.image.members import Members, read
from model_dockerize.image.packing import DAMAGED, unpacked
from model_dockerize.image.store import BUILD_ID_LABEL

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
        names: `repository:tag`, perhaps none.
        config: its configuration's digest, the same everywhere.
        ids: by configuration, or, with the containerd store, by manifest or index.
        claim: build id, if we may have built it.
        size: bytes, unpacked.
        missing_manifest: for engines without the containerd store.
    """

    path: Path
    names: tuple[str, ...]
    config: str
    ids: tuple[str, ...]
    platform: str
    labels: Mapping[str, str]
    ports: tuple[int, ...]
    claim: str
    layers: tuple[str, ...]
    process: tuple[str, ...]
    size: int
    missing_manifest: bytes = field(default=b"", repr=False)

    @property
    def identity(self) -> str:
        return self.config.removeprefix("sha256:")[:32]


def process_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a configuration runs, for comparison."""
    names = ("Entrypoint", "Cmd", "Env", "User", "WorkingDir")
    return tuple(json.dumps(settings.get(name) or None) for name in names)


def look(path: Path, platform: str, largest: int = LARGEST) -> Contents:
    """Check an archive and return its image.

    Args:
        platform: preferred one of several.
        largest: most bytes, unpacked.
    """
    try:
        with unpacked(path) as stream:
            members = read(path, stream, largest)
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


def _contents(path: Path, members: Members, platform: str) -> Contents:
    saved = members.json("manifest.json")
    if isinstance(saved, list) and saved:
        config_name, names, manifest = *_saved(path, members, saved), b""
    elif isinstance(members.json("index.json"), dict) and "oci-layout" in members.names:
        config_name, names, manifest = _layout(path, members, platform)
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
    tops = _tops(members)
    _agree(path, members, tops, digest, _platform(config), names)
    return Contents(
        path=path,
        names=names,
        config=digest,
        ids=(digest, *dict.fromkeys(entry for top in tops for entry in _ids(members, top, digest))),
        platform=_platform(config),
        labels=labels,
        ports=tuple(sorted(int(port[1]) for port in ports if port)),
        claim=_claim(labels, settings.get("Env") or [], config.get("history") or []),
        layers=tuple(map(str, config["rootfs"].get("diff_ids") or ())),
        process=process_of(settings),
        size=members.size,
        missing_manifest=manifest,
    )


def _tops(members: Members) -> list[dict[str, Any]]:
    index = members.json("index.json")
    entries = (index.get("manifests") or []) if isinstance(index, dict) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _ids(members: Members, top: dict[str, Any], config: str) -> Iterator[str]:
    entries = [entry for entry in _images(members, top) if members.blob(entry)["config"]["digest"] == config]
    if entries:
        yield str(top["digest"])
        yield from entries


def _agree(
    path: Path, members: Members, tops: list[dict[str, Any]], config: str, platform: str, names: tuple[str, ...]
) -> None:
    # Engines differ in which manifest they read: both must name one image.
    problems = []
    for top in tops:
        entries = [entry for entry in _images(members, top) if _platform_of(members, entry) == platform]
        found = {str(members.blob(entry)["config"]["digest"]) for entry in entries}
        if found != {config}:
            problems.append(f"index.json names {', '.join(sorted(found)) or 'none'} for {platform}, not {config}")
        if (name := _name_of(top)) and name not in names:
            problems.append(f"index.json calls it {name}, and manifest.json does not")
    if problems:
        raise InputError(
            f"The archive {path} is not loaded: it says two things of its image.",
            "Ask where it came from, or save it again: docker save IMAGE",
            tuple(problems[:_SHOWN]),
        )


def _name_of(top: dict[str, Any]) -> str:
    notes = top.get("annotations") or {}
    named = str(notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or "")
    name = named.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name else ""


def _saved(path: Path, members: Members, saved: list[Any]) -> tuple[str, tuple[str, ...]]:
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


def _layout(path: Path, members: Members, platform: str) -> tuple[str, tuple[str, ...], bytes]:
    tops = _tops(members)
    images = [(top, entry) for top in tops for entry in _images(members, top)]
    if not images:
        raise _no_image(path, members)
    if len({top.get("digest") for top, _ in images}) > 1:
        raise InputError(
            f"The archive {path} holds several images, and one is needed.", "Save the one that is the model."
        )
    _, chosen = next((pair for pair in images if _platform_of(members, pair[1]) == platform), images[0])
    names = tuple(dict.fromkeys(name for top in tops if (name := _name_of(top))))
    manifest = members.blob(chosen)
    config = _place(manifest["config"])
    layers = [_place(layer) for layer in manifest["layers"]]
    _complete(path, members, [config, *layers])
    entry = {"Config": config, "RepoTags": list(names), "Layers": layers}
    return config, names, json.dumps([entry]).encode()


def _images(members: Members, entry: dict[str, Any], depth: int = 0) -> Iterator[str]:
    kind, digest = str(entry.get("mediaType", "")), str(entry.get("digest", ""))
    inner = members.blob(digest)
    if not isinstance(inner, dict) or (depth and _attests(entry)):
        return
    if isinstance(inner.get("manifests"), list) and depth < 3:
        for below in inner["manifests"]:
            if isinstance(below, dict):
                yield from _images(members, below, depth + 1)
    elif any(word in kind for word in _IMAGE_TYPES) and "config" in inner:
        yield digest


def _attests(entry: dict[str, Any]) -> bool:
    # BuildKit marks attestations so; an entry that an engine could run is none.
    runs_on = (entry.get("platform") or {}).get("architecture")
    return "vnd.docker.reference.type" in (entry.get("annotations") or {}) and runs_on == "unknown"


def _place(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/', 1)}"


def _complete(path: Path, members: Members, wanted: list[str]) -> None:
    missing = [name for name in wanted if posixpath.normpath(name) not in members.names]
    if missing:
        raise InputError(
            f"The archive {path} is not whole: it lacks {len(missing)} of the files that its manifest names.",
            "Download it again.",
            tuple(missing[:_SHOWN]),
        )


def _no_image(path: Path, members: Members) -> InputError:
    exported = {name.split("/")[0] for name in members.names} >= {"etc", "usr"}
    how = "`docker export` wrote it: the files of a container. " if exported else ""
    return InputError(
        f"{path} is a tar, but no image: it has neither manifest.json nor oci-layout with index.json.",
        f"{how}Name a file that `docker save` wrote.",
    )


def _platform_of(members: Members, digest: str) -> str:
    return _platform(members.blob(members.blob(digest)["config"]["digest"]))


def _platform(config: dict[str, Any]) -> str:
    return f"{config['os']}/{config['architecture']}"


def _claim(labels: Mapping[str, str], environment: list[Any], history: list[Any]) -> str:
    # Anybody can write a label: environment and history must look like ours, too.
    claimed = labels.get(BUILD_ID_LABEL, "")
    if not re.fullmatch(r"[0-9a-f]{32}", claimed) or f"MODEL_BUILD_ID={claimed}" not in environment:
        return ""
    steps = [str(step.get("created_by", "")) for step in history if isinstance(step, dict)]
    labelled = max((place for place, step in enumerate(steps) if BUILD_ID_LABEL in step), default=-1)
    after = [step.split(" ", 1)[0] for step in steps[labelled + 1 :]]
    ours = labelled >= 0 and len(after) == len(set(after)) and set(after) <= _LAST_STEPS
    return claimed if ours else ""
