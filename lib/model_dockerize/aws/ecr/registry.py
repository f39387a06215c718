"""Amazon ECR; Docker pushes."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import REGISTRY, TAG
from model_dockerize.errors import InputError, PushError
from model_dockerize.progress import Progress

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef, RepositoryTypeDef

#: ECR's own pattern for a repository's name (CreateRepository).
_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_VERSION = "Choose another version, or make the repository's tags mutable."
_MANIFESTS = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


@dataclass(frozen=True)
class Repository:
    """A repository of the account."""

    name: str
    uri: str  # registry/name, as AWS gives it
    arn: str
    created: bool  # by this call


@dataclass(frozen=True)
class PushedImage:
    """An image read from the registry."""

    repository: str
    digest: str  # sha256:...
    tags: tuple[str, ...]  # sorted
    uri: str  # repositoryUri@sha256:...


@dataclass(frozen=True)
class RegistryLogin:
    """Credentials for `docker push`."""

    username: str
    password: str = field(repr=False)
    registry: str  # host, with port where there is one
    expires_at: datetime


_BUILD = re.compile(r"build-[0-9a-f]{32}")


def build_tag(build_id: str) -> str:
    return f"build-{build_id}"


def ensure_repository(aws: Aws, name: str, progress: Progress) -> Repository:
    """Make the repository if absent."""
    if not (2 <= len(name) <= 256 and _NAME.fullmatch(name)):
        raise InputError(
            f"'{name}' cannot be the name of an ECR repository.",
            remedy="2 to 256 of a-z, 0-9, and single . _ - / between them, e.g. models/iris.",
        )
    with translate(f"repository {name}"):
        there = describe_repository(aws, name)
        if there:
            aws.settled(progress, "leave", "repository", name)
            return _repository(there, created=False)
        try:
            made = aws.ecr.create_repository(
                repositoryName=name,
                imageTagMutability="MUTABLE",
                imageScanningConfiguration={"scanOnPush": False},
                encryptionConfiguration={"encryptionType": "AES256"},
                tags=[{"Key": key, "Value": value} for key, value in {TAG: REGISTRY, **aws.tags}.items()],
            )["repository"]
        except aws.ecr.exceptions.RepositoryAlreadyExistsException:
            made = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
            return _repository(made, created=False)
    aws.settled(progress, "make", "repository", name)
    return _repository(made, created=True)


def find_build(aws: Aws, repository: str, build_id: str) -> PushedImage | None:
    """Return the image tagged `build-<build_id>`."""
    with translate(f"look for build {build_id} in repository {repository}"):
        there = describe_repository(aws, repository)
        if not there:
            return None
        found = _image(aws, repository, {"imageTag": build_tag(build_id)})
    return _pushed(there["repositoryUri"], found) if found else None


def version_and_build(aws: Aws, image: str) -> tuple[str, str]:
    """Return version and build id; each empty if unknown."""
    tags = _tags_of(aws, image)
    builds = [tag for tag in tags if _is_build(tag)]
    version = next((tag for tag in tags if tag not in builds), "")
    return version, builds[0].removeprefix(build_tag("")) if builds else ""


def builds_in(aws: Aws, repository: str) -> tuple[str, ...]:
    """Return the builds in a repository as NAME:TAG, newest first, by their versions where they have one."""
    pages = aws.ecr.get_paginator("describe_images").paginate(repositoryName=repository, filter={"tagStatus": "TAGGED"})
    found = [image for page in pages for image in page["imageDetails"]]
    found.sort(key=lambda image: image["imagePushedAt"], reverse=True)
    tags = (sorted(image["imageTags"], key=lambda tag: (_is_build(tag), tag)) for image in found)
    return tuple(f"{repository}:{names[0]}" for names in tags if _is_build(names[-1]))


def _is_build(tag: str) -> bool:
    return bool(_BUILD.fullmatch(tag))


def _tags_of(aws: Aws, image: str) -> list[str]:
    place, _, digest = image.partition("@")
    repository = place.partition("/")[2]
    if not digest:
        return []
    with translate(f"image {repository}"):
        try:
            found = aws.ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        except (aws.ecr.exceptions.ImageNotFoundException, aws.ecr.exceptions.RepositoryNotFoundException):
            return []
    return [tag for detail in found["imageDetails"] for tag in detail.get("imageTags", [])]


def parts_of(reference: str) -> tuple[str, str, str]:
    """Return registry, repository and tag; empty: none."""
    place, _, tag = reference.rpartition(":") if ":" in reference.rpartition("/")[2] else (reference, "", "latest")
    host, _, name = place.partition("/")
    return ("", reference, "") if "@" in reference or not name else (host, name, tag)


def repository_of(reference: str) -> str:
    """Return the repository; empty without a registry."""
    host, _, name = reference.partition("@")[0].partition("/")
    return name.rpartition(":")[0] or name if "." in host else ""


def pinned(aws: Aws, reference: str, progress: Progress) -> str:
    """Replace a tag of our registry by its digest."""
    host, name, tag = parts_of(reference)
    if not tag or host != login(aws).registry:
        return reference
    with translate(f"look for image {reference}"):
        there = describe_repository(aws, name)
        found = _image(aws, name, {"imageTag": tag}) if there else None
    if not there or not found:
        what = f"holds no version {tag}" if there else "does not exist"
        raise InputError(f"Repository {name} {what} (image {reference}).", "Push it first, or correct the image.")
    progress.info(f"{reference} is {found['imageDigest']}")
    return f"{there['repositoryUri']}@{found['imageDigest']}"


def check_tag(aws: Aws, repository: str, tag: str) -> None:
    """Raise PushError for another image's immutable tag."""
    with translate(f"look for {repository}:{tag}"):
        there = describe_repository(aws, repository)
        found = _image(aws, repository, {"imageTag": tag}) if there and _is_fixed(there, tag) else None
    if found:
        raise PushError(f"{repository}:{tag} is taken by {found['imageDigest']}, and its tags are immutable.", _VERSION)


def _is_fixed(repository: Any, tag: str) -> bool:
    # In either mode, filters name the exclusions.
    mode, filters = repository.get("imageTagMutability", ""), repository.get("imageTagMutabilityExclusionFilters", [])
    excluded = any(fnmatchcase(tag, each["filter"]) for each in filters)
    return excluded is (mode == "MUTABLE_WITH_EXCLUSION") if mode.endswith("_WITH_EXCLUSION") else mode == "IMMUTABLE"


def login(aws: Aws) -> RegistryLogin:
    """Return fresh credentials, registered as secrets."""
    with translate("log in to ECR"):
        data = aws.ecr.get_authorization_token()["authorizationData"][0]
    username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    aws.progress.secret(password)
    aws.progress.secret(data["authorizationToken"])
    return RegistryLogin(username, password, data["proxyEndpoint"].split("://", 1)[-1].rstrip("/"), data["expiresAt"])


def tag_image(aws: Aws, repository: str, digest: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Tag the image; return the tags that were missing.

    Raises:
        PushError: no such digest, or a tag is immutable.
    """
    with translate(f"tag {digest} in repository {repository}"):
        image = _image(aws, repository, {"imageDigest": digest})
        if not image:
            raise PushError(
                f"Repository {repository} does not hold {digest}.", remedy="Push the image before it is tagged."
            )
        missing = tuple(sorted(set(tags) - set(image.get("imageTags", []))))
        if not missing:
            return ()
        got = aws.ecr.batch_get_image(
            repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=_MANIFESTS
        )["images"][0]
        for tag in missing:
            try:
                aws.ecr.put_image(
                    repositoryName=repository,
                    imageManifest=got["imageManifest"],
                    imageManifestMediaType=got.get("imageManifestMediaType") or image["imageManifestMediaType"],
                    imageTag=tag,
                    imageDigest=digest,
                )
            except aws.ecr.exceptions.ImageAlreadyExistsException:
                continue  # Someone put this very tag on this very image meanwhile.
            except aws.ecr.exceptions.ImageTagAlreadyExistsException as error:
                raise PushError(
                    f"Tag {tag} of repository {repository} belongs to another image, and its tags are immutable.",
                    remedy=_VERSION,
                ) from error
    return missing


def verify(aws: Aws, repository: str, digest: str, tags: Iterable[str]) -> PushedImage:
    """Raise PushError unless all `tags` in the registry name `digest`."""
    wanted = sorted(set(tags))
    with translate(f"verify {digest} in repository {repository}"):
        there = describe_repository(aws, repository)
        image = _image(aws, repository, {"imageDigest": digest}) if there else None
        missing = sorted(set(wanted) - set(image.get("imageTags", []) if image else []))
        if there and image and not missing:
            return _pushed(there["repositoryUri"], image)
        held = {tag: _image(aws, repository, {"imageTag": tag}) for tag in missing} if there else {}
    instead = tuple(f"{tag}: {found['imageDigest'] if found else 'not there'}" for tag, found in held.items())
    raise PushError(
        f"Repository {repository} does not hold {digest}"
        + (f" under {', '.join(missing)}." if image else " although it was pushed."),
        remedy="Somebody else pushed the same tag meanwhile, or the push went elsewhere: run again.",
        details=instead,
    )


def describe_repository(aws: Aws, name: str) -> "RepositoryTypeDef | None":
    """Return the repository, or None."""
    try:
        return aws.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except aws.ecr.exceptions.RepositoryNotFoundException:
        return None


def _image(aws: Aws, repository: str, image_id: dict[str, str]) -> "ImageDetailTypeDef | None":
    try:
        found = aws.ecr.describe_images(repositoryName=repository, imageIds=[image_id])["imageDetails"]  # type: ignore[list-item]
    except aws.ecr.exceptions.ImageNotFoundException:
        return None
    except aws.ecr.exceptions.RepositoryNotFoundException:
        return None
    return found[0] if found else None


def _repository(data: "RepositoryTypeDef", created: bool) -> Repository:
    return Repository(data["repositoryName"], data["repositoryUri"], data["repositoryArn"], created)


def _pushed(uri: str, image: "ImageDetailTypeDef") -> PushedImage:
    digest = image["imageDigest"]
    return PushedImage(image["repositoryName"], digest, tuple(sorted(image.get("imageTags", []))), f"{uri}@{digest}")
