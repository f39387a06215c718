"""The registry protocol, spoken to the ASGI application itself; its files are on a real disk."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_sandbox.journal import Journal
from model_sandbox.registry import Registry, Rules
from model_sandbox.tokens import Scope, Tokens

SCOPE = Scope("123456789012", "us-east-1")
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["errors"][0]["code"])


class Client:
    """Sends requests as docker does; `chunks` are the pieces in which a body arrives."""

    def __init__(self, registry: Registry, credentials: Tokens) -> None:
        self.registry, self.credentials = registry, credentials
        self.token = credentials.issue(SCOPE)[0]

    def __call__(self, method: str, url: str, *chunks: bytes, token: str | None = None, **headers: str) -> Reply:
        path, _, query = url.partition("?")
        basic = base64.b64encode(f"AWS:{token or self.token}".encode()).decode()
        sent = {"authorization": f"Basic {basic}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
        }
        pieces = [*chunks] or [b""]
        messages: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: dict[str, object]) -> None:
            messages.append(message)

        asyncio.run(self.registry(scope, receive, send))
        start = messages[0]
        assert isinstance(start["status"], int)
        found = {k.decode(): v.decode() for k, v in start["headers"]}  # type: ignore[attr-defined]
        body = b"".join(m.get("body", b"") for m in messages[1:])  # type: ignore[misc]
        return Reply(start["status"], found, body)

    def upload(self, repository: str, *chunks: bytes) -> str:
        digest = digest_of(b"".join(chunks))
        place = self("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        assert self("PATCH", place, *chunks).status == 202
        assert self("PUT", f"{place}?digest={digest}").status == 201
        return digest

    def push(self, repository: str, reference: str, layer: bytes) -> Reply:
        config = self.upload(repository, b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": {"digest": config, "size": 2, "mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": [{"digest": self.upload(repository, layer), "size": len(layer), "mediaType": "x"}],
        }
        body = json.dumps(manifest).encode()
        return self("PUT", f"/v2/{repository}/manifests/{reference}", body, content_type=OCI)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def client(tmp_path: Path, journal: Journal) -> Iterator[Client]:
    rules = {"app": Rules("MUTABLE"), "team/app": Rules("MUTABLE"), "fixed": Rules("IMMUTABLE")}
    credentials = Tokens()
    found = Registry(
        tmp_path, credentials, lambda scope, name: rules.get(name) if scope.region == SCOPE.region else None, journal
    )
    return Client(found, credentials)  # type: ignore[return-value]


def test_chunks_become_a_blob_that_can_be_read_whole_and_in_part(client: Client) -> None:
    digest = client.upload("team/app", b"one ", b"two ", b"three")
    head = client("HEAD", f"/v2/team/app/blobs/{digest}")
    assert (head.status, head.headers["content-length"], head.body) == (200, "13", b"")
    assert client("GET", f"/v2/team/app/blobs/{digest}").body == b"one two three"
    part = client("GET", f"/v2/team/app/blobs/{digest}", range="bytes=4-6")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"two", "bytes 4-6/13")
    assert client("GET", f"/v2/team/app/blobs/{digest}", range="bytes=4-").body == b"two three"
    assert client("GET", f"/v2/team/app/blobs/{digest}", range="bytes=99-").status == 416


def test_one_request_uploads_too(client: Client) -> None:
    digest = digest_of(b"all at once")
    assert client("POST", f"/v2/app/blobs/uploads/?digest={digest}", b"all at", b" once").status == 201
    assert client("GET", f"/v2/app/blobs/{digest}").body == b"all at once"


def test_the_last_bytes_may_come_with_the_put(client: Client) -> None:
    place = client("POST", "/v2/app/blobs/uploads/").headers["location"]
    patched = client("PATCH", place, b"head ")
    assert patched.headers["range"] == "0-4"
    assert client("GET", place).status == 204
    digest = digest_of(b"head tail")
    assert client("PUT", f"{place}?digest={digest}", b"tail").status == 201
    assert client("GET", f"/v2/app/blobs/{digest}").body == b"head tail"


def test_wrong_digest_is_refused_and_leaves_nothing(client: Client, tmp_path: Path) -> None:
    place = client("POST", "/v2/app/blobs/uploads/").headers["location"]
    client("PATCH", place, b"data")
    wrong = client("PUT", f"{place}?digest={digest_of(b'other')}")
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert client("PATCH", place, b"more").code == "BLOB_UPLOAD_UNKNOWN"


def test_a_cancelled_upload_leaves_nothing(client: Client, tmp_path: Path) -> None:
    place = client("POST", "/v2/app/blobs/uploads/").headers["location"]
    client("PATCH", place, b"data")
    assert client("DELETE", place).status == 204
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_blobs_belong_to_repositories_until_mounted(client: Client) -> None:
    digest = client.upload("app", b"shared")
    assert client("HEAD", f"/v2/team/app/blobs/{digest}").status == 404
    assert client("POST", f"/v2/team/app/blobs/uploads/?mount={digest}&from=app").status == 201
    assert client("HEAD", f"/v2/team/app/blobs/{digest}").status == 200
    absent = digest_of(b"absent")
    assert client("POST", f"/v2/team/app/blobs/uploads/?mount={absent}&from=app").status == 202


def test_manifest_by_tag_and_by_digest(client: Client) -> None:
    pushed = client.push("app", "v1", b"layer")
    digest = pushed.headers["docker-content-digest"]
    assert pushed.status == 201
    for reference in ("v1", digest):
        found = client("GET", f"/v2/app/manifests/{reference}")
        assert digest_of(found.body) == digest == found.headers["docker-content-digest"]
        assert found.headers["content-type"] == OCI
        assert client("HEAD", f"/v2/app/manifests/{reference}").body == b""
    assert json.loads(client("GET", "/v2/app/tags/list").body) == {"name": "app", "tags": ["v1"]}
    assert client("GET", "/v2/app/manifests/v2").code == "MANIFEST_UNKNOWN"


def test_index_needs_its_manifests(client: Client) -> None:
    digest = client.push("app", "v1", b"layer").headers["docker-content-digest"]

    def index(of: str) -> bytes:
        entry = {"digest": of, "size": 1, "mediaType": OCI}
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()

    assert client("PUT", "/v2/app/manifests/all", index(digest), content_type=INDEX).status == 201
    assert client("PUT", "/v2/app/manifests/all", index(digest_of(b"?"))).code == "MANIFEST_BLOB_UNKNOWN"


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"schemaVersion": 1}', b'{"schemaVersion": 2, "layers": [{"digest": "x"}]}']
)
def test_what_is_no_manifest_is_refused(client: Client, body: bytes) -> None:
    assert client("PUT", "/v2/app/manifests/v1", body).code == "MANIFEST_INVALID"


def test_manifest_with_a_missing_layer_is_refused(client: Client) -> None:
    layer = {"digest": digest_of(b"never sent"), "size": 1}
    body = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
    assert client("PUT", "/v2/app/manifests/v1", body).code == "MANIFEST_BLOB_UNKNOWN"


def test_manifest_beyond_four_mebibytes_is_refused(client: Client) -> None:
    assert client("PUT", "/v2/app/manifests/v1", b" " * (4 * 1024 * 1024 + 1)).status == 413


def test_immutable_tag_takes_the_same_image_only(client: Client) -> None:
    assert client.push("fixed", "v1", b"layer").status == 201
    assert client.push("fixed", "v1", b"layer").status == 201
    other = client.push("fixed", "v1", b"another")
    assert (other.status, other.code) == (400, "TAG_INVALID")
    assert client.push("app", "v1", b"layer").status == 201
    assert client.push("app", "v1", b"another").status == 201


def test_credentials_decide(client: Client) -> None:
    challenged = client("GET", "/v2/", token="wrong")
    assert (challenged.status, challenged.headers["www-authenticate"][:5]) == (401, "Basic")
    assert client("GET", "/v2/").status == 200
    foreign = client.credentials.issue(Scope(SCOPE.account, "eu-west-1"))[0]
    assert client("HEAD", "/v2/app/blobs/" + digest_of(b""), token=foreign).status == 404
    client.credentials.expire_all()
    expired = client("GET", "/v2/")
    assert (expired.status, expired.code) == (403, "DENIED")


@pytest.mark.parametrize("path", ["/v2/app/../fixed/tags/list", "/v2/App/tags/list", "/v2//tags/list", "/v2/app/x"])
def test_paths_outside_of_the_protocol_are_refused(client: Client, path: str) -> None:
    assert client("GET", path).status == 404


def test_unknown_repository_is_named(client: Client) -> None:
    unknown = client("POST", "/v2/nobody/blobs/uploads/")
    assert (unknown.status, unknown.code) == (404, "NAME_UNKNOWN")
    assert b"'nobody'" in unknown.body


def test_every_request_is_in_the_journal(client: Client, journal: Journal) -> None:
    client("GET", "/v2/")
    client.push("app", "v1", b"layer")
    client("GET", "/v2/app/manifests/none")
    calls = journal.as_json()["calls"]
    assert [(c["action"], c["mutating"]) for c in (calls[0], calls[-2])] == [("Ping", False), ("PutManifest", True)]
    assert calls[-1]["outcome"] == "MANIFEST_UNKNOWN"
    assert not calls[-1]["mutating"]
