"""ECR's operations on images that lie in the sandbox's registry, on a real disk."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.ecr import Ecr, repository_rules
from model_sandbox.journal import Journal
from model_sandbox.registry import Registry, Rules
from model_sandbox.tokens import Grant, Scope, Tokens

SCOPE = Scope("123456789012", "eu-west-1")
ACCOUNT = SCOPE.account
OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
FILTERS = "imageTagMutabilityExclusionFilters"
UNKNOWN = "The repository with name 'other' does not exist in the registry with id '123456789012'"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Account:
    """An account with the repository `app`; ministack's part of ECR is a stand-in, the registry is ours."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.repositories: dict[str, Any] = {"app": {"repositoryName": "app"}}
        self.asked: list[tuple[str, Any]] = []
        self.within_of: list[Scope] = []
        self.ecr: Any = SimpleNamespace(
            _repositories=self.repositories,
            _delete_repository=self._plain("delete"),
            _put_image_tag_mutability=self._plain("mutability"),
            _describe_repositories=self._plain("describe"),
            handle_request=self._other,
        )
        self.tokens = Tokens(clock=lambda: 1000.0)
        self.registry = Registry(folder, self.tokens, lambda scope, name: None, Journal())
        self.storage = self.registry.storage(SCOPE)
        self.ours = Ecr(self, self.registry, self.tokens, "127.0.0.1:4566", lambda: "AKIA1")  # type: ignore[arg-type]
        self.ours.install()

    def scope(self) -> Scope:
        return SCOPE

    def within(self, scope: Scope) -> AbstractContextManager[None]:
        self.within_of.append(scope)
        return nullcontext()

    def _plain(self, operation: str) -> Any:
        def answer(request: Any) -> Any:
            self.asked.append((operation, request))
            if operation == "describe":
                shown = [{"repositoryName": name} for name in self.repositories]
                return 200, {}, json.dumps({"repositories": shown}).encode()
            return 200, {}, json.dumps({"did": operation}).encode()

        return answer

    @staticmethod
    async def _other(*_: Any) -> Any:
        return 299, {}, b'"ministack"'

    def call(self, operation: str, **request: Any) -> Any:
        """Return the answer, or code and message of a refusal."""
        headers = {"x-amz-target": f"AmazonEC2ContainerRegistry_V20150921.{operation}"}
        body = json.dumps({"repositoryName": "app", **request}).encode()
        status, _, content = self.runner.run(self.ecr.handle_request("POST", "/", headers, body, {}))
        found = json.loads(content)
        return (found["__type"], found["message"]) if status == 400 else found

    def manifest(self, layer: bytes, **more: Any) -> bytes:
        """Return a manifest of one layer, which is laid into the repository."""
        for content in (b"{}", layer):
            upload = self.storage.begin_upload()
            self.storage.append(upload, content)
            self.storage.finish("app", upload, digest_of(content))
        return json.dumps(
            {
                **{"schemaVersion": 2, "config": {"digest": digest_of(b"{}"), "size": 2, "mediaType": CONFIG}},
                **{"layers": [{"digest": digest_of(layer), "size": len(layer)}], **more},
            }
        ).encode()

    def push(self, tag: str, layer: bytes) -> str:
        """Store an image as docker does; return its digest."""
        return self.storage.put_manifest("app", tag, OCI, self.manifest(layer), immutable=False)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    moments = iter(range(100, 1000))
    monkeypatch.setattr("model_sandbox.storage.time", SimpleNamespace(time=lambda: float(next(moments))))
    with asyncio.Runner() as runner:
        yield Account(tmp_path, runner)


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        ({}, Rules("MUTABLE", (), scans=False)),
        ({FILTERS: None, "imageScanningConfiguration": {}}, Rules("MUTABLE", (), scans=False)),
        (
            {
                **{"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", FILTERS: [{"filter": "dev*"}, {"filter": "x"}]},
                "imageScanningConfiguration": {"scanOnPush": True},
            },
            Rules("IMMUTABLE_WITH_EXCLUSION", ("dev*", "x"), scans=True),
        ),
    ],
)
def test_the_registry_asks_a_repository_for_its_rules(account: Account, settings: Any, rules: Rules) -> None:
    account.repositories["app"] |= settings
    there = Scope("1", "us-east-1")
    assert repository_rules(account, there, "app") == rules  # type: ignore[arg-type]
    assert repository_rules(account, there, "other") is None  # type: ignore[arg-type]
    assert account.within_of == [there, there]


def test_images_have_the_sandboxs_own_address(account: Account) -> None:
    assert account.ecr._repo_uri("team/app") == "127.0.0.1:4566/team/app"


def test_a_password_is_that_of_the_caller(account: Account) -> None:
    (data,) = account.call("GetAuthorizationToken")["authorizationData"]
    assert account.tokens.check(f"Basic {data['authorizationToken']}") == Grant(SCOPE, "AKIA1")
    assert base64.b64decode(data.pop("authorizationToken")).startswith(b"AWS:")
    assert data == {"expiresAt": 1000.0 + 12 * 3600, "proxyEndpoint": "http://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DescribeImages", {}),
        ("ListImages", {}),
        ("BatchGetImage", {"imageIds": []}),
        ("BatchDeleteImage", {"imageIds": []}),
        ("PutImage", {}),
        ("DeleteRepository", {}),
        ("DescribeImageScanFindings", {}),
        ("StartImageScan", {}),
    ],
)
def test_a_repository_that_is_missing_is_named(account: Account, operation: str, request_: Any) -> None:
    refused = ("RepositoryNotFoundException", UNKNOWN)
    assert account.call(operation, repositoryName="other", **request_) == refused


def test_other_operations_are_ministacks(account: Account) -> None:
    assert account.call("CreateRepository") == "ministack"


def detail(digest: str, pushed: float, size: int, *tags: str) -> dict[str, Any]:
    return {
        **{"registryId": ACCOUNT, "repositoryName": "app", "imageDigest": digest},
        **({"imageTags": list(tags)} if tags else {}),
        **{"imageSizeInBytes": size, "imagePushedAt": pushed, "imageManifestMediaType": OCI},
        "artifactMediaType": CONFIG,
    }


def test_images_are_described_newest_first_or_as_asked(account: Account) -> None:
    first = account.push("v1", b"layer")
    account.storage.put_manifest("app", "latest", OCI, account.manifest(b"layer"), immutable=False)
    second = account.push("gone", b"another")
    account.storage.untag("app", "gone")
    one, two = detail(first, 100.0, 7, "latest", "v1"), detail(second, 101.0, 9)
    for asked, shown in (
        ({}, [two, one]),
        ({"filter": {"tagStatus": "ANY"}}, [two, one]),
        ({"filter": {"tagStatus": "TAGGED"}}, [one]),
        ({"filter": {"tagStatus": "UNTAGGED"}}, [two]),
        ({"imageIds": [{"imageTag": "v1"}, {"imageDigest": second}]}, [one, two]),
        ({"imageIds": None}, [two, one]),
    ):
        assert account.call("DescribeImages", **asked) == {"imageDetails": shown}
    tagged = [{"imageDigest": first, "imageTag": tag} for tag in ("latest", "v1")]
    for asked, pairs in (
        ({}, [{"imageDigest": second}, *tagged]),
        ({"filter": {"tagStatus": "TAGGED"}}, tagged),
        ({"filter": {"tagStatus": "UNTAGGED"}}, [{"imageDigest": second}]),
    ):
        assert account.call("ListImages", **asked) == {"imageIds": pairs}


def test_the_kind_of_an_index_is_its_own(account: Account) -> None:
    digest = account.push("v1", b"layer")
    index = {"schemaVersion": 2, "manifests": [{"digest": digest, "size": 1}]}
    account.storage.put_manifest("app", "all", "an/index", json.dumps(index).encode(), immutable=False)
    (shown,) = account.call("DescribeImages", imageIds=[{"imageTag": "all"}])["imageDetails"]
    assert (shown["artifactMediaType"], shown["imageSizeInBytes"]) == ("an/index", 7)


MISSING = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def test_images_are_got_and_what_is_missing_is_told(account: Account) -> None:
    digest, other = account.push("v1", b"layer"), account.push("v2", b"another")
    manifest = account.manifest(b"layer").decode()

    def image(**identity: str) -> dict[str, Any]:
        return {
            **{"registryId": ACCOUNT, "repositoryName": "app", "imageId": {"imageDigest": digest, **identity}},
            **{"imageManifest": manifest, "imageManifestMediaType": OCI},
        }

    wrong = [
        {"imageTag": "none"},
        {"imageDigest": digest_of(b"none")},
        {"imageDigest": "sha256:short"},
        {"imageDigest": other, "imageTag": "v1"},
        {},
    ]
    found = [{"imageTag": "v1"}, {"imageDigest": digest}, {"imageDigest": digest, "imageTag": "v1"}]
    assert account.call("BatchGetImage", imageIds=[*wrong, *found]) == {
        "images": [image(imageTag="v1"), image(), image(imageTag="v1")],
        "failures": [{"imageId": each, **MISSING} for each in wrong],
    }
    assert account.call("BatchGetImage") == {"images": [], "failures": []}
    words = f"{{imageDigest:'{other}', imageTag:'v1'}}"
    why = f"The image with imageId {words} does not exist within the repository with name 'app' in the registry with id"
    for operation, request in (
        ("DescribeImages", {"imageIds": [wrong[3]]}),
        ("DescribeImageScanFindings", {"imageId": wrong[3]}),
        ("StartImageScan", {"imageId": wrong[3]}),
    ):
        assert account.call(operation, **request) == ("ImageNotFoundException", f"{why} '{ACCOUNT}'")


def test_an_image_goes_with_its_last_tag_or_by_its_digest(account: Account) -> None:
    digest = account.push("v1", b"layer")
    account.push("v2", b"layer")
    other = account.push("v3", b"another")

    def left() -> dict[str, list[str]]:
        return {
            image.digest: account.storage.tags_of("app", image.digest) for image in account.storage.manifests("app")
        }

    assert account.call("BatchDeleteImage", imageIds=[{"imageTag": "v1"}, {"imageTag": "v1"}]) == {
        "imageIds": [{"imageTag": "v1", "imageDigest": digest}],
        "failures": [{"imageId": {"imageTag": "v1"}, **MISSING}],
    }
    assert left() == {digest: ["v2"], other: ["v3"]}
    account.call("BatchDeleteImage", imageIds=[{"imageTag": "v2"}])
    assert left() == {other: ["v3"]}
    assert account.call("BatchDeleteImage", imageIds=[{"imageDigest": other}]) == {
        "imageIds": [{"imageDigest": other}],
        "failures": [],
    }
    assert left() == {}
    assert account.call("BatchDeleteImage") == {"imageIds": [], "failures": []}


def test_a_manifest_is_put_under_a_tag_or_by_its_digest(account: Account) -> None:
    content = account.manifest(b"layer", mediaType=OCI)
    digest = digest_of(content)

    def image(**identity: str) -> dict[str, Any]:
        return {
            "image": {
                **{"registryId": ACCOUNT, "repositoryName": "app", "imageId": {"imageDigest": digest, **identity}},
                **{"imageManifest": content.decode(), "imageManifestMediaType": OCI},
            }
        }

    assert account.call("PutImage", imageManifest=content.decode(), imageDigest=digest) == image()
    assert account.storage.tags("app") == {}
    assert account.call("PutImage", imageManifest=content.decode(), imageTag="v1") == image(imageTag="v1")
    assert account.call("PutImage", imageManifest=content.decode(), imageTag="v2") == image(imageTag="v2")
    assert account.storage.tags("app") == {"v1": digest, "v2": digest}
    why = f"Image with digest '{digest}' and tag 'v1' already exists in the 'app' repository"
    refused = ("ImageAlreadyExistsException", why)
    assert account.call("PutImage", imageManifest=content.decode(), imageTag="v1") == refused
    assert account.call("PutImage", imageManifest=content.decode(), imageDigest=digest) == image()


def test_a_manifest_needs_neither_tag_nor_digest(account: Account) -> None:
    content = account.manifest(b"layer")
    put = account.call("PutImage", imageManifest=content.decode())
    assert put["image"]["imageId"] == {"imageDigest": digest_of(content)}
    assert account.storage.tags("app") == {}


@pytest.mark.parametrize(("asked", "kind"), [({}, DOCKER), ({"imageManifestMediaType": OCI}, OCI)])
def test_a_manifest_that_does_not_say_its_type_has_the_given_one(account: Account, asked: Any, kind: str) -> None:
    put = account.call("PutImage", imageManifest=account.manifest(b"layer").decode(), imageTag="v1", **asked)
    assert put["image"]["imageManifestMediaType"] == kind


def test_what_cannot_be_put_is_refused_in_ecrs_words(account: Account) -> None:
    account.push("v1", b"layer")
    other = account.manifest(b"another").decode()
    layer = {"digest": digest_of(b"?"), "size": 1}
    missing = json.dumps({"schemaVersion": 2, "layers": [layer]})
    put = {"imageManifest": missing, "imageTag": "v2"}
    assert account.call("PutImage", **put) == (
        "LayersNotFoundException",
        f"blob {digest_of(b'?')} unknown to registry",
    )
    assert account.call("PutImage", imageManifest=other, imageDigest=digest_of(b"")) == (
        "InvalidParameterException",
        "provided digest did not match uploaded content",
    )
    code, why = account.call("PutImage", imageTag="v1")
    assert (code, why[:17]) == ("InvalidParameterException", "manifest invalid:")
    account.repositories["app"]["imageTagMutability"] = "IMMUTABLE"
    assert account.call("PutImage", imageManifest=other, imageTag="v1") == (
        "ImageTagAlreadyExistsException",
        "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is "
        "immutable.",
    )
    account.repositories["app"][FILTERS] = [{"filter": "v*"}]
    assert "image" in account.call("PutImage", imageManifest=other, imageTag="v1")


def test_a_repository_with_images_goes_only_by_force(account: Account) -> None:
    account.push("v1", b"layer")
    why = f"The repository with name 'app' in registry with id '{ACCOUNT}' cannot be deleted because it still contains"
    assert account.call("DeleteRepository") == ("RepositoryNotEmptyException", f"{why} images")
    assert (account.asked, len(account.storage.manifests("app"))) == ([], 1)
    assert account.call("DeleteRepository", force=True) == {"did": "delete"}
    assert account.asked == [("delete", {"repositoryName": "app", "force": True})]
    assert account.storage.manifests("app") == []
    assert account.call("DeleteRepository", force=False) == {"did": "delete"}, "it is empty"
    assert account.asked[1] == ("delete", {"repositoryName": "app", "force": True})


def test_the_filters_of_immutability_are_kept_and_shown(account: Account) -> None:
    account.repositories["plain"] = {"repositoryName": "plain"}
    filters = [{"filterType": "WILDCARD", "filter": "dev*"}]
    assert account.call("PutImageTagMutability", **{FILTERS: filters}) == {"did": "mutability", FILTERS: filters}
    assert account.asked == [("mutability", {"repositoryName": "app", FILTERS: filters})]
    assert account.call("DescribeRepositories") == {
        "repositories": [{"repositoryName": "app", FILTERS: filters}, {"repositoryName": "plain"}]
    }
    assert account.call("PutImageTagMutability") == {"did": "mutability", FILTERS: []}
    assert account.call("DescribeRepositories", a=1)["repositories"][0] == {"repositoryName": "app"}
    assert account.asked[-1] == ("describe", {"repositoryName": "app", "a": 1})


def test_findings_are_those_of_a_scan(account: Account) -> None:
    digest = account.push("v1", b"layer")
    identity = {"imageTag": "v1"}
    why = f"Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the repository with name 'app'"
    assert account.call("DescribeImageScanFindings", imageId=identity) == ("ScanNotFoundException", why)
    facts = {"registryId": ACCOUNT, "repositoryName": "app", "imageId": {"imageDigest": digest}}
    assert account.call("StartImageScan", imageId=identity) == {
        **facts,
        "imageScanStatus": {"status": "IN_PROGRESS"},
    }
    assert account.call("DescribeImageScanFindings", imageId=identity) == {
        **facts,
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {"findings": [], "findingSeverityCounts": {}},
    }
    assert account.registry.scanned == {(SCOPE, "app", digest)}
    (shown,) = account.call("DescribeImages")["imageDetails"]
    assert shown == {
        **detail(digest, 100.0, 7, "v1"),
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindingsSummary": {"findingSeverityCounts": {}},
    }


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_a_scan_of_no_image_is_refused(account: Account, operation: str) -> None:
    why = "The image with imageId {} does not exist within the repository with name 'app' in the registry with id"
    assert account.call(operation) == ("ImageNotFoundException", f"{why} '{ACCOUNT}'")
