"""The registry for `docker push` and `docker pull`, by ECR's credentials.

Layers stream between socket and disk, whatever their size.
Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import parse_qs

from model_sandbox import asgi, tokens
from model_sandbox.journal import Journal
from model_sandbox.storage import Storage, StorageError, Upload, read_chunks

_MANIFEST_LIMIT = 4 * 1024 * 1024
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"(?P<name>{_PART}(?:/{_PART})*)"
_ROUTES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("Upload", rf"/v2/{_NAME}/blobs/uploads/(?P<reference>[0-9a-f]*)"),
        ("Blob", rf"/v2/{_NAME}/blobs/(?P<reference>sha256:[0-9a-f]{{64}})"),
        ("Manifest", rf"/v2/{_NAME}/manifests/(?P<reference>[^/]+)"),
        ("Tags", rf"/v2/{_NAME}/tags/list(?P<reference>)"),
    )
)
_CHALLENGE = {"www-authenticate": 'Basic realm="https://ecr.sandbox/",service="ecr.amazonaws.com"'}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Rules:
    mutability: str
    exclusions: tuple[str, ...] = ()
    scans: bool = False  # what is pushed

    def fixes(self, tag: str) -> bool:
        excluded = any(fnmatchcase(tag, each) for each in self.exclusions)
        if self.mutability == "MUTABLE_WITH_EXCLUSION":
            return excluded
        return self.mutability.startswith("IMMUTABLE") and not excluded


#: Looks a repository up by its scope and name; None where it does not exist.
FindRepository = Callable[[tokens.Scope, str], Rules | None]
#: Why the holder of a password may not do an action of ECR with the repository of this name; None if it may.
Refuse = Callable[[tokens.Grant, str, str], str | None]
#: (method, kind of thing) -> what ECR asks the caller's policies.
_ACTIONS = {
    ("HEAD", "Blob"): "ecr:BatchCheckLayerAvailability",
    ("GET", "Blob"): "ecr:GetDownloadUrlForLayer",
    ("POST", "Upload"): "ecr:InitiateLayerUpload",
    ("PATCH", "Upload"): "ecr:UploadLayerPart",
    ("PUT", "Upload"): "ecr:CompleteLayerUpload",
    ("HEAD", "Manifest"): "ecr:BatchGetImage",
    ("GET", "Manifest"): "ecr:BatchGetImage",
    ("PUT", "Manifest"): "ecr:PutImage",
    ("GET", "Tags"): "ecr:ListImages",
}


class Registry:
    """An ASGI application for `/v2/`."""

    def __init__(
        self,
        root: Path,
        credentials: tokens.Tokens,
        find: FindRepository,
        journal: Journal,
        refuse: Refuse = lambda *_: None,
    ) -> None:
        self._root, self._credentials, self._find, self._journal = root, credentials, find, journal
        self._refuse = refuse
        self._storages: dict[tokens.Scope, Storage] = {}
        #: Images that a scan has seen: pushed while it was on, or scanned by request.
        self.scanned: set[tuple[tokens.Scope, str, str]] = set()

    def storage(self, scope: tokens.Scope) -> Storage:
        if scope not in self._storages:
            self._storages[scope] = Storage(self._root / scope.account / scope.region)
        return self._storages[scope]

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        # Each request goes into the journal.
        action, result = f"{scope['method']} {scope['path']}", "ok"
        asked: list[str] = []
        try:
            action = await self._answer(scope, receive, send, asked)
        except StorageError as error:
            result = error.code
            await _reply_error(send, error)
        except ValueError as error:
            result = "SIZE_INVALID"
            await _reply_error(send, StorageError(413, "SIZE_INVALID", str(error)))
        self._journal.add("registry", action, result, scope["method"] not in ("GET", "HEAD"), tuple(asked))

    async def _answer(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send, asked: list[str]) -> str:
        headers, method = asgi.headers_of(scope), str(scope["method"])
        grant = self._credentials.check(headers.get("authorization", ""))
        if grant is tokens.Refusal.EXPIRED:
            raise StorageError(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        if not isinstance(grant, tokens.Grant):
            raise StorageError(401, "UNAUTHORIZED", "authentication required")
        allowed = grant.scope
        if scope["path"] in ("/v2", "/v2/"):
            await asgi.reply_json(send, 200, {})
            return "Ping"
        kind, name, reference = _route(scope["path"])
        for action in _needed(method, kind, headers) if grant.caller else ():
            asked.append(f"{action} {name}")
            if refusal := self._refuse(grant, action, name):
                raise StorageError(403, "DENIED", refusal)
        rules = self._find(allowed, name)
        if rules is None:
            message = f"The repository with name '{name}' does not exist in the registry with id '{allowed.account}'"
            raise StorageError(404, "NAME_UNKNOWN", message)
        storage, query = self.storage(allowed), parse_qs(scope["query_string"].decode("latin-1"))
        first = {key: values[0] for key, values in query.items()}
        if kind == "Upload":
            await _upload(storage, method, name, reference, first, receive, send)
        elif kind == "Blob" and method in ("GET", "HEAD"):
            await _send_blob(storage, method, name, reference, headers.get("range", ""), send)
        elif kind == "Manifest" and method == "PUT":
            content = await asgi.read_body(receive, _MANIFEST_LIMIT)
            media_type = headers.get("content-type", "")
            digest = storage.put_manifest(name, reference, media_type, content, rules.fixes(reference))
            self.scanned |= {(allowed, name, digest)} if rules.scans else set()
            place = {"location": f"/v2/{name}/manifests/{digest}", "docker-content-digest": digest}
            await asgi.reply(send, 201, place)
        elif kind == "Manifest" and method in ("GET", "HEAD"):
            await _send_manifest(storage, method, name, reference, send)
        elif kind == "Tags" and method == "GET":
            await asgi.reply_json(send, 200, {"name": name, "tags": list(storage.tags(name))})
        else:
            raise StorageError(405, "UNSUPPORTED", "The operation is unsupported.")
        return f"{method.capitalize()}{kind}"


def _needed(method: str, kind: str, headers: dict[str, str]) -> tuple[str, ...]:
    # One request may both send and complete a layer.
    action = _ACTIONS.get((method, kind))
    if action == "ecr:CompleteLayerUpload" and headers.get("content-length") != "0":
        return ("ecr:UploadLayerPart", action)
    return (action,) if action else ()


def _route(path: str) -> tuple[str, str, str]:
    for kind, pattern in _ROUTES:
        if match := pattern.fullmatch(path):
            return kind, match["name"], match["reference"]
    raise StorageError(404, "NAME_INVALID", f"no such path: {path}")


async def _upload(
    storage: Storage,
    method: str,
    name: str,
    identity: str,
    query: dict[str, str],
    receive: asgi.Receive,
    send: asgi.Send,
) -> None:
    if method == "POST":
        source = query.get("from", name)
        if "mount" in query and re.fullmatch(_NAME, source) and storage.mount(name, source, query["mount"]):
            await _blob_created(send, name, query["mount"])
            return
        upload = storage.begin_upload()
    else:
        upload = storage.upload(identity)
    if method == "DELETE":
        storage.cancel(upload)
        await asgi.reply(send, 204, {})
        return
    if method != "GET":
        await _receive_into(storage, upload, receive)
    if method == "PUT" or (method == "POST" and "digest" in query):
        storage.finish(name, upload, query.get("digest", ""))
        await _blob_created(send, name, query["digest"])
        return
    place = {
        "location": f"/v2/{name}/blobs/uploads/{upload.identity}",
        "range": f"0-{max(upload.size - 1, 0)}",
        "docker-upload-uuid": upload.identity,
    }
    await asgi.reply(send, 204 if method == "GET" else 202, place)


async def _receive_into(storage: Storage, upload: Upload, receive: asgi.Receive) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            storage.cancel(upload)
            raise StorageError(400, "BLOB_UPLOAD_INVALID", "the client went away")
        if data := message.get("body", b""):
            storage.append(upload, data)
        more = message.get("more_body", False)


async def _blob_created(send: asgi.Send, name: str, digest: str) -> None:
    await asgi.reply(send, 201, {"location": f"/v2/{name}/blobs/{digest}", "docker-content-digest": digest})


async def _send_blob(storage: Storage, method: str, name: str, digest: str, wanted: str, send: asgi.Send) -> None:
    path = storage.blob(name, digest)
    if path is None:
        raise StorageError(404, "BLOB_UNKNOWN", f"blob {digest} unknown to registry")
    size = path.stat().st_size
    start, end, status = 0, size, 200
    common = {"content-type": "application/octet-stream", "docker-content-digest": digest, "accept-ranges": "bytes"}
    if method == "GET" and (match := _RANGE.fullmatch(wanted)):
        start, end, status = int(match[1]), min(int(match[2] or size - 1) + 1, size), 206
        if start >= end:
            raise StorageError(416, "RANGE_INVALID", f"{wanted} is outside of the blob")
        common["content-range"] = f"bytes {start}-{end - 1}/{size}"
    chunks = read_chunks(path, start, end) if method == "GET" else ()
    await asgi.reply_stream(send, status, {**common, "content-length": str(end - start)}, chunks)


async def _send_manifest(storage: Storage, method: str, name: str, reference: str, send: asgi.Send) -> None:
    manifest = storage.manifest(name, reference)
    if manifest is None:
        raise StorageError(404, "MANIFEST_UNKNOWN", "Requested image not found")
    headers = {
        "content-type": manifest.media_type,
        "docker-content-digest": manifest.digest,
        "content-length": str(len(manifest.content)),
    }
    await asgi.reply_stream(send, 200, headers, [manifest.content] if method == "GET" else [])


async def _reply_error(send: asgi.Send, error: StorageError) -> None:
    content = json.dumps({"errors": [{"code": error.code, "message": str(error)}]}).encode()
    challenge = _CHALLENGE if error.status == 401 else {}
    await asgi.reply(send, error.status, {"content-type": "application/json", **challenge}, content)
