"""Images on disk.

ROOT/blobs/<hex>                           bytes, named by their SHA-256, shared by all repositories
ROOT/uploads/<id>                          bytes of an unfinished upload
ROOT/repositories/<name>/blobs/<hex>       empty: this repository has this blob
ROOT/repositories/<name>/manifests/<hex>   a manifest; beside it <hex>.json: media type, time
ROOT/repositories/<name>/tags/<tag>        the tag's digest
"""

import hashlib
import json
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_READ_BYTES = 1024 * 1024


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class StorageError(Exception):
    """A refusal; `code` is the registry protocol's, `status` HTTP's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Manifest:
    """An image manifest or index; `pushed_at` in epoch seconds."""

    digest: str
    media_type: str
    content: bytes
    pushed_at: float


@dataclass
class Upload:
    """A blob on its way in, hashed as it arrives."""

    identity: str
    path: Path
    size: int
    hash: _Hash


def hex_of(digest: str) -> str:
    """Return the digits of `sha256:...`, or raise StorageError."""
    if match := _DIGEST.fullmatch(digest):
        return match.group(1)
    raise StorageError(400, "DIGEST_INVALID", f"{digest!r} is not a sha256 digest")


class Storage:
    """The images of one account and region."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.RLock()
        for name in ("blobs", "uploads", "repositories"):
            (root / name).mkdir(parents=True, exist_ok=True)

    # ---- blobs

    def blob(self, repository: str, digest: str) -> Path | None:
        name = hex_of(digest)
        return self._root / "blobs" / name if (self._folder(repository, "blobs") / name).exists() else None

    def mount(self, repository: str, source: str, digest: str) -> bool:
        """Give `repository` a blob of `source`; False: it has none."""
        if not self.blob(source, digest):
            return False
        self._link(repository, hex_of(digest))
        return True

    def begin_upload(self) -> Upload:
        identity = secrets.token_hex(16)
        upload = Upload(identity, self._root / "uploads" / identity, 0, hashlib.sha256())
        upload.path.touch()
        with self._lock:
            self._uploads[identity] = upload
        return upload

    def upload(self, identity: str) -> Upload:
        with self._lock:
            if upload := self._uploads.get(identity):
                return upload
        raise StorageError(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")

    def append(self, upload: Upload, data: bytes) -> None:
        with upload.path.open("ab") as file:
            file.write(data)
        upload.hash.update(data)
        upload.size += len(data)

    def cancel(self, upload: Upload) -> None:
        with self._lock:
            self._uploads.pop(upload.identity, None)
        upload.path.unlink(missing_ok=True)

    def finish(self, repository: str, upload: Upload, digest: str) -> None:
        """Turn an upload into a blob; StorageError: wrong `digest`."""
        name = hex_of(digest)
        if upload.hash.hexdigest() != name:
            self.cancel(upload)
            raise StorageError(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        upload.path.replace(self._root / "blobs" / name)
        with self._lock:
            self._uploads.pop(upload.identity, None)
        self._link(repository, name)

    # ---- manifests and tags

    def put_manifest(self, repository: str, reference: str, media_type: str, content: bytes, immutable: bool) -> str:
        """Store a manifest under a tag or its digest; return the digest.

        Raises:
            StorageError: it is none, names what the repository lacks, or is not `reference`; or an `immutable` tag is
                another's.
        """
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        body = _parse(content)
        is_digest = reference.startswith("sha256:")
        if is_digest and reference != digest:
            raise StorageError(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if not is_digest and not _TAG.fullmatch(reference):
            raise StorageError(400, "TAG_INVALID", f"{reference!r} is not a tag")
        for part in [body.get("config"), *body.get("layers", [])]:
            # Foreign layers live elsewhere on purpose.
            if part and not part.get("urls") and not self.blob(repository, part["digest"]):
                raise StorageError(404, "MANIFEST_BLOB_UNKNOWN", f"blob {part['digest']} unknown to registry")
        for part in body.get("manifests", []):
            if not self.manifest(repository, part["digest"]):
                raise StorageError(404, "MANIFEST_BLOB_UNKNOWN", f"manifest {part['digest']} unknown to registry")
        with self._lock:
            if not is_digest and immutable and self.tags(repository).get(reference, digest) != digest:
                raise StorageError(
                    400,
                    "TAG_INVALID",
                    f"The image tag '{reference}' already exists in the '{repository}' repository and cannot be "
                    "overwritten because the tag is immutable.",
                )
            file = self._folder(repository, "manifests") / hex_of(digest)
            if not file.exists():
                facts = {"media_type": body.get("mediaType") or media_type, "pushed_at": time.time()}
                file.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
                file.write_bytes(content)
            if not is_digest:
                (self._folder(repository, "tags") / reference).write_text(digest, encoding="utf-8")
        return digest

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        digest = reference if reference.startswith("sha256:") else self.tags(repository).get(reference)
        if not digest:
            return None
        file = self._folder(repository, "manifests") / hex_of(digest)
        if not file.exists():
            return None
        facts = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        return Manifest(digest, facts["media_type"], file.read_bytes(), facts["pushed_at"])

    def manifests(self, repository: str) -> list[Manifest]:
        """Return manifests, newest first."""
        names = [f.name for f in self._folder(repository, "manifests").iterdir() if not f.suffix]
        found = [self.manifest(repository, f"sha256:{name}") for name in names]
        return sorted((m for m in found if m), key=lambda m: m.pushed_at, reverse=True)

    def tags(self, repository: str) -> dict[str, str]:
        folder = self._folder(repository, "tags")
        return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())}

    def tags_of(self, repository: str, digest: str) -> list[str]:
        return [tag for tag, named in self.tags(repository).items() if named == digest]

    def untag(self, repository: str, tag: str) -> None:
        """Remove a tag, not its manifest."""
        with self._lock:
            (self._folder(repository, "tags") / tag).unlink(missing_ok=True)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest and its tags; blobs, which others may use, stay."""
        with self._lock:
            for tag in self.tags_of(repository, digest):
                self.untag(repository, tag)
            file = self._folder(repository, "manifests") / hex_of(digest)
            file.unlink(missing_ok=True)
            file.with_suffix(".json").unlink(missing_ok=True)

    def delete_repository(self, repository: str) -> None:
        shutil.rmtree(self._root / "repositories" / quote(repository, safe=""), ignore_errors=True)

    def size(self, repository: str, manifest: Manifest) -> int:
        """Return compressed bytes of an image, or an index's images."""
        body = _parse(manifest.content)
        children = [self.manifest(repository, part["digest"]) for part in body.get("manifests", [])]
        own: list[int] = [part["size"] for part in [body.get("config"), *body.get("layers", [])] if part]
        return sum(own) + sum(self.size(repository, child) for child in children if child)

    def _folder(self, repository: str, kind: str) -> Path:
        folder = self._root / "repositories" / quote(repository, safe="") / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _link(self, repository: str, name: str) -> None:
        (self._folder(repository, "blobs") / name).touch()


def read_chunks(path: Path, start: int, end: int) -> Any:
    """Yield the bytes `start` to `end` (exclusive)."""
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (data := file.read(min(_READ_BYTES, left))):
            left -= len(data)
            yield data


def _parse(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
        parts = [body.get("config"), *body.get("layers", []), *body.get("manifests", [])]
        is_valid = body["schemaVersion"] == 2 and all(hex_of(p["digest"]) and p["size"] >= 0 for p in parts if p)
    except (ValueError, KeyError, TypeError, AttributeError, StorageError) as error:
        raise StorageError(400, "MANIFEST_INVALID", f"manifest invalid: {error}") from error
    if not is_valid:
        raise StorageError(400, "MANIFEST_INVALID", "manifest invalid: only schema version 2 is known")
    return dict(body)
