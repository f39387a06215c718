"""Pushes an image to Amazon ECR and verifies it."""

import base64
import re
from typing import TYPE_CHECKING, TypedDict

import boto3
import docker

from model_dockerize import image
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.ecr import ensure_repository, verify
from model_dockerize.errors import AwsAccessError
from model_dockerize.library import account_of, stage

if TYPE_CHECKING:
    from docker.models.images import Image
    from mypy_boto3_ecr import ECRClient

_LOGGER = "docker_service"


class Login(TypedDict):
    """Credentials of a registry, for twelve hours."""

    username: str
    password: str
    registry: str  # its host, with the port where there is one


def ecr_client(region: str, aws_access_key_id: str, aws_secret_access_key: str) -> "ECRClient":
    with translate("sign in to AWS"):
        return boto3.client(
            "ecr",
            region_name=region,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
        )


def connect_to_ecr(ecr_client: "ECRClient", aws_id: str) -> Login:
    """Return fresh credentials for an account's registry.

    Raises:
        AwsAccessError: the credentials are refused, or those of another account.
    """
    with translate("log in to ECR"):
        data = ecr_client.get_authorization_token()["authorizationData"][0]
    username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    registry = data["proxyEndpoint"].split("://", 1)[-1].rstrip("/")
    own = re.match(r"([0-9]{12})\.dkr[.-]ecr\.", registry)
    if own and own[1] != str(aws_id):
        raise AwsAccessError(
            f"The credentials belong to account {own[1]}, not to {aws_id}.",
            "Use credentials of the account that is meant, or correct aws_id. Nothing was changed.",
        )
    return Login(username=username, password=password, registry=registry)


def tag_image(
    docker_client: docker.DockerClient, image: "str | Image", registry: str, repository: str, version: str
) -> str:
    """Name an image for a registry; return REGISTRY/REPOSITORY:VERSION.

    Args:
        image: its name or id, or docker's object.

    Raises:
        EngineError: the engine has no such image.
    """
    return _tag(docker_client, image, registry, repository, version)


def push_image(
    docker_client: docker.DockerClient, username: str, password: str, registry: str, upload_img: str, retry: int = 1
) -> str:
    """Push an image by its name for the registry; return its digest there.

    Args:
        retry: how many times more, if the connection breaks off.

    Raises:
        PushError: the registry did not take it.
    """
    auth = image.RegistryAuth(username, password, _host(registry))
    attempts = max(retry, 0) + 1
    with stage(_LOGGER, "push") as progress:
        progress.secret(password)
        return image.push_named(docker_client, upload_img, [auth] * attempts, progress, attempts)


def ecr_push(
    ecr_client: "ECRClient",
    aws_id: str,
    docker_client: docker.DockerClient,
    image: "str | Image",
    repository: str,
    version: str,
) -> str:
    """Push an image to ECR, make a missing repository, return the name there.

    Raises:
        InputError: ECR does not take the repository's name.
        EngineError: the engine has no such image.
        AwsAccessError: refused credentials, or those of another account.
        PushError: the registry did not take the image, or holds another one.
    """
    login = connect_to_ecr(ecr_client, aws_id)
    account = account_of("ecr", ecr_client, _LOGGER)
    name = _tag(docker_client, image, login["registry"], repository, version)
    with stage(_LOGGER, "repository") as progress:
        ensure_repository(account, repository, progress)
    digest = push_image(docker_client, login["username"], login["password"], login["registry"], name)
    verify(account, repository, digest, (version,))
    return name


def _tag(docker_client: docker.DockerClient, local: "str | Image", registry: str, repository: str, version: str) -> str:
    name = f"{_host(registry)}/{repository}:{version}"
    image.name_image(docker_client, local if isinstance(local, str) else str(local.id), name)
    return name


def _host(registry: str) -> str:
    return registry.split("://", 1)[-1].rstrip("/")
