"""Pushes images, and writes no credentials."""

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import docker
import requests
import tenacity
from docker.errors import APIError, ImageNotFound
from docker.utils import parse_repository_tag

from model_dockerize.errors import PushError
from model_dockerize.image.engine import Engine, connect, no_image
from model_dockerize.progress import Progress

ATTEMPTS = 4
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TRANSIENT = re.compile(
    r"\bEOF\b|connection reset|broken pipe|connection refused|i/o timeout|TLS handshake timeout|timed out"
    r"|status(?: code)?:? 5\d\d|\b50[0234] |internal server error|service unavailable|bad gateway"
    r"|toomanyrequests|too many requests|authorization token has expired",
    re.IGNORECASE,
)
# The words of registries and of the engine, and what helps. The first one that is found in the message counts. An
# engine with the containerd store passes on only the status of a registry's answer, not its words.
_CAUSES = (
    (
        r"immutable|tag invalid|ImageTagAlreadyExists|PUT request to \S+/manifests/\S+: 4(00|09)\b",
        "the registry refuses the tag: its tags are immutable and this one is taken",
        "Push under another version.",
    ),
    (
        r"authorization token has expired",
        "the registry's token has expired",
        "Log in again: a token of Amazon ECR lasts 12 hours. Then repeat the push.",
    ),
    (
        r"no basic auth credentials|unauthorized|authentication required|\b401\b|incorrect username or password",
        "the registry does not accept these credentials",
        "Check that they belong to this registry's account and region.",
    ),
    (
        r"name unknown|repository .*(does not exist|not found)|RepositoryNotFound|request to \S+/blobs/\S+: 404\b",
        "the repository does not exist",
        "Create the repository first, or correct its name.",
    ),
    (
        r"denied|forbidden|\b403\b",
        "pushing is not allowed with these credentials",
        "A token of Amazon ECR lasts 12 hours: log in again. Else allow what model-dockerize iam-policy prints.",
    ),
    (
        _TRANSIENT.pattern,
        "the connection to the registry broke off",
        "Repeat the push: layers that have arrived are not sent again. If it stays, check proxy, network and quota.",
    ),
)

_NOT_AUTHORIZED = re.compile(r"not authorized to perform:? (ecr:\w+) on resource:? (\S+)")
# What ECR asks policies for each request of a push. An engine with the containerd store tells the request and not ECR's
# sentence; the classic store stumbles over the empty answer to a HEAD.
_REFUSED_REQUEST = re.compile(r"(HEAD|GET|POST|PUT|PATCH) request to \S+?/(blobs/uploads|blobs|manifests)/\S*: 403\b")
_NO_ANSWER_TO_HEAD = re.compile(r"error parsing HTTP 403 response body: unexpected end of JSON input")
_ACTIONS = {
    ("HEAD", "blobs"): "ecr:BatchCheckLayerAvailability",
    ("GET", "blobs"): "ecr:GetDownloadUrlForLayer",
    ("POST", "blobs/uploads"): "ecr:InitiateLayerUpload",
    ("PATCH", "blobs/uploads"): "ecr:UploadLayerPart",
    ("PUT", "blobs/uploads"): "ecr:UploadLayerPart or ecr:CompleteLayerUpload",
    ("HEAD", "manifests"): "ecr:BatchGetImage",
    ("GET", "manifests"): "ecr:BatchGetImage",
    ("PUT", "manifests"): "ecr:PutImage",
}


@dataclass(frozen=True)
class RegistryAuth:
    """Credentials that the engine gets in memory for one push."""

    username: str
    password: str = field(repr=False)
    registry: str  # "123456789012.dkr.ecr.us-east-1.amazonaws.com" or "127.0.0.1:5000"
    expires: datetime | None = None  # None: nobody said


class _TransientError(PushError):
    """A fault that another attempt may not meet."""


def push(engine: Engine, image_ref: str, target: str, login: Callable[[], RegistryAuth], progress: Progress) -> str:
    """Push the image as `target` (registry/repository:tag); return its manifest's digest.

    Args:
        login: called for each attempt.
    """
    auth = login()
    _check_place(target, auth)
    with closing(connect(engine)) as client:
        name_image(client, image_ref, target)
        return push_named(client, target, chain((auth,), iter(login, None)), progress)


def name_image(client: docker.DockerClient, image_ref: str, target: str) -> None:
    repository, tag = parse_repository_tag(target)
    try:
        client.api.tag(image_ref, repository, tag or "latest")
    except ImageNotFound as error:
        raise no_image(image_ref) from error
    except APIError as error:
        raise PushError(f"The image cannot be named {target}: {error.explanation}") from error


def push_named(
    client: docker.DockerClient,
    target: str,
    logins: Iterable[RegistryAuth],
    progress: Progress,
    attempts: int = ATTEMPTS,
) -> str:
    """Push the engine's image `target`; return its manifest's digest.

    Args:
        logins: one for each attempt.
    """
    repository, tag = parse_repository_tag(target)
    fresh = iter(logins)

    def attempt() -> str:
        auth = next(fresh)
        _check_place(target, auth)
        try:
            events = client.api.push(
                repository,
                tag=tag or "latest",
                stream=True,
                decode=True,
                auth_config={
                    "username": auth.username,
                    "password": auth.password,
                    "serveraddress": auth.registry,
                },
            )
            return _follow(events, target, progress)
        except PushError as error:
            # Engines pass on only that it was refused, which reads like a missing permission.
            if auth.expires and auth.expires <= datetime.now(UTC):
                raise failure(target, f"authorization token has expired ({error})") from error
            raise
        except APIError as error:
            raise failure(target, str(error.explanation)) from error
        except requests.ConnectionError as error:
            raise failure(target, f"connection reset: {error}") from error

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TransientError),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_exponential_jitter(initial=1, max=10),
        before_sleep=lambda state: progress.warning(
            f"Attempt {state.attempt_number} of {attempts} to push failed and is repeated: {_raised(state)}"
        ),
        reraise=True,
    )(attempt)


def _check_place(target: str, auth: RegistryAuth) -> None:
    if not target.startswith(f"{auth.registry}/"):
        raise PushError(
            f"The name {target} does not belong to the registry {auth.registry}.",
            "Name the image registry/repository:tag, of the registry that the credentials are for.",
        )


def failure(target: str, message: str) -> PushError:
    kind = _TransientError if _TRANSIENT.search(message) else PushError
    for sign, cause, remedy in _CAUSES:
        if re.search(sign, message, re.IGNORECASE):
            if action := _denied(target, message):
                why, help_ = f"{action} is not allowed for these credentials", f"Allow {action}. {remedy}"
                return kind(f"{target} was not pushed: {why}.", help_, details=(message.strip(),))
            return kind(f"{target} was not pushed: {cause}.", remedy, details=(message.strip(),))
    return kind(f"{target} was not pushed: {message.strip()}", "Repeat the push; if it fails again, ask the registry.")


def _denied(target: str, message: str) -> str:
    if said := _NOT_AUTHORIZED.search(message):
        return f"{said[1]} on {said[2].rstrip('.')}"
    if "authorization token has expired" in message:
        return ""
    repository = parse_repository_tag(target)[0].partition("/")[2]
    if request := _REFUSED_REQUEST.search(message):
        return f"{_ACTIONS.get((request[1], request[2]), 'pushing')} on repository {repository}"
    return f"ecr:BatchCheckLayerAvailability on repository {repository}" if _NO_ANSWER_TO_HEAD.search(message) else ""


def _follow(events: Iterable[dict[str, Any]], target: str, progress: Progress) -> str:
    sizes: dict[str, int] = {}  # bytes a layer, as far as they were told
    moved: dict[str, int] = {}
    sent: set[str] = set()
    there: set[str] = set()
    digest = ""
    for event in events:
        if event.get("error"):
            raise failure(target, str((event.get("errorDetail") or {}).get("message") or event["error"]))
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        if status == "Pushing":
            detail = event.get("progressDetail") or {}
            sizes[layer] = max(sizes.get(layer, 0), int(detail.get("total") or 0))
            moved[layer] = int(detail.get("current") or 0)
            progress.transfer("sending layers", sum(moved.values()), sum(sizes.values()))
        elif status == "Pushed":
            sent.add(layer)
            moved[layer] = sizes.get(layer, 0)
        elif status.startswith(("Layer already exists", "Mounted from", "Already exists")):
            there.add(layer)
        told = (event.get("aux") or {}).get("Digest") or (status if "digest: " in status else "")
        if match := _DIGEST.search(told):
            digest = match[0]
    if not digest:
        raise _TransientError(f"{target} was not pushed: the engine ended without naming its digest.", "Push again.")
    megabytes = sum(sizes.get(layer, 0) for layer in sent) / 1e6
    progress.info(
        f"Pushed {target}: {len(sent)} layers sent ({megabytes:.1f} MB), {len(there)} were already there; {digest}"
    )
    return digest


def _raised(state: tenacity.RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome else None
    return " ".join((*error.details, str(error))[:1]) if isinstance(error, PushError) else str(error)
