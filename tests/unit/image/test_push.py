"""The stream of a push tells the digest, the layers, and the cause of a failure."""

from typing import Any

import pytest

from model_dockerize.errors import PushError
from model_dockerize.image import RegistryAuth
from model_dockerize.image.push import _follow, _TransientError, failure
from tests.rig.leaks import planted

DIGEST = "sha256:" + "ab" * 32


class Words:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.moved: list[tuple[str, int, int]] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    def warning(self, text: str, file: object = None, line: object = None) -> None: ...

    def output(self, text: str) -> None: ...

    def transfer(self, what: str, done: int, total: int) -> None:
        self.moved.append((what, done, total))

    def secret(self, value: str) -> None: ...


def layer(layer_id: str, status: str, total: int = 0) -> dict[str, Any]:
    return {"id": layer_id, "status": status, "progressDetail": {"current": total, "total": total}}


@pytest.mark.parametrize(
    "end",
    [
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 1234}},
        {"status": f"1: digest: {DIGEST} size: 1234"},
    ],
)
def test_layers_are_counted_and_the_digest_is_found(end: dict[str, Any]) -> None:
    words = Words()
    events = [
        {"status": "The push refers to repository [127.0.0.1:5000/iris]"},
        layer("a", "Preparing"),
        layer("a", "Pushing", 2_000_000),
        layer("a", "Pushed"),
        layer("b", "Layer already exists"),
        layer("c", "Mounted from other"),
        end,
    ]
    assert _follow(events, "127.0.0.1:5000/iris:1", words) == DIGEST
    assert words.said == [
        f"Pushed 127.0.0.1:5000/iris:1: 1 layers sent (2.0 MB), 2 were already there; {DIGEST}",
    ]


def test_how_much_was_sent_is_told_of_all_layers_together() -> None:
    def pushing(name: str, current: int, total: int) -> dict[str, Any]:
        return {"id": name, "status": "Pushing", "progressDetail": {"current": current, "total": total}}

    words = Words()
    events = [
        pushing("a", 10, 100),
        pushing("b", 5, 50),
        layer("a", "Pushed"),
        pushing("b", 20, 50),
        {"id": "b", "status": "Pushing"},
        {"status": f"1: digest: {DIGEST} size: 1"},
    ]
    _follow(events, "r/x:1", words)
    assert words.moved == [("sending layers", *moved) for moved in [(10, 100), (15, 150), (120, 150), (100, 150)]]


def test_an_error_in_the_stream_is_an_error() -> None:
    events: list[dict[str, Any]] = [
        layer("a", "Pushing", 1),
        {"errorDetail": {"message": "denied: no"}, "error": "denied: no"},
    ]
    with pytest.raises(PushError, match="not allowed"):
        _follow(events, "r/x:1", Words())


def test_a_stream_that_ends_without_a_digest_is_tried_again() -> None:
    with pytest.raises(_TransientError):
        _follow([layer("a", "Pushing", 1)], "r/x:1", Words())


@pytest.mark.parametrize(
    ("message", "cause", "transient"),
    [
        ("no basic auth credentials", "does not accept these credentials", False),
        ("denied: Your authorization token has expired. Reauthenticate and try again.", "token has expired", True),
        ("unauthorized: authentication required", "does not accept these credentials", False),
        (
            "name unknown: The repository with name 'x' does not exist in the registry with id '1'",
            "does not exist",
            False,
        ),
        (
            "tag invalid: The image tag 'v1' already exists in the 'x' repository and cannot be overwritten because "
            "the repository is immutable.",
            "immutable",
            False,
        ),
        ("denied: User: arn:aws:iam::1:user/x is not authorized to perform: ecr:PutImage", "not allowed", False),
        (
            "unexpected status from POST request to http://r/v2/x/blobs/uploads/?mount=y: 404 Not Found",
            "not exist",
            False,
        ),
        ("unexpected status from PUT request to http://r/v2/x/manifests/1: 400 Bad Request", "immutable", False),
        ("unexpected status from POST request to http://r/v2/x/blobs/uploads/: 403 Forbidden", "not allowed", False),
        ("unexpected status from PUT request to http://r/v2/x/manifests/1: 503 Service Unavailable", "broke off", True),
        ("EOF", "broke off", True),
        ('Put "http://127.0.0.1:5000/v2/x": read tcp: connection reset by peer', "broke off", True),
        ("received unexpected HTTP status: 503 Service Unavailable", "broke off", True),
        ("toomanyrequests: Rate exceeded", "broke off", True),
        ("something nobody has seen", "something nobody has seen", False),
    ],
)
def test_each_cause_has_its_remedy(message: str, cause: str, transient: bool) -> None:
    error = failure("r/x:1", message)
    assert cause in str(error)
    assert error.remedy
    assert isinstance(error, _TransientError) is transient


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (
            "denied: User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: ecr:InitiateLayerUpload on "
            "resource: arn:aws:ecr:us-east-1:1:repository/x because no identity-based policy allows the "
            "ecr:InitiateLayerUpload action",
            "ecr:InitiateLayerUpload on arn:aws:ecr:us-east-1:1:repository/x is not allowed",
        ),
        (
            "unexpected status from POST request to https://r/v2/a/x/blobs/uploads/: 403 Forbidden",
            "ecr:InitiateLayerUpload on repository a/x is not allowed",
        ),
        (
            "unexpected status from PUT request to https://r/v2/a/x/blobs/uploads/1?digest=y: 403 Forbidden",
            "ecr:UploadLayerPart or ecr:CompleteLayerUpload on repository a/x",
        ),
        (
            "unexpected status from HEAD request to https://r/v2/a/x/blobs/sha256:1: 403 Forbidden",
            "ecr:BatchCheckLayerAvailability on repository a/x",
        ),
        (
            "unexpected status from HEAD request to https://r/v2/a/x/manifests/1: 403 Forbidden",
            "ecr:BatchGetImage on repository a/x",
        ),
        (
            "unexpected status from PUT request to https://r/v2/a/x/manifests/1: 403 Forbidden",
            "ecr:PutImage on repository a/x",
        ),
        (
            'error parsing HTTP 403 response body: unexpected end of JSON input: ""',
            "ecr:BatchCheckLayerAvailability on repository a/x",
        ),
    ],
)
def test_a_denied_push_names_action_and_resource(message: str, named: str) -> None:
    error = failure("r/a/x:1", message)
    assert named in str(error)
    assert named.partition(" is ")[0] in error.remedy
    assert not isinstance(error, _TransientError)


def test_credentials_hide_their_password() -> None:
    password = planted("registry-password")
    assert password not in repr(RegistryAuth("AWS", password, "r"))
