"""Each request to S3 and to the container's agent, whole, and what becomes of each answer; nobody is called."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from model_server import s3
from model_server.errors import StartError
from model_server.s3 import Keys

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": "eu-west-1"}
NOW = datetime(2026, 7, 1, 12, 30, 5, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Amazon:
    """Answers in order; then with the object."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Any] = []
        self.seen: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.clients: list[dict[str, Any]] = []
        self.waited: list[float] = []
        client = httpx.Client

        def make(**options: Any) -> httpx.Client:
            self.clients.append(options)
            return client(transport=httpx.MockTransport(self.answer), **options)

        monkeypatch.setattr(s3.httpx, "Client", make)
        monkeypatch.setattr(s3, "datetime", SimpleNamespace(now=lambda zone: NOW if zone is UTC else None))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        self.seen.append(request)
        answer = self.answers.pop(0) if self.answers else (200, "whole")
        if isinstance(answer, Exception):
            raise answer
        status, text, *headers = answer
        return httpx.Response(status, text=text, headers=dict(*headers))

    def fetch(self, to: Path, url: str = "s3://data/k", **environment: str) -> None:
        s3.fetch(url, to, environment or KEYS, self.waited.append)

    def places(self) -> list[str]:
        return [str(request.url) for request in self.seen]

    def credentials(self) -> list[str]:
        return [request.headers["authorization"].split(",")[0].partition("=")[2] for request in self.seen]


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Amazon:
    return Amazon(monkeypatch)


def test_an_object_is_fetched_with_a_signature(amazon: Amazon, tmp_path: Path) -> None:
    amazon.fetch(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"whole"
    (request,) = amazon.seen
    assert (request.method, str(request.url)) == ("GET", "https://data.s3.eu-west-1.amazonaws.com/k")
    assert amazon.credentials() == ["AKIA/20260701/eu-west-1/s3/aws4_request"]
    own = {name: request.headers.get(name) for name in ("host", "x-amz-content-sha256", "x-amz-date", "content-length")}
    assert own == {
        "host": "data.s3.eu-west-1.amazonaws.com",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20260701T123005Z",
        "content-length": None,
    }
    assert amazon.clients == [{"timeout": httpx.Timeout(60, connect=10)}]


def test_the_rest_of_a_file_is_stored_whole_at_each_try(amazon: Amazon, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"skipped,kept")
    amazon.answers = [(500, ""), httpx.ReadError("reset")]
    with (tmp_path / "x").open("rb") as file:
        file.seek(8)
        s3.store(file, "s3://data/k", KEYS, amazon.waited.append)
    assert [request.method for request in amazon.seen] == ["PUT"] * 3
    assert amazon.bodies == [b"kept"] * 3
    assert [request.headers["content-length"] for request in amazon.seen] == ["4"] * 3
    assert {request.headers["x-amz-content-sha256"] for request in amazon.seen} == {hashlib.sha256(b"kept").hexdigest()}
    assert amazon.waited == [0.25, 0.5]


@pytest.mark.parametrize(("size", "fits"), [(3, True), (4, False)])
def test_what_is_larger_than_one_request_is_refused(
    amazon: Amazon, tmp_path: Path, size: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3._LARGEST == 5 * 2**30
    monkeypatch.setattr(s3, "_LARGEST", 3)
    (tmp_path / "x").write_bytes(b"x" * size)
    with (tmp_path / "x").open("rb") as file:
        if fits:
            s3.store(file, "s3://data/k", KEYS)
            return
        with pytest.raises(StartError) as caught:
            s3.store(file, "s3://data/k", KEYS)
    assert str(caught.value) == "cannot write s3://data/k: 4 bytes are more than S3 takes in one request (5 GiB)"
    assert amazon.seen == []


DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@pytest.mark.parametrize(
    ("answer", "tries", "told"),
    [
        ((404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"), 1, "NoSuchKey: none"),
        (
            (403, DENIED),
            1,
            "AccessDenied: Access Denied; the job's role (task-role) must allow s3:GetObject for it",
        ),
        ((400, "nothing"), 1, "S3 answered 400"),
        ((400, "<Message>only this</Message>"), 1, "only this"),
        ((499, ""), 1, "S3 answered 499"),
        ((500, ""), 5, "S3 answered 500"),
        ((429, "<Code>SlowDown</Code>"), 5, "SlowDown"),
        (httpx.ConnectTimeout("late"), 5, "ConnectTimeout: late"),
        ((301, "<Code>Moved</Code>", {"x-amz-bucket-region": "eu-west-1"}), 1, "Moved"),
    ],
)
def test_what_cannot_be_fetched_is_told(amazon: Amazon, tmp_path: Path, answer: Any, tries: int, told: str) -> None:
    amazon.answers = [answer] * 9
    with pytest.raises(StartError) as caught:
        amazon.fetch(tmp_path / "x")
    assert str(caught.value) == f"cannot read the input s3://data/k: {told}"
    assert len(amazon.seen) == tries
    assert amazon.waited == [0.25, 0.5, 1.0, 2.0, 4.0][: 0 if tries == 1 else 5]
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_stored_is_told_with_the_right_that_is_needed(amazon: Amazon, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    amazon.answers = [(403, DENIED)]
    with (tmp_path / "x").open("rb") as file, pytest.raises(StartError) as caught:
        s3.store(file, "s3://data/k", KEYS)
    assert str(caught.value) == (
        "cannot write the output s3://data/k: AccessDenied: Access Denied; "
        "the job's role (task-role) must allow s3:PutObject for it"
    )


def test_another_region_is_followed_without_a_wait(amazon: Amazon, tmp_path: Path) -> None:
    amazon.answers = [(301, "", {"x-amz-bucket-region": "ap-south-1"}), (503, "")]
    amazon.fetch(tmp_path / "x")
    assert amazon.places() == [
        "https://data.s3.eu-west-1.amazonaws.com/k",
        *["https://data.s3.ap-south-1.amazonaws.com/k"] * 2,
    ]
    assert amazon.credentials()[1:] == ["AKIA/20260701/ap-south-1/s3/aws4_request"] * 2
    assert amazon.waited == [0.5]


@pytest.mark.parametrize(
    ("bucket", "region", "environment", "place"),
    [
        ("data", "eu-west-1", {}, "https://data.s3.eu-west-1.amazonaws.com/a/%C3%A4%20b~.c"),
        ("my.data", "cn-north-1", {}, "https://s3.cn-north-1.amazonaws.com.cn/my.data/a/%C3%A4%20b~.c"),
        ("data", "eu-west-1", {"AWS_ENDPOINT_URL": "http://h:1/"}, "http://h:1/data/a/%C3%A4%20b~.c"),
        (
            "data",
            "eu-west-1",
            {"AWS_ENDPOINT_URL": "http://h:1/", "AWS_ENDPOINT_URL_S3": "http://s:2"},
            "http://s:2/data/a/%C3%A4%20b~.c",
        ),
    ],
)
def test_an_object_has_an_address(bucket: str, region: str, environment: dict[str, str], place: str) -> None:
    assert str(s3.address(bucket, "a/ä b~.c", region, environment)) == place


@pytest.mark.parametrize("url", ["s3://data", "s3://data/", "s3:///k", "s3://data/folder/", "s3://"])
def test_what_names_no_file_is_told(url: str) -> None:
    with pytest.raises(StartError) as caught:
        s3.check(url)
    assert str(caught.value) == f"{url} does not name a file in S3: write s3://BUCKET/KEY"
    s3.check("s3://data/a/b")


ROLE = json.dumps({"AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t"})


@pytest.mark.parametrize(
    ("environment", "place", "authorization"),
    [
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, "http://169.254.170.2/v2/x", None),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://agent/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": " a \n"},
            "http://agent/x",
            "a",
        ),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://agent/x", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/y"},
            "http://169.254.170.2/y",
            None,
        ),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x", "AWS_ACCESS_KEY_ID": "half"}, "http://169.254.170.2/x", None),
    ],
)
def test_credentials_of_the_container_are_asked_of_its_agent(
    amazon: Amazon, tmp_path: Path, environment: dict[str, str], place: str, authorization: str | None
) -> None:
    amazon.answers = [(200, ROLE)]
    amazon.fetch(tmp_path / "x", **environment, AWS_DEFAULT_REGION="eu-west-2")
    assert amazon.places() == [place, "https://data.s3.eu-west-2.amazonaws.com/k"]
    assert amazon.seen[0].headers.get("authorization") == authorization
    assert amazon.seen[1].headers["x-amz-security-token"] == "t"
    assert amazon.clients[0] == {"trust_env": False, "timeout": 5}


def test_a_token_may_be_in_a_file(amazon: Amazon, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the file\n", encoding="utf-8")
    amazon.answers = [(200, json.dumps({"AccessKeyId": "ROLE", "SecretAccessKey": "s"}))]
    given = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"), "AWS_REGION": "r"}
    words = {**given, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://agent/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "no"}
    amazon.fetch(tmp_path / "x", **words)
    assert amazon.seen[0].headers["authorization"] == "of the file"
    assert "x-amz-security-token" not in amazon.seen[1].headers


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, ""), "HTTPStatusError"),
        (httpx.ConnectError("x"), "ConnectError"),
        ((200, "x"), "JSONDecodeError"),
        ((200, '{"AccessKeyId": "x"}'), "KeyError"),
    ],
)
def test_credentials_that_cannot_be_had_are_told(amazon: Amazon, tmp_path: Path, answer: Any, kind: str) -> None:
    amazon.answers = [answer]
    with pytest.raises(StartError) as caught:
        amazon.fetch(tmp_path / "x", AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/x")
    assert str(caught.value) == f"s3://data/k: the container's AWS credentials cannot be had: {kind}"
    with pytest.raises(StartError) as caught:
        amazon.fetch(tmp_path / "x", NOTHING="")
    assert str(caught.value) == (
        "s3://data/k needs AWS credentials and there are none: give the job a role (task-role)"
    )


@pytest.mark.parametrize(
    ("environment", "answer", "region"),
    [
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, None, "a"),
        ({"AWS_DEFAULT_REGION": "b"}, None, "b"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://agent/v4"}, (200, '{"TaskARN": "arn:aws:ecs:c:1:x"}'), "c"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://agent/v4"}, (200, '{"TaskARN": "arn"}'), "us-east-1"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://agent/v4"}, (200, "{}"), "us-east-1"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://agent/v4"}, (200, "x"), "us-east-1"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://agent/v4"}, (500, ""), "us-east-1"),
        ({}, None, "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_environment_or_of_the_task(
    amazon: Amazon, environment: dict[str, str], answer: Any, region: str
) -> None:
    amazon.answers = [] if answer is None else [answer]
    assert s3._region(environment) == region
    assert amazon.places() == ([] if answer is None else ["http://agent/v4/task"])


def test_keys_are_not_shown_and_complete() -> None:
    keys = s3._keys("x", {**KEYS, "AWS_SESSION_TOKEN": "t"})
    assert keys == Keys("AKIA", "a-secret", "t")
    assert s3._keys("x", KEYS) == Keys("AKIA", "a-secret", "")
    assert repr(keys) == "Keys(...)"
