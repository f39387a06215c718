"""Amazon ECR's answers become repositories, images, logins or errors; only what is missing is asked for."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from model_dockerize.aws.ecr import registry
from model_dockerize.aws.ecr.registry import PushedImage, RegistryLogin, Repository
from model_dockerize.errors import AwsError, InputError, PushError
from tests.rig.scripted import Call, Script, refused

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BUILD = "0" * 32
IRIS = {
    "repositoryName": "iris",
    "repositoryUri": f"{HOST}/iris",
    "repositoryArn": "arn:iris",
    "imageTagMutability": "MUTABLE",
}
MANIFESTS = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]
NO_REPOSITORY, NO_IMAGE = refused("RepositoryNotFoundException"), refused("ImageNotFoundException")


def repository(answer: Any = None, **changes: str) -> Call:
    shown = answer or {"repositories": [{**IRIS, **changes}]}
    return "ecr:describe_repositories", {"repositoryNames": ["iris"]}, shown


def image(asked: dict[str, str], *tags: str, digest: str = DIGEST, answer: Any = None) -> Call:
    detail = {"repositoryName": "iris", "imageDigest": digest, **({"imageTags": list(tags)} if tags else {})}
    shown = answer or {"imageDetails": [{**detail, "imageManifestMediaType": "of-the-image"}]}
    return "ecr:describe_images", {"repositoryName": "iris", "imageIds": [asked]}, shown


def by_digest(*tags: str, answer: Any = None) -> Call:
    return image({"imageDigest": DIGEST}, *tags, answer=answer)


def by_tag(tag: str, digest: str = DIGEST, answer: Any = None) -> Call:
    return image({"imageTag": tag}, tag, digest=digest, answer=answer)


class TestEnsure:
    MAKING = (
        "ecr:create_repository",
        {
            "repositoryName": "iris",
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": False},
            "encryptionConfiguration": {"encryptionType": "AES256"},
            "tags": [{"Key": "model-dockerize", "Value": "registry"}, {"Key": "team", "Value": "a"}],
        },
    )

    def ensure(self, *calls: Call) -> tuple[Repository, list[str]]:
        with Script(*calls) as script:
            aws = replace(script.aws, tags={"team": "a"})
            made = registry.ensure_repository(aws, "iris", script.said)
        return made, [*map(str, aws.changes), *script.said.infos]

    @pytest.mark.parametrize("created", [True, False])
    def test_it_is_made_where_there_is_none(self, created: bool) -> None:
        calls = [repository(NO_REPOSITORY), (*self.MAKING, {"repository": IRIS})] if created else [repository()]
        told = (
            ["+ repository iris", "repository iris: made"]
            if created
            else ["= repository iris", "repository iris: there"]
        )
        assert self.ensure(*calls) == (Repository("iris", f"{HOST}/iris", "arn:iris", created), told)

    def test_who_made_it_meanwhile_made_it(self) -> None:
        calls = repository(NO_REPOSITORY), (*self.MAKING, refused("RepositoryAlreadyExistsException")), repository()
        assert self.ensure(*calls) == (Repository("iris", f"{HOST}/iris", "arn:iris", created=False), [])

    def test_what_aws_refuses_is_told(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.ensure(repository(NO_REPOSITORY), (*self.MAKING, refused("LimitExceededException", "too many")))
        assert str(caught.value) == "repository iris: Operation failed: LimitExceededException: too many"

    @pytest.mark.parametrize("name", ["a", "a" * 257, "Iris", "-a", "a--", "a//b"])
    def test_a_name_that_ecr_does_not_take_is_not_sent(self, name: str) -> None:
        with Script() as script, pytest.raises(InputError) as caught:
            registry.ensure_repository(script.aws, name, script.said)
        assert str(caught.value) == f"'{name}' cannot be the name of an ECR repository."
        assert caught.value.remedy == "2 to 256 of a-z, 0-9, and single . _ - / between them, e.g. models/iris."

    @pytest.mark.parametrize("name", ["ab", "a" * 256, "a__b.c-d/e--f"])
    def test_a_name_at_the_edge_is(self, name: str) -> None:
        asked = "ecr:describe_repositories", {"repositoryNames": [name]}, {"repositories": [IRIS]}
        with Script(asked) as script:
            assert not registry.ensure_repository(script.aws, name, script.said).created


PUSHED = PushedImage("iris", DIGEST, (f"build-{BUILD}",), f"{HOST}/iris@{DIGEST}")


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([repository(NO_REPOSITORY)], None),
        ([repository(), by_tag(f"build-{BUILD}", answer=NO_IMAGE)], None),
        ([repository(), by_tag(f"build-{BUILD}", answer=NO_REPOSITORY)], None),
        ([repository(), by_tag(f"build-{BUILD}", answer={"imageDetails": []})], None),
        ([repository(), by_tag(f"build-{BUILD}")], PUSHED),
    ],
)
def test_a_build_is_found_by_its_tag(calls: list[Call], found: PushedImage | None) -> None:
    with Script(*calls) as script:
        assert registry.find_build(script.aws, "iris", BUILD) == found


def test_a_build_that_may_not_be_looked_for_is_an_error() -> None:
    with Script(repository(refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
        registry.find_build(script.aws, "iris", BUILD)
    assert str(caught.value) == f"look for build {BUILD} in repository iris: Operation failed: ServerException: oh"


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["v1", f"build-{BUILD}", "v2"], ("v1", BUILD)),
        ([f"build-{BUILD}"], ("", BUILD)),
        (["build-of-mine"], ("build-of-mine", "")),
        ([], ("", "")),
    ],
)
def test_an_image_tells_its_version_and_build_by_its_tags(tags: list[str], found: tuple[str, str]) -> None:
    with Script(by_digest(*tags)) as script:
        assert registry.version_and_build(script.aws, f"{HOST}/iris@{DIGEST}") == found


def test_of_an_image_that_is_gone_or_has_no_digest_neither_is_known() -> None:
    for answer in (NO_IMAGE, NO_REPOSITORY):
        with Script(by_digest(answer=answer)) as script:
            assert registry.version_and_build(script.aws, f"{HOST}/iris@{DIGEST}") == ("", "")
    with Script() as script:
        assert registry.version_and_build(script.aws, f"{HOST}/iris:v1") == ("", "")
    with Script(by_digest(answer=refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
        registry.version_and_build(script.aws, f"{HOST}/iris@{DIGEST}")
    assert str(caught.value) == "image iris: Operation failed: ServerException: oh"


def test_builds_are_listed_newest_first_by_their_versions() -> None:
    shown = [
        [["theirs"], ["v1", f"build-{'1' * 32}"]],
        [[f"build-{'2' * 32}"], [f"build-{'3' * 32}", "v3", "stable"], ["build-short"]],
    ]
    days = iter((5, 1, 2, 4, 3))
    pages = [
        {
            "imageDetails": [
                {"imagePushedAt": datetime(2026, 1, next(days), tzinfo=UTC), "imageTags": tags} for tags in page
            ]
        }
        for page in shown
    ]
    asked = {"repositoryName": "iris", "filter": {"tagStatus": "TAGGED"}}
    with Script(("ecr:describe_images", asked, pages)) as script:
        assert registry.builds_in(script.aws, "iris") == ("iris:stable", f"iris:build-{'2' * 32}", "iris:v1")


@pytest.mark.parametrize(
    ("reference", "parts", "name"),
    [
        (f"{HOST}/models/iris:v1", (HOST, "models/iris", "v1"), "models/iris"),
        (f"{HOST}/iris", (HOST, "iris", "latest"), "iris"),
        ("localhost:5000/iris:v1", ("localhost:5000", "iris", "v1"), ""),
        ("localhost:5000/iris", ("localhost:5000", "iris", "latest"), ""),
        ("library/iris:v1", ("library", "iris", "v1"), ""),
        ("iris:v1", ("", "iris:v1", ""), ""),
        ("iris", ("", "iris", ""), ""),
        (f"{HOST}/iris@{DIGEST}", ("", f"{HOST}/iris@{DIGEST}", ""), "iris"),
        (f"{HOST}/iris:v1@{DIGEST}", ("", f"{HOST}/iris:v1@{DIGEST}", ""), "iris"),
    ],
)
def test_a_reference_has_parts(reference: str, parts: tuple[str, str, str], name: str) -> None:
    assert (registry.parts_of(reference), registry.repository_of(reference)) == (parts, name)


SOON = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = base64.b64encode(b"AWS:pass:word").decode()
LOGIN = (
    "ecr:get_authorization_token",
    {},
    {"authorizationData": [{"authorizationToken": TOKEN, "proxyEndpoint": f"https://{HOST}/", "expiresAt": SOON}]},
)


def test_a_login_is_a_secret_in_both_of_its_forms() -> None:
    with Script(LOGIN) as script:
        found = registry.login(script.aws)
    assert found == RegistryLogin("AWS", "pass:word", HOST, SOON)
    assert script.said.secrets == ["pass:word", TOKEN]
    assert "pass:word" not in repr(found)


def test_a_login_that_is_refused_is_told() -> None:
    with Script((*LOGIN[:2], refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
        registry.login(script.aws)
    assert str(caught.value) == "log in to ECR: Operation failed: ServerException: oh"


class TestPinned:
    @pytest.mark.parametrize("reference", ["iris:v1", f"{HOST}/iris@{DIGEST}"])
    def test_what_has_no_tag_of_a_registry_is_as_it_is(self, reference: str) -> None:
        with Script() as script:
            assert registry.pinned(script.aws, reference, script.said) == reference

    def test_another_registry_is_not_asked(self) -> None:
        with Script(LOGIN) as script:
            assert registry.pinned(script.aws, "ghcr.io/iris:v1", script.said) == "ghcr.io/iris:v1"

    def test_a_tag_of_ours_becomes_its_digest(self) -> None:
        with Script(LOGIN, repository(), by_tag("v1")) as script:
            assert registry.pinned(script.aws, f"{HOST}/iris:v1", script.said) == f"{HOST}/iris@{DIGEST}"
        assert script.said.infos == [f"{HOST}/iris:v1 is {DIGEST}"]

    @pytest.mark.parametrize(
        ("calls", "why"),
        [
            ([repository(NO_REPOSITORY)], "does not exist"),
            ([repository(), by_tag("v1", answer=NO_IMAGE)], "holds no version v1"),
        ],
    )
    def test_what_is_not_there_is_to_be_pushed_first(self, calls: list[Call], why: str) -> None:
        with Script(LOGIN, *calls) as script, pytest.raises(InputError) as caught:
            registry.pinned(script.aws, f"{HOST}/iris:v1", script.said)
        assert str(caught.value) == f"Repository iris {why} (image {HOST}/iris:v1)."
        assert caught.value.remedy == "Push it first, or correct the image."

    def test_what_may_not_be_looked_for_is_an_error(self) -> None:
        answer = repository(refused("ServerException", "oh"))
        with Script(LOGIN, answer) as script, pytest.raises(AwsError) as caught:
            registry.pinned(script.aws, f"{HOST}/iris:v1", script.said)
        assert str(caught.value) == f"look for image {HOST}/iris:v1: Operation failed: ServerException: oh"


VERSION = "Choose another version, or make the repository's tags mutable."


class TestCheckTag:
    def check(self, *calls: Call) -> str:
        with Script(*calls) as script:
            try:
                registry.check_tag(script.aws, "iris", "v1")
            except PushError as error:
                assert error.remedy == VERSION
                return str(error)
        return ""

    @pytest.mark.parametrize(
        ("mode", "filters", "is_fixed"),
        [
            *(("MUTABLE", [], False), ("IMMUTABLE", [], True), ("", [], False)),
            *(("MUTABLE_WITH_EXCLUSION", ["v*"], True), ("MUTABLE_WITH_EXCLUSION", ["w*"], False)),
            *(("IMMUTABLE_WITH_EXCLUSION", ["w*", "v*"], False), ("IMMUTABLE_WITH_EXCLUSION", ["w*"], True)),
        ],
    )
    def test_only_a_tag_that_cannot_be_moved_is_looked_at(self, mode: str, filters: list[str], is_fixed: bool) -> None:
        excluded = [{"filterType": "WILDCARD", "filter": each} for each in filters]
        shown = {**IRIS, "imageTagMutability": mode, "imageTagMutabilityExclusionFilters": excluded}
        there = repository({"repositories": [shown]})
        said = f"iris:v1 is taken by {OTHER}, and its tags are immutable." if is_fixed else ""
        assert self.check(there, *([by_tag("v1", OTHER)] if is_fixed else [])) == said

    def test_a_tag_that_is_free_may_be_taken(self) -> None:
        assert self.check(repository(NO_REPOSITORY)) == ""
        assert self.check(repository(imageTagMutability="IMMUTABLE"), by_tag("v1", answer=NO_IMAGE)) == ""

    def test_what_may_not_be_looked_for_is_an_error(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.check(repository(refused("ServerException", "oh")))
        assert str(caught.value) == "look for iris:v1: Operation failed: ServerException: oh"


def got(**changes: str) -> Call:
    asked = {"repositoryName": "iris", "imageIds": [{"imageDigest": DIGEST}], "acceptedMediaTypes": MANIFESTS}
    return "ecr:batch_get_image", asked, {"images": [{"imageManifest": "{}", **changes}]}


def put(tag: str, answer: Any = None, media: str = "of-the-image") -> Call:
    asked = {
        "repositoryName": "iris",
        "imageManifest": "{}",
        "imageManifestMediaType": media,
        "imageTag": tag,
        "imageDigest": DIGEST,
    }
    return "ecr:put_image", asked, answer or {}


class TestTag:
    def tag(self, *calls: Call) -> tuple[str, ...]:
        with Script(*calls) as script:
            return registry.tag_image(script.aws, "iris", DIGEST, ["v2", "v1", "v0"])

    def test_only_tags_that_are_missing_are_put(self) -> None:
        assert self.tag(by_digest("v2", "v1", "v0", "more")) == ()
        assert self.tag(by_digest("v1"), got(), put("v0"), put("v2")) == ("v0", "v2")
        assert self.tag(by_digest("v2", "v1"), got(imageManifestMediaType="it"), put("v0", media="it")) == ("v0",)
        assert self.tag(by_digest(), got(), put("v0"), put("v1"), put("v2")) == ("v0", "v1", "v2")

    def test_what_somebody_tagged_meanwhile_is_tagged(self) -> None:
        calls = put("v0", refused("ImageAlreadyExistsException")), put("v1")
        assert self.tag(by_digest("v2"), got(), *calls) == ("v0", "v1")

    def test_a_tag_that_cannot_be_moved_is_an_error(self) -> None:
        with pytest.raises(PushError) as caught:
            self.tag(by_digest("v2"), got(), put("v0", refused("ImageTagAlreadyExistsException")))
        assert str(caught.value) == "Tag v0 of repository iris belongs to another image, and its tags are immutable."
        assert caught.value.remedy == VERSION

    def test_an_image_that_is_not_there_is_to_be_pushed_first(self) -> None:
        with pytest.raises(PushError) as caught:
            self.tag(by_digest(answer=NO_IMAGE))
        assert str(caught.value) == f"Repository iris does not hold {DIGEST}."
        assert caught.value.remedy == "Push the image before it is tagged."

    def test_what_aws_refuses_is_told(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.tag(by_digest(answer=refused("ServerException", "oh")))
        assert str(caught.value) == f"tag {DIGEST} in repository iris: Operation failed: ServerException: oh"


class TestVerify:
    def verify(self, *calls: Call) -> PushedImage | PushError:
        with Script(*calls) as script:
            try:
                return registry.verify(script.aws, "iris", DIGEST, ["v2", "v1", "v1"])
            except PushError as error:
                return error

    def test_an_image_with_all_its_tags_is_returned(self) -> None:
        found = self.verify(repository(), by_digest("v2", "v1", "more"))
        assert found == PushedImage("iris", DIGEST, ("more", "v1", "v2"), f"{HOST}/iris@{DIGEST}")

    @pytest.mark.parametrize(
        ("calls", "message", "details"),
        [
            (
                [repository(), by_digest(), by_tag("v1", OTHER), by_tag("v2", answer=NO_IMAGE)],
                " under v1, v2.",
                (f"v1: {OTHER}", "v2: not there"),
            ),
            (
                [repository(), by_digest("v1"), by_tag("v2", OTHER)],
                " under v2.",
                (f"v2: {OTHER}",),
            ),
            (
                [repository(), by_digest(answer=NO_IMAGE), by_tag("v1", OTHER), by_tag("v2", OTHER)],
                " although it was pushed.",
                (f"v1: {OTHER}", f"v2: {OTHER}"),
            ),
            ([repository(NO_REPOSITORY)], " although it was pushed.", ()),
        ],
    )
    def test_what_is_there_instead_is_told(self, calls: list[Call], message: str, details: tuple[str, ...]) -> None:
        error = self.verify(*calls)
        assert isinstance(error, PushError)
        assert str(error) == f"Repository iris does not hold {DIGEST}{message}"
        assert error.remedy == "Somebody else pushed the same tag meanwhile, or the push went elsewhere: run again."
        assert error.details == details

    def test_what_may_not_be_seen_is_an_error(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.verify(repository(refused("ServerException", "oh")))
        assert str(caught.value) == f"verify {DIGEST} in repository iris: Operation failed: ServerException: oh"
