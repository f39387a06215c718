"""The sandbox's small rules at their boundaries: new roles, passwords, the journal, the throttle, the record."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_sandbox import journal as journals
from model_sandbox import propagation, record, throttle
from model_sandbox.api import ApiError
from model_sandbox.http_answer import Answer
from model_sandbox.journal import Journal
from model_sandbox.pace import Pace
from model_sandbox.tokens import Grant, Refusal, Tokens
from tests.rig.fake_ministack import SCOPE, fake_upstream

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(now=NOW.astimezone, fromisoformat=datetime.fromisoformat)
    monkeypatch.setattr(propagation, "datetime", fake)


def role(age: float) -> dict[str, str]:
    made = (NOW - timedelta(seconds=age)).isoformat()
    return {"CreateDate": made, "AssumeRolePolicyDocument": "ecs-tasks.amazonaws.com"}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("age", "is_new", "is_assumable"),
    [(1.9, True, False), (2.0, False, False), (2.9, False, False), (3.0, False, True)],
)
def test_a_role_is_known_after_two_seconds_and_assumed_after_three(
    age: float, is_new: bool, is_assumable: bool
) -> None:
    assert propagation.is_new(role(age)) is is_new
    assert propagation.is_assumable(role(age), "ecs-tasks.amazonaws.com") is is_assumable
    assert not propagation.is_assumable(role(age), "ec2.amazonaws.com")


@pytest.mark.usefixtures("clock")
def test_who_may_not_pass_a_role_is_told_by_name() -> None:
    upstream = fake_upstream()
    upstream.iam._roles.update(new=role(0), old=role(9))
    propagation.check_passed(upstream, None, "arn:x:role/old", "arn:x:role/none")
    with pytest.raises(ApiError) as caught:
        propagation.check_passed(upstream, "arn:x:role/old", "arn:x:role/path/new")
    told = "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:PassRole on resource: "
    assert (caught.value.code, str(caught.value)) == ("AccessDeniedException", f"{told}arn:x:role/path/new")


def test_passwords_end_all_at_once_and_belong_to_who_asked() -> None:
    now = [100.0]
    tokens = Tokens(clock=lambda: now[0])
    one, other = tokens.issue(SCOPE, 60.0, "AKIA")[0], tokens.issue(SCOPE)[0]
    assert one != other

    def checked(token: str, kind: str = "basic") -> Grant | Refusal:
        return tokens.check(f"{kind} " + base64.b64encode(f"AWS:{token}".encode()).decode())

    now[0] = 159.9
    assert (checked(one), checked(other)) == (Grant(SCOPE, "AKIA"), Grant(SCOPE))
    assert checked(one, "Bearer") is Refusal.UNKNOWN
    now[0] = 160.0
    assert (checked(one), checked(other)) == (Refusal.EXPIRED, Grant(SCOPE))
    assert tokens.expire_all() == 2
    assert (checked(one), checked(other)) == (Refusal.EXPIRED, Refusal.EXPIRED)
    assert tokens.check("basic " + base64.b64encode(b"AWS:\xff").decode()) is Refusal.UNKNOWN


def test_the_journal_keeps_calls_until_it_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "time", SimpleNamespace(time=lambda: 7.0))
    journal = Journal()
    journal.add("ecs", "CreateService", "ok", True, ("ecs:CreateService *",))
    journal.add("ecs", "ListTasks", "ClientException", False)
    assert journal.as_json() == {
        "calls": [
            {
                **{"service": "ecs", "action": "CreateService", "outcome": "ok", "mutating": True, "at": 7.0},
                "asked": ("ecs:CreateService *",),
            },
            {
                **{"service": "ecs", "action": "ListTasks", "outcome": "ClientException", "mutating": False},
                **{"at": 7.0, "asked": ()},
            },
        ]
    }
    journal.reset()
    assert journal.as_json() == {"calls": []}


SIGNED = "AWS4-HMAC-SHA256 Credential=123456789012/20261122/us-east-1/{}/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("method", "path", "service", "headers", "body", "found"),
    [
        ("GET", "/b/k", "s3", {}, b"", ("s3", "GET /b/k", False)),
        ("HEAD", "/b/k", "s3", {}, b"", ("s3", "HEAD /b/k", False)),
        ("OPTIONS", "/b/k", "s3", {}, b"", ("s3", "OPTIONS /b/k", False)),
        ("DELETE", "/b/k", "s3", {}, b"", ("s3", "DELETE /b/k", True)),
        ("POST", "/v1/tags/arn", "batch", {}, b"", ("batch", "POST /v1/tags/arn", True)),
        ("POST", "/v1/x", "lambda", {}, b"", ("lambda", "POST /v1/x", True)),
        ("POST", "/", "", {}, b"", ("unsigned", "POST /", True)),
        ("POST", "/", "ecs", {"x-amz-target": "A.B.SimulateX"}, b"Action=No", ("ecs", "SimulateX", False)),
        ("POST", "/", "ec2", {}, b"Reaction=Create", ("ec2", "POST /", True)),
        *(
            ("POST", "/", "ecs", {"x-amz-target": f"A.{name}Things"}, b"", ("ecs", f"{name}Things", False))
            for name in (
                *("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "BatchDescribe", "Lookup", "Search"),
                *("Filter", "AssumeRole", "Decode", "Query", "Scan", "list"),
            )
        ),
        *(
            ("POST", "/", "ecs", {"x-amz-target": f"A.{name}"}, b"", ("ecs", name, True))
            for name in ("CreateList", "BatchDeleteImage", "PutObject")
        ),
    ],
)
def test_what_a_call_is(
    method: str, path: str, service: str, headers: dict[str, str], body: bytes, found: tuple[str, str, bool]
) -> None:
    signed = {"authorization": SIGNED.format(service)} if service else {}
    assert journals.identify(method, path, {**signed, **headers}, body) == found


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (399, b'{"code": "x"}', "ok"),
        (400, b'{"code": "Lower"}', "Lower"),
        (400, b'{"__type" : "a#B", "code": "C"}', "B"),
        (400, b"\xff<Code>A.B</Code>", "A.B"),
        (500, b"x" * 4096 + b"<Code>A</Code>", "500"),
        (500, b"x" * 4082 + b"<Code>A</Code>", "A"),
    ],
)
def test_how_a_call_ended(status: int, body: bytes, told: str) -> None:
    assert journals.outcome(status, body) == told


def test_who_asks_ec2_too_often_is_told_so() -> None:
    assert throttle.refusal() == (
        *(503, {"Content-Type": "text/xml"}),
        b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error>"
        b"</Errors><RequestID>throttled</RequestID></Response>",
    )


def test_a_caller_that_waits_has_its_hundred_again_and_no_more() -> None:
    now = [0.0]
    limit = throttle.Throttle(clock=lambda: now[0])

    def taken(tries: int) -> int:
        return sum(limit.takes("a", "ec2", "DescribeVpcs") for _ in range(tries))

    assert taken(150) == 100
    now[0] = 0.5
    assert taken(50) == 10
    now[0] = 1000.0
    assert taken(150) == 100


def test_a_record_is_written_whole_with_its_mode(tmp_path: Path) -> None:
    sandbox = record.Record("http://h", "r", "1", 2, "h", "i", 3, "k", "off")
    record.save(tmp_path, sandbox)
    assert (tmp_path / "sandbox.json").read_text() == (
        '{\n "endpoint_url": "http://h",\n "region": "r",\n "account_id": "1",\n "pid": 2,\n "registry": "h",\n'
        ' "instance": "i",\n "born": 3,\n "secret_key": "k",\n "iam": "off"\n}\n'
    )
    record.save(tmp_path, sandbox)
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("1 (a b) c) " + " ".join(str(number) for number in range(1, 25)), 20),
        ("1 (a) S 2", 0),
        ("1 (a) " + " ".join(["x"] * 30), 0),
        (None, 0),
    ],
)
def test_the_start_of_this_process(monkeypatch: pytest.MonkeyPatch, text: str | None, born: int) -> None:
    def read(encoding: str) -> str:
        if text is None:
            raise FileNotFoundError
        return text

    asked: list[str] = []
    monkeypatch.setattr(record, "Path", lambda name: asked.append(name) or SimpleNamespace(read_text=read))
    assert record.born() == born
    assert asked == ["/proc/self/stat"]


def test_a_proof_needs_the_secret_and_the_nonce() -> None:
    key = hmac.digest(b"secret", b"sandbox-health", "sha256")
    assert record.health_proof("secret", "nonce") == hmac.digest(key, b"nonce", "sha256").hex()


def test_a_minute_lasts_a_minute() -> None:
    assert Pace().minute == 60.0


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", b"cde"), [False, True]),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b""), [False, False]),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",), [True]),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n10\r\n\r\n"), [False, False]),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"), [False, True]),
        ((b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",), [True]),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n"), [False, True]),
    ],
)
def test_the_end_of_an_answer(pieces: tuple[bytes, ...], whole: list[bool]) -> None:
    answer = Answer()
    assert answer.is_whole
    answer.ask()
    seen = []
    for piece in pieces:
        answer.take(piece)
        seen.append(answer.is_whole)
    assert seen == whole
