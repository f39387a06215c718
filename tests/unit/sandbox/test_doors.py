"""The sandbox's two doors: requests as ASGI tells them, who is admitted, and by whom they are answered."""

import hashlib
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from model_sandbox import admission, api, asgi
from model_sandbox.admission import Admission, Admitted, RefusedError, check_sender
from model_sandbox.bridge import OF_FUNCTIONS, OF_JOBS, Bridge
from model_sandbox.front import Calls, Front
from model_sandbox.journal import Journal
from model_sandbox.pace import Pace
from model_sandbox.record import health_proof
from model_sandbox.signatures import Head, SignatureError, Signer, token_signature
from model_sandbox.tokens import Scope, Tokens
from tests.rig.asgi_messages import Client, Incoming, Sent, request, run

ACCOUNT = "123456789012"
HOST = "127.0.0.1:4566"
SIGNED = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20261122/eu-west-1/ecs/aws4_request, SignedHeaders=host"
FORM = "application/x-www-form-urlencoded"


# ---- ASGI


def test_headers_are_joined_by_lower_case_name() -> None:
    raw = [(b"Accept", b"a"), (b"ACCEPT", b"b"), (b"X-\xe9", b"\xe9")]
    assert asgi.headers_of({"headers": raw}) == {"accept": "a, b", "x-é": "é"}


@pytest.mark.parametrize(
    ("headers", "signer"),
    [
        ({"authorization": SIGNED}, (ACCOUNT, "eu-west-1")),
        ({"authorization": "Basic QVdTOng="}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_key_and_region_are_those_of_the_signature(headers: dict[str, str], signer: tuple[str, str]) -> None:
    assert asgi.signed_by(headers) == signer


def test_a_body_is_read_whole_and_up_to_its_limit() -> None:
    assert run(asgi.read_body(Incoming(b"one ", b"", b"two"))) == b"one two"
    assert run(asgi.read_body(Incoming(b"1234", b"5"), 5)) == b"12345"
    long = Incoming(b"1234", b"56", b"never read")
    with pytest.raises(ValueError, match=r"^request body is larger than 5 bytes$"):
        run(asgi.read_body(long, 5))
    assert long.read == 2
    with pytest.raises(ValueError, match=r"^the client went away before its request was whole$"):
        run(asgi.read_body(Incoming(b"1", leaves=True)))


def test_a_message_may_say_nothing_of_body_or_end() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    assert run(asgi.read_body(receive)) == b""


def test_a_body_that_was_read_is_given_once_more_and_then_what_follows() -> None:
    later = Incoming(b"later")
    again = asgi.replay(b"body", later)
    assert run(again()) == {"type": "http.request", "body": b"body", "more_body": False}
    assert run(again()) == {"type": "http.request", "body": b"later", "more_body": False}


def told(*types: str) -> Any:
    messages = [{"type": each} for each in types]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return receive


def test_start_and_end_are_acknowledged_and_web_sockets_closed() -> None:
    sent = Sent()
    run(asgi.decline({"type": "lifespan"}, told("lifespan.startup", "lifespan.shutdown"), sent))
    assert [each["type"] for each in sent.messages] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    sent = Sent()
    run(asgi.decline({"type": "websocket"}, told("websocket.connect"), sent))
    assert sent.messages == [{"type": "websocket.close", "code": 1008}]


def test_an_answer_names_its_length_and_is_sent_in_pieces() -> None:
    sent = Sent()
    run(asgi.reply(sent, 201, {"X-Y": "é"}, b"body"))
    assert sent.messages == [
        {
            **{"type": "http.response.start", "status": 201},
            "headers": [(b"content-length", b"4"), (b"x-y", b"\xe9")],
        },
        {"type": "http.response.body", "body": b"body", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]
    sent = Sent()
    run(asgi.reply(sent, 200, {"content-length": "9"}))
    assert sent.messages == [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]
    sent = Sent()
    run(asgi.reply_json(sent, 404, {"a": [1]}))
    assert sent.answer() == (404, {"content-length": "10", "content-type": "application/json"}, b'{"a": [1]}')


# ---- operations in place of ministack's

JSON = {"Content-Type": "application/x-amz-json-1.1"}


def handled(module: Any, path: str = "/", body: bytes = b"", **headers: str) -> Any:
    return run(module.handle_request("POST", path, headers, body, {"q": ["1"]}))


def a_module() -> Any:
    async def handle_request(*asked: Any) -> Any:
        return 299, {}, repr(asked).encode()

    return SimpleNamespace(handle_request=handle_request)


def failing(code: str, status: int) -> Any:
    def operation(_: Any) -> dict[str, Any]:
        raise api.ApiError(code, "why", status)

    return operation


def refused(code: str, message: str, status: int = 400) -> Any:
    body = json.dumps({"__type": code, "message": message}).encode()
    return status, {**JSON, "x-amzn-errortype": code}, body


def test_our_operations_answer_and_ministack_the_rest() -> None:
    module = a_module()
    api.serve(module, {"Ours": lambda asked: {"asked": asked}, "Fails": failing("E", 409)}, api.by_target)
    assert handled(module, body=b'{"a": 1}', **{"x-amz-target": "Ecs.V1.Ours"}) == (200, JSON, b'{"asked": {"a": 1}}')
    assert handled(module, **{"x-amz-target": "Ours"}) == (200, JSON, b'{"asked": {}}')
    assert handled(module, **{"x-amz-target": "X.Fails"}) == refused("E", "why", 409)
    theirs = repr(("POST", "/p", {"x-amz-target": "X.Other"}, b"b", {"q": ["1"]})).encode()
    assert handled(module, "/p", b"b", **{"x-amz-target": "X.Other"}) == (299, {}, theirs)
    assert handled(module, "/p", b"b")[0] == 299
    for body, why in ((b"{", "Expecting property name enclosed in double quotes"), (b"\xff", "'utf-8' codec")):
        status, headers, content = handled(module, body=body, **{"x-amz-target": "X.Ours"})
        assert (status, headers["x-amzn-errortype"]) == (400, "SerializationException")
        assert json.loads(content)["message"].startswith(f"the body is not JSON: {why}")


def test_checks_come_before_ministack() -> None:
    module, seen = a_module(), []
    api.check_first(module, {"submitjob": seen.append, "canceljob": failing("E", 400)}, api.by_path)
    asked = ("POST", "/v1/SubmitJob/", {}, b'{"a": 1}', {"q": ["1"]})
    assert handled(module, "/v1/SubmitJob/", b'{"a": 1}') == (299, {}, repr(asked).encode())
    assert handled(module, "/v1/submitjob")[0] == 299
    assert seen == [{"a": 1}, {}]
    assert handled(module, "/v1/canceljob") == refused("E", "why")
    assert handled(module, "/v1/listjobs", b"no JSON")[0] == 299


def test_ministacks_own_answer_is_taken_apart() -> None:
    assert api.ask((200, {}, b'{"a": 1}')) == {"a": 1}
    assert api.ask((399, {}, b"{}")) == {}
    for body, code, message in (
        ('{"__type": "E", "message": "why"}', "E", "why"),
        ("{}", "ClientException", ""),
    ):
        with pytest.raises(api.ApiError) as failed:
            api.ask((400, {}, body))
        assert (failed.value.code, str(failed.value), failed.value.status) == (code, message, 400)
    assert api.ApiError("E", "why").status == 400


# ---- admission


class Checked:
    """Signatures that know one signer, and note what they were asked to check."""

    def __init__(self, signer: Signer | SignatureError) -> None:
        self.signer = signer
        self.asked: list[tuple[Head, bytes]] = []

    def check(self, head: Head, body: bytes) -> Signer:
        self.asked.append((head, body))
        if isinstance(self.signer, SignatureError):
            raise self.signer
        return self.signer


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Checked:
    made = Checked(Signer(ACCOUNT, "ecs"))
    monkeypatch.setattr(admission, "Signatures", lambda upstream, secret: made)
    return made


def answered(*asked: Any, **named: Any) -> Any:
    """Answer as ministack's `access_denied_response`, with all that it was told."""
    assert len(asked[3]) == 36
    return 403, {"x-why": "y"}, json.dumps([*asked[:3], named]).encode()


UPSTREAM: Any = SimpleNamespace(actions=SimpleNamespace(access_denied_response=answered))


def the_admission() -> Admission:
    return Admission(UPSTREAM, "secret", 10)


def refusal_of(scope: asgi.Scope, receive: asgi.Receive) -> tuple[str, str, str]:
    with pytest.raises(RefusedError) as caught:
        run(the_admission().admit(scope, receive))
    return caught.value.code, str(caught.value), caught.value.service


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "The Host header does not name this sandbox."),
        ({"host": "127.0.0.1:1"}, "The Host header does not name this sandbox."),
        ({"host": HOST, "origin": "null"}, "The sandbox answers no web page (the request has an Origin)."),
    ],
)
def test_who_is_no_client_is_told_why(headers: dict[str, str], why: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_sender(headers, (HOST,))
    assert (caught.value.code, str(caught.value), caught.value.service) == ("AccessDenied", why, "")


def test_a_signed_body_is_read_first_and_can_be_read_again(checked: Checked) -> None:
    scope = request("POST", "/p/a%20b?q=1&e=", authorization=SIGNED, x_amz_target="T")
    scope["raw_path"] = b"/p/a%20b"
    admitted = run(the_admission().admit(scope, Incoming(b"12345", b"67890")))
    head = Head("POST", "/p/a%20b", {"q": ["1"], "e": [""]}, {"authorization": SIGNED, "x-amz-target": "T"})
    assert checked.asked == [(head, b"1234567890")]
    assert (admitted.signer, admitted.body, admitted.scope) == (Signer(ACCOUNT, "ecs"), b"1234567890", scope)
    assert run(admitted.receive()) == {"type": "http.request", "body": b"1234567890", "more_body": False}


def test_a_long_body_is_refused_before_anybody_checks_it(checked: Checked) -> None:
    told = refusal_of(request("POST", "/", authorization=SIGNED), Incoming(b"12345", b"678901", b"never read"))
    assert told == ("RequestEntityTooLarge", "request body is larger than 10 bytes", "")
    assert checked.asked == []


def test_a_body_whose_hash_is_signed_is_read_after_its_signature_whatever_its_length(checked: Checked) -> None:
    body = b"x" * 100
    digest = hashlib.sha256(body).hexdigest()
    scope = request("PUT", "/b/k", authorization=SIGNED, x_amz_content_sha256=digest)
    admitted = run(the_admission().admit(scope, Incoming(body)))
    assert (checked.asked[0][1], admitted.body) == (b"", body)
    assert run(admitted.receive())["body"] == body
    told = refusal_of(scope, Incoming(b"another"))
    why = "The provided x-amz-content-sha256 does not match the body."
    assert told == ("XAmzContentSHA256Mismatch", why, "")


def test_a_body_that_nobody_signed_is_left_to_who_answers(checked: Checked) -> None:
    checked.signer = Signer(ACCOUNT, "s3")
    scope = request("PUT", "/b/k", authorization=SIGNED, x_amz_content_sha256="UNSIGNED-PAYLOAD")
    incoming = Incoming(b"1", b"2")
    admitted = run(the_admission().admit(scope, incoming))
    assert (admitted.body, admitted.receive, incoming.read) == (b"", incoming, 0)


def test_who_has_not_signed_is_not_read(checked: Checked) -> None:
    checked.signer = SignatureError("MissingAuthenticationToken", "Missing", "ecs")
    for scope in (request("GET", "/b/k"), request("PUT", "/", authorization=SIGNED, x_amz_content_sha256="x")):
        incoming = Incoming(b"1")
        assert refusal_of(scope, incoming) == ("MissingAuthenticationToken", "Missing", "ecs")
        assert incoming.read == 0


MISLEADING = {"X-Amz-Target": "T", "Content-Type": FORM.upper() + "; charset=utf-8", "x-other": "o"}


@pytest.mark.parametrize(
    ("signer", "stay"),
    [
        (Signer(ACCOUNT, "s3", presigned=True), ["x-other"]),
        (Signer(ACCOUNT, "s3"), ["Content-Type", "x-other"]),
        (Signer(ACCOUNT, "batch"), ["Content-Type", "x-other"]),
        (Signer(ACCOUNT, "ecs"), list(MISLEADING)),
    ],
)
def test_what_could_lead_to_another_service_is_left_out(checked: Checked, signer: Signer, stay: list[str]) -> None:
    checked.signer = signer
    for more in ({}, {"x-amz-content-sha256": hashlib.sha256(b"1").hexdigest()}):
        scope = request("PUT", "/b/k", **MISLEADING, **more)
        admitted = run(the_admission().admit(scope, Incoming(b"1")))
        assert [name.decode() for name, _ in admitted.scope["headers"]] == [*stay, *more]
        assert {**admitted.scope, "headers": 0} == {**scope, "headers": 0}


def test_a_presigned_request_keeps_a_type_that_is_no_form(checked: Checked) -> None:
    checked.signer = Signer(ACCOUNT, "s3", presigned=True)
    scope = request("PUT", "/b/k", content_type="text/csv")
    assert run(the_admission().admit(scope, Incoming(b"1"))).scope == scope


def test_header_values_are_joined_as_a_signature_has_them(checked: Checked) -> None:
    scope = request("GET", "/b/k")
    scope["headers"] = [(b"A", b"1"), (b"a", b"2"), (b"u", "é".encode()), (b"l", b"\xe9")]
    run(the_admission().admit(scope, Incoming(b"")))
    assert checked.asked[0][0].headers == {"a": "1,2", "u": "é", "l": "é"}


TOKEN = f"a.b.{token_signature('a.b', 'secret')}"
ASSUME = {"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": TOKEN}


def test_a_token_of_the_sandbox_needs_no_signature(checked: Checked) -> None:
    body = urlencode(ASSUME).encode()
    scope = request("POST", "/", content_type=f"{FORM}; charset=utf-8")
    admitted = run(the_admission().admit(scope, Incoming(body)))
    assert (admitted.signer, admitted.body, admitted.scope) == (Signer("", "sts"), body, scope)
    assert run(admitted.receive())["body"] == body
    assert checked.asked == []


NO_TOKEN = ("MissingAuthenticationToken", "Missing Authentication Token", "")
FOREIGN = "The sandbox knows only tokens that are signed with its own secret (HS256)."


@pytest.mark.parametrize(
    ("method", "target", "headers", "form", "told"),
    [
        ("PUT", "/", {}, ASSUME, NO_TOKEN),
        ("POST", "/?Action=X", {}, ASSUME, NO_TOKEN),
        ("POST", "/", {"x-amz-target": "T"}, ASSUME, NO_TOKEN),
        ("POST", "/", {"content-type": "text/plain"}, ASSUME, NO_TOKEN),
        ("POST", "/", {}, {**ASSUME, "Action": "GetCallerIdentity"}, NO_TOKEN),
        ("POST", "/", {}, {**ASSUME, "Action": ["AssumeRoleWithWebIdentity"] * 2}, NO_TOKEN),
        ("POST", "/", {}, {**ASSUME, "Action": [ASSUME["Action"], ""]}, NO_TOKEN),
        ("POST", "/", {}, {"WebIdentityToken": TOKEN}, NO_TOKEN),
        ("POST", "/", {}, {**ASSUME, "WebIdentityToken": [TOKEN, ""]}, ("InvalidIdentityToken", FOREIGN, "sts")),
        ("POST", "/", {}, {**ASSUME, "WebIdentityToken": [TOKEN, TOKEN]}, ("InvalidIdentityToken", FOREIGN, "sts")),
        ("POST", "/", {}, {**ASSUME, "WebIdentityToken": "a.b.c"}, ("InvalidIdentityToken", FOREIGN, "sts")),
        ("POST", "/", {}, {"Action": ASSUME["Action"]}, ("InvalidIdentityToken", FOREIGN, "sts")),
    ],
)
def test_without_a_token_of_the_sandbox_nobody_comes_in(
    checked: Checked, method: str, target: str, headers: dict[str, str], form: dict[str, Any], told: Any
) -> None:
    scope = request(method, target, **{"content-type": FORM, **headers})
    assert refusal_of(scope, Incoming(urlencode(form, doseq=True).encode())) == told
    assert refusal_of(scope, Incoming(b"a=\xff&" + urlencode(form, doseq=True).encode())) == told


def test_a_form_with_a_token_has_at_most_64_kib(checked: Checked) -> None:
    def padded(size: int) -> Incoming:
        body = urlencode(ASSUME).encode() + b"&p="
        return Incoming(body + b"x" * (size - len(body)))

    scope = request("POST", "/", content_type=FORM)
    run(the_admission().admit(scope, padded(65536)))
    assert refusal_of(scope, padded(65537)) == ("RequestEntityTooLarge", "request body is larger than 65536 bytes", "")


def test_a_refusal_has_the_form_of_its_service(checked: Checked) -> None:
    sent = Sent()
    run(the_admission().refuse({"a": "b"}, RefusedError("C", "why", "s3"), sent))
    status, headers, body = sent.answer()
    assert (status, headers["x-why"]) == (403, "y")
    assert json.loads(body) == ["s3", "", "", {"error_code": "C", "message": "why", "headers": {"a": "b"}}]


# ---- the front


class Doors:
    """An admission that lets in whoever `signer` is, and sessions of containers."""

    def __init__(self, signer: Signer, reach: dict[str, frozenset[str]] | None = None) -> None:
        self.signer, self._reach = signer, reach or {}

    async def admit(self, scope: asgi.Scope, receive: asgi.Receive) -> Admitted:
        return Admitted(self.signer, await asgi.read_body(receive), scope, receive)

    async def refuse(self, headers: dict[str, str], refused: RefusedError, send: asgi.Send) -> None:
        await asgi.reply_json(send, 403, [refused.service, refused.code, str(refused), headers])

    def reach(self, key: str) -> frozenset[str]:
        return self._reach.get(key, frozenset())


def named(name: str) -> asgi.App:
    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await asgi.reply(send, 200, {}, f"{name} {scope['method']} {scope['path']}".encode())

    return app


class Answering:
    """Calls that say what they were asked, with a journal."""

    def __init__(self) -> None:
        self.journal, self.lived = Journal(), list[str]()

    async def aws(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        self.lived.append(scope["type"])

    async def __call__(self, admitted: Admitted, send: asgi.Send) -> None:
        await named("calls")(admitted.scope, admitted.receive, send)


def the_front(doors: Doors, pace: Pace | None = None, tokens: Tokens | None = None) -> tuple[Client, Answering]:
    calls, both = Answering(), doors
    made = Front(
        calls,  # type: ignore[arg-type]
        named("registry"),
        both,  # type: ignore[arg-type]
        both,  # type: ignore[arg-type]
        tokens or Tokens(),
        pace or Pace(),
        (HOST,),
        "secret",
    )
    return Client(made), calls


ROOT = Doors(Signer(ACCOUNT, "ecs"))
USER = Doors(Signer("AKIAXXXXXXXX", "ecs"))
LENGTH = {"content-type": "application/json"}
NO_PATH = {"message": "no such path"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "answer"),
    [
        ("GET", "/", {}, b"calls GET /"),
        ("POST", "/_", {}, None),
        ("GET", "/v2", {}, b"registry GET /v2"),
        ("GET", "/v2/", {"authorization": SIGNED}, b"registry GET /v2/"),
        ("GET", "/v2/app/x", {"authorization": "Basic x"}, b"registry GET /v2/app/x"),
        ("GET", "/v2/app/x", {}, b"registry GET /v2/app/x"),
        ("GET", "/v2/app/x", {"authorization": SIGNED}, b"calls GET /v2/app/x"),
        ("GET", "/v20", {}, b"calls GET /v20"),
        ("POST", "/_sandbox/health", {}, None),
        ("GET", "/_other", {}, None),
        ("GET", "/_sandbox/other", {}, None),
        ("POST", "/_sandbox/journal", {}, None),
        ("PUT", "/_sandbox/journal", {}, None),
        ("GET", "/_sandbox/registry-tokens/expire", {}, None),
        ("PUT", "/_sandbox/minute/1000", {}, None),
        ("PUT", "/_sandbox/minute/", {}, None),
        ("POST", "/_sandbox/minute/1", {}, None),
    ],
)
def test_the_front_leads_by_path(method: str, path: str, headers: dict[str, str], answer: bytes | None) -> None:
    status, _, body = the_front(ROOT)[0](method, path, host=HOST, **headers)
    assert (status, body) == ((200, answer) if answer else (404, json.dumps(NO_PATH).encode()))


def test_health_proves_the_secret_to_anybody_who_asks_it_by_its_name() -> None:
    client, _ = the_front(Doors(Signer("", "")))
    for nonce, asked in (("n", "?nonce=n"), ("", ""), ("", "?other=1")):
        status, _, body = client("GET", f"/_sandbox/health{asked}", host=HOST)
        assert (status, json.loads(body)) == (200, {"proof": health_proof("secret", nonce)})
    status, _, body = client("GET", "/_sandbox/health", host="evil")
    assert (status, json.loads(body)) == (
        403,
        ["", "AccessDenied", "The Host header does not name this sandbox.", {"host": "evil"}],
    )


def test_the_journal_is_shown_and_emptied() -> None:
    client, calls = the_front(ROOT)
    calls.journal.add("ecs", "A", "ok", mutating=False)
    status, _, shown = client("GET", "/_sandbox/journal", host=HOST)
    assert (status, [call["action"] for call in json.loads(shown)["calls"]]) == (200, ["A"])
    assert client("DELETE", "/_sandbox/journal", host=HOST) == (204, {"content-length": "0"}, b"")
    assert json.loads(client("GET", "/_sandbox/journal", host=HOST)[2]) == {"calls": []}


def test_passwords_expire_and_minutes_are_shortened_on_request() -> None:
    tokens, pace = Tokens(), Pace()
    tokens.issue(Scope(ACCOUNT, "eu-west-1"))
    client, _ = the_front(ROOT, pace, tokens)
    status, _, body = client("POST", "/_sandbox/registry-tokens/expire", host=HOST)
    assert (status, json.loads(body)) == (200, {"expired": 1})
    assert client("PUT", "/_sandbox/minute/0.125", host=HOST) == (204, {"content-length": "0"}, b"")
    assert pace.minute == 0.125
    client("PUT", "/_sandbox/minute/999", host=HOST)
    assert pace.minute == 999


def test_own_paths_are_roots_alone() -> None:
    client, calls = the_front(USER)
    calls.journal.add("ecs", "A", "ok", mutating=False)
    assert client("DELETE", "/_sandbox/journal", host=HOST)[0] == 404
    assert len(calls.journal.as_json()["calls"]) == 1
    assert client("GET", "/", host=HOST)[2] == b"calls GET /"


def test_credentials_of_a_container_are_good_at_its_own_door_only() -> None:
    client, _ = the_front(Doors(Signer("ASIA1", "s3"), {"ASIA1": OF_JOBS}))
    status, _, body = client("GET", "/b/k", host=HOST)
    assert (status, json.loads(body)) == (
        403,
        ["s3", "AccessDenied", "These are a container's credentials.", {"host": HOST}],
    )


def test_ministack_starts_and_ends_with_the_server_and_web_sockets_are_closed() -> None:
    client, calls = the_front(ROOT)
    run(client.app({"type": "lifespan"}, told(), Sent()))
    assert calls.lived == ["lifespan"]
    sent = Sent()
    run(client.app({"type": "websocket"}, told("websocket.connect"), sent))
    assert (calls.lived, sent.messages) == (["lifespan"], [{"type": "websocket.close", "code": 1008}])


# ---- calls


class Policies:
    """Access that notes which requests begin."""

    def __init__(self) -> None:
        self.begun: list[tuple[dict[str, str], bytes, str]] = []

    def begin(self, headers: dict[str, str], body: bytes, path: str) -> None:
        self.begun.append((headers, body, path))

    def asked(self) -> tuple[str, ...]:
        return ("ecs:A *",)


def answering(status: int, *pieces: bytes) -> asgi.App:
    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await asgi.reply_stream(send, status, {"x": "y"}, pieces)

    return app


def journaled(calls: Calls, scope: asgi.Scope, body: bytes = b"", key: str = ACCOUNT) -> tuple[Any, dict[str, Any]]:
    sent, signer = Sent(), Signer(key, "ecs")
    run(calls(Admitted(signer, body, scope, Incoming(body)), sent))
    entry = calls.journal.as_json()["calls"][-1]
    assert entry.pop("at") > 0
    return sent.answer(), entry


def entry_of(service: str, action: str, outcome: str, mutating: bool, *asked: str) -> dict[str, Any]:
    return {"service": service, "action": action, "outcome": outcome, "mutating": mutating, "asked": asked}


def test_a_service_of_ours_answers_its_calls_and_ministack_others() -> None:
    calls = Calls(answering(200, b"ministack"), {"ecs": answering(200, b"ours")}, Journal(), None)
    scope = request("POST", "/", authorization=SIGNED, x_amz_target="Ecs.UpdateService")
    answer, entry = journaled(calls, scope)
    assert answer == (200, {"x": "y"}, b"ours")
    assert entry == entry_of("ecs", "UpdateService", "ok", True)
    scope = request("POST", "/", authorization=SIGNED.replace("ecs", "ec2"), content_type=f"{FORM}; charset=utf-8")
    answer, entry = journaled(calls, scope, b"Action=DescribeVpcs")
    assert answer == (200, {"x": "y"}, b"ministack")
    assert entry == entry_of("ec2", "DescribeVpcs", "ok", False)


@pytest.mark.parametrize(
    ("status", "pieces", "outcome"),
    [
        (400, (b'{"__type":', b'"E"}'), "E"),
        (399, (b'{"__type":"E"}',), "ok"),
        (500, (b" " * 4095, b'{"__type":"E"}'), "500"),
        (500, (b" " * 4080 + b'{"__type":"E"}',), "E"),
        (500, (b" " * 4096, b'{"__type":"E"}'), "500"),
    ],
)
def test_the_outcome_is_told_by_the_begin_of_an_answer(status: int, pieces: tuple[bytes, ...], outcome: str) -> None:
    calls = Calls(answering(status, *pieces), {}, Journal(), None)
    answer, entry = journaled(calls, request("GET", "/", authorization=SIGNED, x_amz_target="E.Describe"))
    assert answer == (status, {"x": "y"}, b"".join(pieces))
    assert entry == entry_of("ecs", "Describe", outcome, False)


def test_who_answers_gets_the_request_whole() -> None:
    async def echo(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await asgi.reply(send, 200, {}, scope["path"].encode() + await asgi.read_body(receive))

    calls = Calls(answering(500), {"ecs": echo}, Journal(), None)
    answer, _ = journaled(calls, request("POST", "/p", authorization=SIGNED), b" body")
    assert answer == (200, {"content-length": "7"}, b"/p body")


def test_a_call_whose_answer_failed_is_in_the_journal() -> None:
    async def broken(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        raise RuntimeError

    calls = Calls(broken, {}, Journal(), None)
    admitted = Admitted(Signer(ACCOUNT, "s3"), b"", request("GET", "/b/k"), Incoming(b""))
    with pytest.raises(RuntimeError):
        run(calls(admitted, Sent()))
    assert [call["outcome"] for call in calls.journal.as_json()["calls"]] == ["500"]


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({"content-type": FORM}, True),
        ({"content-type": "application/x-amz-json-1.1"}, True),
        ({}, True),
        ({"content-type": "text/xml"}, False),
        ({"content-type": "text/xml", "x-amz-target": "T.A"}, True),
    ],
)
def test_policies_read_forms_and_json(headers: dict[str, str], read: bool) -> None:
    policies: Any = Policies()
    calls = Calls(answering(200), {}, Journal(), policies)
    _, entry = journaled(calls, request("POST", "/p", authorization=SIGNED, **headers), b"body")
    assert policies.begun == [({"authorization": SIGNED, **headers}, b"body" if read else b"", "/p")]
    assert entry["asked"] == ("ecs:A *",)


def test_a_body_that_is_no_form_names_no_action_where_policies_do_not_count() -> None:
    calls = Calls(answering(200), {}, Journal(), None)
    scope = request("PUT", "/b/k", authorization=SIGNED, content_type="application/json")
    assert journaled(calls, scope, b"Action=DescribeVpcs")[1]["action"] == "PUT /b/k"


def test_who_asks_ec2_too_often_is_told_so_and_others_are_answered() -> None:
    calls = Calls(answering(200, b"vpcs"), {}, Journal(), None)
    calls._throttle.clock = lambda: 0.0
    scope = request("POST", "/", authorization=SIGNED.replace("ecs", "ec2"), content_type=FORM)
    answers = [journaled(calls, scope, b"Action=DescribeVpcs")[0][0] for _ in range(101)]
    assert answers == [200] * 100 + [503]
    (status, headers, body), entry = journaled(calls, scope, b"Action=DescribeVpcs")
    assert (status, headers["content-type"], entry["outcome"]) == (503, "text/xml", "RequestLimitExceeded")
    assert b"<Message>Request limit exceeded.</Message>" in body
    assert journaled(calls, scope, b"Action=DescribeVpcs", "AKIA1")[0][0] == 200


# ---- the bridge


def the_bridge(doors: Doors) -> Client:
    def has_bucket(key: str, bucket: str) -> bool:
        return (key, bucket) == ("ASIA1", "bucket")

    async def answer(admitted: Admitted, send: asgi.Send) -> None:
        await named("calls")(admitted.scope, admitted.receive, send)

    return Client(Bridge(doors, doors, (HOST,), has_bucket, answer))  # type: ignore[arg-type]


CLOSED = "A container of the sandbox may not call this operation."
OTHERS = "Only containers of the sandbox call from here."


@pytest.mark.parametrize(
    ("reach", "service", "method", "path", "why"),
    [
        *((OF_JOBS, "s3", method, "/bucket/key", "") for method in ("DELETE", "GET", "HEAD", "POST", "PUT")),
        (OF_JOBS, "s3", "PATCH", "/bucket/key", CLOSED),
        (OF_JOBS, "s3", "PUT", "/bucket/a\nb/", ""),
        *((OF_JOBS, "s3", method, "/bucket", "") for method in ("GET", "HEAD")),
        (OF_JOBS, "s3", "GET", "/bucket/", ""),
        *((OF_JOBS, "s3", method, "/bucket", CLOSED) for method in ("DELETE", "POST", "PUT")),
        (OF_JOBS, "s3", "PUT", "/bucket/", CLOSED),
        (OF_JOBS, "s3", "GET", "/", CLOSED),
        (OF_JOBS, "s3", "GET", "/b", CLOSED),
        (OF_JOBS, "s3", "GET", "/_sandbox/journal", CLOSED),
        (OF_JOBS, "batch", "POST", "/v1/submitjob", OTHERS),
        *(
            (OF_FUNCTIONS, "batch", "POST", f"/v1/{operation}", "")
            for operation in (
                *("canceljob", "describejobdefinitions", "describejobqueues", "describejobs", "listjobs"),
                *("submitjob", "terminatejob"),
            )
        ),
        (OF_FUNCTIONS, "batch", "GET", "/v1/submitjob", CLOSED),
        (OF_FUNCTIONS, "batch", "POST", "/v1/registerjobdefinition", CLOSED),
        (OF_FUNCTIONS, "batch", "POST", "/bucket/key", CLOSED),
        (OF_FUNCTIONS, "s3", "GET", "/bucket/key", ""),
        (OF_FUNCTIONS, "ecs", "POST", "/", OTHERS),
        (frozenset[str](), "s3", "GET", "/bucket/key", OTHERS),
    ],
)
def test_a_container_calls_what_its_session_is_for(
    reach: frozenset[str], service: str, method: str, path: str, why: str
) -> None:
    client = the_bridge(Doors(Signer("ASIA1", service), {"ASIA1": reach}))
    status, _, body = client(method, path, host=HOST)
    if why:
        assert (status, json.loads(body)) == (403, [service, "AccessDenied", why, {"host": HOST}])
    else:
        assert (status, body) == (200, f"calls {method} {path}".encode())


def test_a_presigned_address_is_no_containers_credential() -> None:
    client = the_bridge(Doors(Signer("ASIA1", "s3", presigned=True), {"ASIA1": OF_JOBS}))
    assert json.loads(client("GET", "/bucket/key", host=HOST)[2])[2] == OTHERS


def test_a_bucket_that_is_missing_is_not_made() -> None:
    client = the_bridge(Doors(Signer("ASIA1", "s3"), {"ASIA1": OF_JOBS}))
    content = (
        b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>"
        b"<BucketName>other</BucketName></Error>"
    )
    answer = (404, {"content-length": str(len(content)), "content-type": "application/xml"}, content)
    assert client("PUT", "/other/key", host=HOST) == answer
    assert client("GET", "/other", host=HOST) == answer


def test_the_bridge_has_a_name_of_its_own_and_takes_no_web_sockets() -> None:
    client = the_bridge(Doors(Signer("ASIA1", "s3"), {"ASIA1": OF_JOBS}))
    assert client("GET", "/bucket/key", host="evil")[0] == 403
    sent = Sent()
    run(client.app({"type": "websocket"}, told("websocket.connect"), sent))
    assert sent.messages == [{"type": "websocket.close", "code": 1008}]
