"""The stream of a push tells the digest, the layers, and the cause of a failure."""

import base64
import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from model_dockerize.errors import EngineError, PushError
from model_dockerize.image import RegistryAuth, push
from model_dockerize.image.push import _follow, _TransientError, failure
from tests.rig.engine_api import EngineApi
from tests.rig.leaks import planted
from tests.rig.progress import Said

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


TARGET = "r.example/iris:1"
PUSH = "POST /images/r.example/iris/push?tag=1"
PUSHED = {"status": f"1: digest: {DIGEST} size: 1"}
EXPIRED = datetime(2026, 1, 1, tzinfo=UTC)


def auth(number: int, expires: datetime | None = None, registry: str = "r.example") -> RegistryAuth:
    return RegistryAuth(f"user{number}", planted(f"push-{number}"), registry, expires)


@pytest.fixture
def engine_of(api: EngineApi, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let an engine take the name; return how long is waited between attempts."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    api.answers["POST /images/sha256:1/tag"] = ""
    return waited


def headers(api: EngineApi) -> list[dict[str, str]]:
    told = [request.headers.get("X-Registry-Auth") for request in api.sent]
    return [json.loads(base64.urlsafe_b64decode(text)) for text in told if text]


@pytest.mark.parametrize(
    ("target", "name", "place"),
    [
        (TARGET, "tag=1&repo=r.example/iris", PUSH),
        ("r.example/a/iris", "tag=latest&repo=r.example/a/iris", "POST /images/r.example/a/iris/push?tag=latest"),
    ],
)
@pytest.mark.usefixtures("engine_of")
def test_an_image_is_named_and_pushed_with_credentials_of_this_push(
    api: EngineApi, target: str, name: str, place: str
) -> None:
    api.answers[place.partition("?")[0]] = PUSHED
    said = Said()
    assert push(api.engine(), "sha256:1", target, lambda: auth(1), said) == DIGEST
    assert api.asked == [f"POST /images/sha256:1/tag?{name}&force=0", (place, {})]
    assert headers(api) == [
        {"username": "user1", "password": auth(1).password, "serveraddress": "r.example"},
    ]
    assert said.infos == [f"Pushed {target}: 0 layers sent (0.0 MB), 0 were already there; {DIGEST}"]


def test_what_passes_is_tried_again_with_a_new_login(api: EngineApi, engine_of: list[float]) -> None:
    numbers = iter(range(9))
    answers = deque([(500, "EOF"), requests.ConnectionError("gone"), {"error": "i/o timeout"}, PUSHED])
    api.answers["POST /images/r.example/iris/push"] = answers
    said = Said()
    assert push(api.engine(), "sha256:1", TARGET, lambda: auth(next(numbers)), said) == DIGEST
    assert [each["username"] for each in headers(api)] == ["user0", "user1", "user2", "user3"]
    assert said.warnings == [
        f"Attempt {n} of 4 to push failed and is repeated: {why}"
        for n, why in ((1, "EOF"), (2, "connection reset: gone"), (3, "i/o timeout"))
    ]
    assert [low <= seconds <= low + 1 for low, seconds in zip((1, 2, 4), engine_of, strict=True)] == [True] * 3


def test_after_four_attempts_it_is_over(api: EngineApi, engine_of: list[float]) -> None:
    api.answers["POST /images/r.example/iris/push"] = (500, "unexpected EOF")
    with pytest.raises(PushError) as refused:
        push(api.engine(), "sha256:1", TARGET, lambda: auth(1), Said())
    assert str(refused.value) == f"{TARGET} was not pushed: the connection to the registry broke off."
    assert refused.value.details == ("unexpected EOF",)
    assert (len(headers(api)), len(engine_of)) == (4, 3)


@pytest.mark.parametrize("expires", [None, datetime.max.replace(tzinfo=UTC), EXPIRED])
def test_refused_after_its_end_a_login_is_renewed(
    api: EngineApi, engine_of: list[float], expires: datetime | None
) -> None:
    logins = iter([auth(1, expires), auth(2)])
    api.answers["POST /images/r.example/iris/push"] = deque([{"error": "denied: no"}, PUSHED])
    if expires == EXPIRED:
        said = Said()
        assert push(api.engine(), "sha256:1", TARGET, lambda: next(logins), said) == DIGEST
        assert said.warnings == [
            "Attempt 1 of 4 to push failed and is repeated: authorization token has expired "
            f"({TARGET} was not pushed: pushing is not allowed with these credentials.)"
        ]
        assert len(engine_of) == 1
        return
    with pytest.raises(PushError, match="pushing is not allowed with these credentials") as refused:
        push(api.engine(), "sha256:1", TARGET, lambda: next(logins), Said())
    assert refused.value.details == ("denied: no",)
    assert engine_of == []


@pytest.mark.usefixtures("engine_of")
def test_credentials_of_another_registry_are_sent_nowhere(api: EngineApi) -> None:
    logins = iter([auth(1), auth(2, registry="other.example")])
    api.answers["POST /images/r.example/iris/push"] = (500, "EOF")
    for login in (lambda: auth(1, registry="r.exam"), lambda: next(logins)):
        with pytest.raises(PushError) as refused:
            push(api.engine(), "sha256:1", TARGET, login, Said())
        assert str(refused.value).startswith(f"The name {TARGET} does not belong to the registry ")
        assert refused.value.remedy == (
            "Name the image registry/repository:tag, of the registry that the credentials are for."
        )
    assert [each["username"] for each in headers(api)] == ["user1"]


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ((404, "No such image: sha256:1"), EngineError, "The image of this run is gone from the engine: another build"),
        ((400, "invalid reference"), PushError, f"The image cannot be named {TARGET}: invalid reference"),
    ],
)
def test_an_image_that_cannot_be_named_is_not_pushed(
    api: EngineApi, answer: tuple[int, str], kind: type[PushError], sentence: str
) -> None:
    api.answers["POST /images/sha256:1/tag"] = answer
    with pytest.raises(kind) as refused:
        push(api.engine(), "sha256:1", TARGET, lambda: auth(1), Said())
    assert str(refused.value).startswith(sentence)
    assert len(api.asked) == 1


def test_a_stream_without_a_digest_says_so() -> None:
    with pytest.raises(_TransientError) as refused:
        _follow([{"status": f"digest {DIGEST}", "aux": None}], TARGET, Words())
    assert str(refused.value) == f"{TARGET} was not pushed: the engine ended without naming its digest."
    assert refused.value.remedy == "Push again."


@pytest.mark.parametrize(
    "event",
    [
        {"error": " strange "},
        {"error": "x", "errorDetail": {"message": " strange "}},
        {"error": " strange ", "errorDetail": {}},
    ],
)
def test_an_error_that_nobody_knows_is_told_as_it_is(event: dict[str, Any]) -> None:
    with pytest.raises(PushError) as refused:
        _follow([event], TARGET, Words())
    assert type(refused.value) is PushError
    assert (str(refused.value), refused.value.details) == (f"{TARGET} was not pushed: strange", ())
    assert refused.value.remedy == "Repeat the push; if it fails again, ask the registry."


EXPLAINED = {
    "tag invalid: x": (
        "the registry refuses the tag: its tags are immutable and this one is taken",
        "Push under another version.",
    ),
    "authorization token has expired": (
        "the registry's token has expired",
        "Log in again: a token of Amazon ECR lasts 12 hours. Then repeat the push.",
    ),
    "incorrect username or password": (
        "the registry does not accept these credentials",
        "Check that they belong to this registry's account and region.",
    ),
    "repository x not found": (
        "the repository does not exist",
        "Create the repository first, or correct its name.",
    ),
    "forbidden": (
        "pushing is not allowed with these credentials",
        "A token of Amazon ECR lasts 12 hours: log in again. Else allow what model-dockerize iam-policy prints.",
    ),
    "broken pipe": (
        "the connection to the registry broke off",
        "Repeat the push: layers that have arrived are not sent again. If it stays, check proxy, network and quota.",
    ),
}


@pytest.mark.parametrize("message", EXPLAINED)
def test_a_cause_and_its_remedy_are_told_with_the_registrys_words(message: str) -> None:
    error, (cause, remedy) = failure(TARGET, f" {message}\n"), EXPLAINED[message]
    assert (str(error), error.remedy) == (f"{TARGET} was not pushed: {cause}.", remedy)
    assert error.details == (message,)


def test_a_denied_action_is_told_with_the_remedy_of_its_cause() -> None:
    message = "User: x is not authorized to perform ecr:PutImage on resource arn:aws:ecr:r:1:repository/x. denied"
    error = failure(TARGET, message)
    assert str(error) == (
        f"{TARGET} was not pushed: ecr:PutImage on arn:aws:ecr:r:1:repository/x is not allowed for these credentials."
    )
    assert error.remedy == f"Allow ecr:PutImage on arn:aws:ecr:r:1:repository/x. {EXPLAINED['forbidden'][1]}"
    assert error.details == (message,)
    unknown = failure("r/a/x:1", "unexpected status from PATCH request to https://r/v2/a/x/manifests/1: 403 Forbidden")
    assert str(unknown) == "r/a/x:1 was not pushed: pushing on repository a/x is not allowed for these credentials."
