"""The registry's answers, whole: status, headers and body of each request, and what is kept on the disk."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import storage as storages
from model_sandbox.journal import Journal
from model_sandbox.registry import Registry, Rules
from model_sandbox.storage import Manifest, Storage, StorageError, hex_of, read_chunks
from model_sandbox.tokens import Grant, Scope, Tokens
from tests.rig.asgi_client import Answered, ask
from tests.unit.sandbox.test_registry import INDEX, OCI, digest_of

SCOPE = Scope("123456789012", "us-east-1")
DATA = b"0123456789"
DIGEST = digest_of(DATA)
CONFIG = {"digest": DIGEST, "size": 10, "mediaType": "config"}
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": CONFIG, "layers": []}).encode()
CHALLENGE = 'Basic realm="https://ecr.sandbox/",service="ecr.amazonaws.com"'


class Rig:
    """A registry with repositories `app`, `team/app` and `fixed`, asked by a caller whose policies count."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, caller: str = "AKIA") -> None:
        numbers = iter(range(1, 99))
        fakes = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
        monkeypatch.setattr(storages, "secrets", fakes)
        monkeypatch.setattr(storages, "time", SimpleNamespace(time=lambda: 1000.0 + next(numbers)))
        self.journal, self.credentials, self.folder = Journal(), Tokens(), folder
        self.refusals: dict[str, str] = {}
        self.looked: list[Any] = []
        self.rules = {"app": Rules("MUTABLE"), "team/app": Rules("MUTABLE", scans=True), "fixed": Rules("IMMUTABLE")}
        self.registry = Registry(
            folder, self.credentials, lambda _, name: self.rules.get(name), self.journal, self._refuse
        )
        self.token = self.credentials.issue(SCOPE, caller=caller)[0]

    def _refuse(self, grant: Grant, action: str, name: str) -> str | None:
        self.looked.append((grant, action, name))
        return self.refusals.get(action)

    def ask(self, method: str, url: str, body: Any = b"", **headers: str) -> Answered:
        path, _, query = url.partition("?")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.registry, method, path, {**basic(self.token), **named}, body, query)

    def upload(self, repository: str = "app", data: bytes = DATA) -> str:
        assert self.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(data)}", data).status == 201
        return digest_of(data)

    def called(self) -> tuple[str, str, bool, tuple[str, ...]]:
        last = self.journal.as_json()["calls"][-1]
        assert last["service"] == "registry"
        return last["action"], last["outcome"], last["mutating"], last["asked"]


def basic(token: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"AWS:{token}".encode()).decode()}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def refusal(status: int, code: str, message: str, **more: str) -> Answered:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    head = {"content-length": str(len(body)), "content-type": "application/json", **more}
    return Answered(status, head, body)


def test_an_upload_in_pieces(rig: Rig) -> None:
    one = "/v2/app/blobs/uploads/" + "1".zfill(32)
    place = {"content-length": "0", "location": one, "docker-upload-uuid": "1".zfill(32)}
    assert rig.ask("POST", "/v2/app/blobs/uploads/") == Answered(202, {**place, "range": "0-0"}, b"")
    assert rig.called() == ("PostUpload", "ok", True, ("ecr:InitiateLayerUpload app",))
    assert rig.ask("PATCH", one, [DATA[:3], DATA[3:7]]) == Answered(202, {**place, "range": "0-6"}, b"")
    assert rig.called() == ("PatchUpload", "ok", True, ("ecr:UploadLayerPart app",))
    assert rig.ask("GET", one) == Answered(204, {**place, "range": "0-6"}, b"")
    assert rig.called() == ("GetUpload", "ok", False, ())
    made = {"content-length": "0", "location": f"/v2/app/blobs/{DIGEST}", "docker-content-digest": DIGEST}
    assert rig.ask("PUT", f"{one}?digest={DIGEST}", DATA[7:], content_length="3") == Answered(201, made, b"")
    assert rig.called()[3] == ("ecr:UploadLayerPart app", "ecr:CompleteLayerUpload app")
    two = rig.ask("POST", "/v2/app/blobs/uploads/").headers["location"]
    assert rig.ask("DELETE", two) == Answered(204, {"content-length": "0"}, b"")
    assert rig.called() == ("DeleteUpload", "ok", True, ())
    gone = refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    assert rig.ask("GET", two) == rig.ask("PATCH", one, b"x") == gone
    root = rig.folder / "123456789012" / "us-east-1"
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == {
        *(f"blobs/{hex_of(DIGEST)}", f"repositories/app/blobs/{hex_of(DIGEST)}")
    }


def test_a_put_that_brings_nothing_more_only_completes(rig: Rig) -> None:
    place = rig.ask("POST", "/v2/app/blobs/uploads/").headers["location"]
    rig.ask("PATCH", place, DATA)
    assert rig.ask("PUT", f"{place}?digest={DIGEST}", content_length="0").status == 201
    assert rig.called()[3] == ("ecr:CompleteLayerUpload app",)


def test_an_upload_that_breaks_off_is_forgotten(rig: Rig) -> None:
    place = rig.ask("POST", "/v2/app/blobs/uploads/").headers["location"]
    assert rig.ask("PATCH", place, []) == refusal(400, "BLOB_UPLOAD_INVALID", "the client went away")
    assert rig.called() == ("PATCH " + place, "BLOB_UPLOAD_INVALID", True, ("ecr:UploadLayerPart app",))
    assert rig.ask("GET", place).status == 404


def test_a_digest_that_is_wrong_or_none(rig: Rig) -> None:
    place = rig.ask("POST", "/v2/app/blobs/uploads/").headers["location"]
    assert rig.ask("PUT", place, DATA) == refusal(400, "DIGEST_INVALID", "'' is not a sha256 digest")
    wrong = refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    assert rig.ask("PUT", f"{place}?digest={digest_of(b'other')}") == wrong
    assert rig.ask("GET", place).status == 404


def test_a_layer_is_mounted_from_another_repository_or_begun(rig: Rig) -> None:
    rig.upload()
    made = {"content-length": "0", "location": f"/v2/fixed/blobs/{DIGEST}", "docker-content-digest": DIGEST}
    assert rig.ask("POST", f"/v2/fixed/blobs/uploads/?mount={DIGEST}&from=app") == Answered(201, made, b"")
    assert rig.ask("POST", f"/v2/fixed/blobs/uploads/?mount={DIGEST}").status == 201  # from itself
    for source in ("team/app", "../app", ""):
        assert rig.ask("POST", f"/v2/team/app/blobs/uploads/?mount={DIGEST}&from={source}").status == 202
    assert rig.ask("HEAD", f"/v2/team/app/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize(
    ("method", "wanted", "status", "body", "more"),
    [
        ("GET", "", 200, DATA, {}),
        ("HEAD", "", 200, b"", {"content-length": "10"}),
        ("HEAD", "bytes=2-3", 200, b"", {"content-length": "10"}),
        ("GET", "bytes=2-3", 206, b"23", {"content-range": "bytes 2-3/10"}),
        ("GET", "bytes=7-", 206, b"789", {"content-range": "bytes 7-9/10"}),
        ("GET", "bytes=9-99", 206, b"9", {"content-range": "bytes 9-9/10"}),
        ("GET", "bytes=-3", 200, DATA, {}),
    ],
)
def test_a_layer_whole_and_in_part(
    rig: Rig, method: str, wanted: str, status: int, body: bytes, more: dict[str, str]
) -> None:
    rig.upload()
    head = {
        **{"content-type": "application/octet-stream", "docker-content-digest": DIGEST, "accept-ranges": "bytes"},
        **{"content-length": str(len(body)), **more},
    }
    answer = rig.ask(method, f"/v2/app/blobs/{DIGEST}", **({"range": wanted} if wanted else {}))
    assert answer == Answered(status, head, body)
    action = {"GET": "ecr:GetDownloadUrlForLayer", "HEAD": "ecr:BatchCheckLayerAvailability"}[method]
    assert rig.called() == (f"{method.capitalize()}Blob", "ok", False, (f"{action} app",))


def test_what_of_a_layer_is_not_there(rig: Rig) -> None:
    rig.upload()
    for wanted in ("bytes=10-", "bytes=5-4"):
        answer = rig.ask("GET", f"/v2/app/blobs/{DIGEST}", range=wanted)
        assert answer == refusal(416, "RANGE_INVALID", f"{wanted} is outside of the blob")
    absent = digest_of(b"absent")
    assert rig.ask("GET", f"/v2/app/blobs/{absent}") == refusal(
        *(404, "BLOB_UNKNOWN"), f"blob {absent} unknown to registry"
    )


def test_a_manifest_by_tag_and_by_digest(rig: Rig) -> None:
    rig.upload("team/app")
    digest = digest_of(MANIFEST)
    made = {
        **{"content-length": "0", "location": f"/v2/team/app/manifests/{digest}", "docker-content-digest": digest},
    }
    assert rig.ask("PUT", "/v2/team/app/manifests/v1", MANIFEST) == Answered(201, made, b"")
    assert rig.called() == ("PutManifest", "ok", True, ("ecr:PutImage team/app",))
    assert rig.registry.scanned == {(SCOPE, "team/app", digest)}
    head = {"content-type": OCI, "docker-content-digest": digest, "content-length": str(len(MANIFEST))}
    for reference in ("v1", digest):
        assert rig.ask("GET", f"/v2/team/app/manifests/{reference}") == Answered(200, head, MANIFEST)
        assert rig.ask("HEAD", f"/v2/team/app/manifests/{reference}") == Answered(200, head, b"")
        assert rig.called() == ("HeadManifest", "ok", False, ("ecr:BatchGetImage team/app",))
    tags = json.dumps({"name": "team/app", "tags": ["v1"]}).encode()
    shown = {"content-length": str(len(tags)), "content-type": "application/json"}
    assert rig.ask("GET", "/v2/team/app/tags/list") == Answered(200, shown, tags)
    assert rig.called() == ("GetTags", "ok", False, ("ecr:ListImages team/app",))
    for reference in ("v2", digest_of(b"other")):
        unknown = refusal(404, "MANIFEST_UNKNOWN", "Requested image not found")
        assert rig.ask("GET", f"/v2/team/app/manifests/{reference}") == unknown
    rig.upload("app")
    rig.ask("PUT", "/v2/app/manifests/v1", MANIFEST)
    assert len(rig.registry.scanned) == 1  # nothing scans what is pushed to app


def manifest(**members: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **members}).encode()


ABSENT = digest_of(b"absent")


@pytest.mark.parametrize(
    ("reference", "content", "status", "code", "message"),
    [
        ("v1", manifest(layers=[{"digest": ABSENT, "size": 1}]), *(404, "MANIFEST_BLOB_UNKNOWN"), f"blob {ABSENT}"),
        ("v1", manifest(config={"digest": ABSENT, "size": 1}), *(404, "MANIFEST_BLOB_UNKNOWN"), f"blob {ABSENT}"),
        (
            *("v1", manifest(manifests=[{"digest": ABSENT, "size": 1}])),
            *(404, "MANIFEST_BLOB_UNKNOWN", f"manifest {ABSENT}"),
        ),
        (ABSENT, MANIFEST, 400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
        ("-v1", MANIFEST, 400, "TAG_INVALID", "'-v1' is not a tag"),
        ("v" * 129, MANIFEST, 400, "TAG_INVALID", f"'{'v' * 129}' is not a tag"),
        (
            *("v1", json.dumps({"schemaVersion": 1}).encode()),
            *(400, "MANIFEST_INVALID", "manifest invalid: only schema version 2 is known"),
        ),
        (
            *("v1", manifest(layers=[{"digest": DIGEST, "size": -1}])),
            *(400, "MANIFEST_INVALID", "manifest invalid: only schema version 2 is known"),
        ),
        (
            *("v1", manifest(layers=[{"digest": "x", "size": 1}])),
            *(400, "MANIFEST_INVALID", "manifest invalid: 'x' is not a sha256 digest"),
        ),
        ("v1", b"{}", 400, "MANIFEST_INVALID", "manifest invalid: 'schemaVersion'"),
    ],
)
def test_a_manifest_that_is_refused(
    rig: Rig, reference: str, content: bytes, status: int, code: str, message: str
) -> None:
    rig.upload()
    told = f"{message} unknown to registry" if code == "MANIFEST_BLOB_UNKNOWN" else message
    assert rig.ask("PUT", f"/v2/app/manifests/{reference}", content) == refusal(status, code, told)
    assert json.loads(rig.ask("GET", "/v2/app/tags/list").body)["tags"] == []


def test_what_a_manifest_may_be(rig: Rig) -> None:
    rig.upload()
    foreign = manifest(layers=[{"digest": ABSENT, "size": 0, "urls": ["https://elsewhere"]}], config=None)
    assert rig.ask("PUT", f"/v2/app/manifests/{'v' * 128}", foreign, content_type="mine").status == 201
    assert rig.ask("GET", f"/v2/app/manifests/{'v' * 128}").headers["content-type"] == "mine"
    assert rig.ask("PUT", f"/v2/app/manifests/{digest_of(MANIFEST)}", MANIFEST).status == 201
    index = manifest(manifests=[{"digest": digest_of(MANIFEST), "size": 1}], mediaType=INDEX)
    assert rig.ask("PUT", "/v2/app/manifests/all", index, content_type="mine").status == 201
    assert rig.ask("HEAD", "/v2/app/manifests/all").headers["content-type"] == INDEX


def test_a_manifest_has_four_mebibytes_at_most(rig: Rig) -> None:
    room = b" " * (4 * 1024 * 1024)
    assert rig.ask("PUT", "/v2/app/manifests/v1", room).status == 400  # it is read, and is none
    told = "request body is larger than 4194304 bytes"
    assert rig.ask("PUT", "/v2/app/manifests/v1", [room, b" "]) == refusal(413, "SIZE_INVALID", told)
    assert rig.called()[1] == "SIZE_INVALID"


def test_a_tag_that_is_fixed(rig: Rig) -> None:
    rig.upload("fixed")
    other = manifest(config=CONFIG)
    assert rig.ask("PUT", "/v2/fixed/manifests/v1", MANIFEST).status == 201
    assert rig.ask("PUT", "/v2/fixed/manifests/v1", MANIFEST).status == 201
    told = (
        "The image tag 'v1' already exists in the 'fixed' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    assert rig.ask("PUT", "/v2/fixed/manifests/v1", other) == refusal(400, "TAG_INVALID", told)
    assert rig.ask("PUT", f"/v2/fixed/manifests/{digest_of(other)}", other).status == 201


@pytest.mark.parametrize(
    ("mutability", "exclusions", "fixed"),
    [
        ("MUTABLE", (), []),
        ("IMMUTABLE", (), ["v1", "dev-1"]),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*",), ["v1"]),
        ("MUTABLE_WITH_EXCLUSION", ("dev-*", "x"), ["dev-1"]),
    ],
)
def test_which_tags_are_fixed(mutability: str, exclusions: tuple[str, ...], fixed: list[str]) -> None:
    rules = Rules(mutability, exclusions)
    assert [tag for tag in ("v1", "dev-1") if rules.fixes(tag)] == fixed


def test_who_may_not_and_who_is_nobody(rig: Rig) -> None:
    rig.refusals = {"ecr:PutImage": "not allowed"}
    rig.upload()
    assert rig.ask("PUT", "/v2/app/manifests/v1", MANIFEST) == refusal(403, "DENIED", "not allowed")
    assert rig.called() == ("PUT /v2/app/manifests/v1", "DENIED", True, ("ecr:PutImage app",))
    assert rig.looked[-1] == (Grant(SCOPE, "AKIA"), "ecr:PutImage", "app")
    unknown = refusal(401, "UNAUTHORIZED", "authentication required", **{"www-authenticate": CHALLENGE})
    assert ask(rig.registry, "GET", "/v2/", basic("none")) == unknown
    assert ask(rig.registry, "GET", "/v2/") == unknown
    assert rig.called() == ("GET /v2/", "UNAUTHORIZED", False, ())
    for path in ("/v2/", "/v2"):
        ping = {"content-length": "2", "content-type": "application/json"}
        assert ask(rig.registry, "GET", path, basic(rig.token)) == Answered(200, ping, b"{}")
        assert rig.called() == ("Ping", "ok", False, ())
    rig.credentials.expire_all()
    told = "Your authorization token has expired. Reauthenticate and try again."
    assert rig.ask("GET", "/v2/") == refusal(403, "DENIED", told)


def test_the_sandbox_itself_pulls_without_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, monkeypatch, caller="")
    rig.upload()
    assert (rig.looked, rig.called()[3]) == ([], ())


def test_a_repository_or_a_path_that_is_not_there(rig: Rig) -> None:
    told = "The repository with name 'none' does not exist in the registry with id '123456789012'"
    assert rig.ask("GET", "/v2/none/tags/list") == refusal(404, "NAME_UNKNOWN", told)
    for path in ("/v2/App/tags/list", "/v2/app/other", "/v2/app/blobs/sha256:12"):
        assert rig.ask("GET", path) == refusal(404, "NAME_INVALID", f"no such path: {path}")
    unsupported = refusal(405, "UNSUPPORTED", "The operation is unsupported.")
    for method, path in (
        ("DELETE", f"/v2/app/blobs/{DIGEST}"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("POST", "/v2/app/tags/list"),
    ):
        assert rig.ask(method, path) == unsupported


@pytest.mark.parametrize("name", ["a.b/c_d/e__f/g--h/0"])
def test_names_of_repositories(rig: Rig, name: str) -> None:
    rig.rules[name] = Rules("MUTABLE")
    assert rig.ask("GET", f"/v2/{name}/tags/list").status == 200


# ---- the files


def store(folder: Path, *images: tuple[str, bytes]) -> Storage:
    made = Storage(folder)
    for tag, content in images:
        made.put_manifest("app", tag, "m", content, immutable=False)
    return made


ONE, TWO = manifest(a=1), manifest(a=2)


def test_images_are_listed_newest_first_and_go_with_their_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([5.0, 9.0, 7.0])
    monkeypatch.setattr(storages, "time", SimpleNamespace(time=lambda: next(moments)))
    made = store(tmp_path, ("b", ONE), ("c", TWO), ("a", ONE))
    one, two = digest_of(ONE), digest_of(TWO)
    assert made.manifests("app") == [Manifest(two, "m", TWO, 9.0), Manifest(one, "m", ONE, 5.0)]
    assert made.tags("app") == {"a": one, "b": one, "c": two}
    assert list(made.tags("app")) == ["a", "b", "c"]
    assert made.tags_of("app", one) == ["a", "b"]
    made.untag("app", "a")
    made.untag("app", "a")
    assert (made.tags("app"), len(made.manifests("app"))) == ({"b": one, "c": two}, 2)
    made.delete_manifest("app", one)
    made.delete_manifest("app", one)
    assert (made.tags("app"), [each.digest for each in made.manifests("app")]) == ({"c": two}, [two])
    folder = tmp_path / "repositories" / "app" / "manifests"
    assert {path.name for path in folder.iterdir()} == {hex_of(two), f"{hex_of(two)}.json"}
    assert json.loads((folder / f"{hex_of(two)}.json").read_text()) == {"media_type": "m", "pushed_at": 9.0}
    made.delete_repository("app")
    made.delete_repository("app")
    assert list((tmp_path / "repositories").iterdir()) == []


def test_repositories_lie_apart_and_share_layers(tmp_path: Path) -> None:
    made = Storage(tmp_path)
    upload = made.begin_upload()
    assert made.upload(upload.identity) is upload
    made.append(upload, DATA)
    assert (upload.size, upload.path.read_bytes()) == (10, DATA)
    made.finish("team/app", upload, DIGEST)
    assert made.blob("team/app", DIGEST) == tmp_path / "blobs" / hex_of(DIGEST)
    assert made.blob("app", DIGEST) is None
    assert not made.mount("app", "other", DIGEST)
    assert made.mount("app", "team/app", DIGEST)
    assert made.blob("app", DIGEST) == made.blob("team/app", DIGEST)
    assert (tmp_path / "repositories" / "team%2Fapp" / "blobs" / hex_of(DIGEST)).exists()
    assert (made.manifest("app", "none"), made.tags("app"), made.manifests("app")) == (None, {}, [])


def test_the_size_of_an_image_is_that_of_its_layers(tmp_path: Path) -> None:
    made = Storage(tmp_path)
    urls = {"urls": ["u"]}
    layers = [{"digest": DIGEST, "size": 30, **urls}, {"digest": DIGEST, "size": 4, **urls}]
    one = manifest(config={"digest": DIGEST, "size": 200, **urls}, layers=layers)
    digest = made.put_manifest("app", "one", "m", one, immutable=False)
    parts = [{"digest": digest, "size": 1}, {"digest": digest, "size": 1}]
    made.put_manifest("app", "all", "m", manifest(manifests=parts), immutable=False)
    sizes = [made.size("app", image) for tag in ("one", "all") if (image := made.manifest("app", tag))]
    assert sizes == [234, 468]
    made.delete_manifest("app", digest)
    index = made.manifest("app", "all")
    assert index is not None
    assert made.size("app", index) == 0


@pytest.mark.parametrize("digest", ["", "sha256:12", "md5:" + "a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 65])
def test_what_is_no_digest(digest: str) -> None:
    with pytest.raises(StorageError) as caught:
        hex_of(digest)
    told = (caught.value.status, caught.value.code, str(caught.value))
    assert told == (400, "DIGEST_INVALID", f"{digest!r} is not a sha256 digest")
    assert hex_of("sha256:" + "a" * 64) == "a" * 64


def test_files_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "_READ_BYTES", 4)
    file = tmp_path / "file"
    file.write_bytes(DATA)
    assert list(read_chunks(file, 0, 10)) == [b"0123", b"4567", b"89"]
    assert list(read_chunks(file, 3, 5)) == [b"34"]
    assert list(read_chunks(file, 3, 3)) == []
    assert list(read_chunks(file, 8, 20)) == [b"89"]


def test_each_account_and_region_has_its_own_images(tmp_path: Path) -> None:
    registry = Registry(tmp_path, Tokens(), lambda *_: None, Journal())
    one = registry.storage(SCOPE)
    assert registry.storage(SCOPE) is one
    assert registry.storage(Scope(SCOPE.account, "eu-west-1")) is not one
    assert {path.name for path in (tmp_path / SCOPE.account).iterdir()} == {"us-east-1", "eu-west-1"}
    assert {path.name for path in (tmp_path / SCOPE.account / "us-east-1").iterdir()} == {
        *("blobs", "uploads", "repositories")
    }
