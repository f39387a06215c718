"""The probe asks by whole requests and tells each wrong answer; the model's tests and its proof end as they should."""

import asyncio
import base64
import io
import json
import logging
import os
import secrets
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server import bounds, manifest, privileges, self_proof, selftest, settings
from model_server import probe as module
from model_server.errors import StartError
from model_server.manifest import Proof
from model_server.probe import Question, probe
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.self_proof import SelfProof
from model_server.tabular.problems import DataError
from tests.functional.server.conftest import manifest_text

URL = "http://model:80"
JOB = {"isError": False, "errorMessage": None, "data": {"id": "j", "status": None}}


class Server:
    """Answers the probe, by its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes | None]] = []
        self.answers: dict[str, list[Any]] = {}
        self.slept: list[float] = []
        self.now = 100.0
        self.closed = 0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(module.time, "sleep", self.sleep)
        monkeypatch.setattr(secrets, "token_hex", lambda count: "b" * count)
        monkeypatch.setattr(urllib.request, "build_opener", self.opener)
        for name in [name for name in os.environ if name.startswith(("MODEL_API_KEY", "MODEL_ALLOWED"))]:
            monkeypatch.delenv(name)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def opener(self, handler: Any) -> Any:
        assert isinstance(handler, urllib.request.ProxyHandler)
        assert handler.proxies == {}  # type: ignore[attr-defined]
        return self

    def open(self, request: urllib.request.Request, timeout: float) -> Any:
        assert timeout == 60.0
        path = request.full_url.removeprefix(URL)
        method = request.get_method()
        self.asked.append(f"{method} {path}")
        self.requests.append((method, path, dict(request.header_items()), request.data))  # type: ignore[arg-type]
        found = self.answers.get(f"{method} {path}", [])
        answer = found.pop(0) if len(found) > 1 else found[0] if found else DEFAULTS[f"{method} {path}"]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer
        message = Message()
        for name, value in headers.items():
            message[name] = value
        if status != 200:
            raise urllib.error.HTTPError(request.full_url, status, "", message, io.BytesIO(body))
        server = self

        class Answer(io.BytesIO):
            """An answer that is closed."""

            def close(self) -> None:
                server.closed += 1
                super().close()

        made: Any = Answer(body)
        made.status, made.headers = status, message
        return made


def envelope(data: Any, *, error: str | None = None) -> bytes:
    return json.dumps({"isError": error is not None, "errorMessage": error, "data": data}).encode()


DEFAULTS: dict[str, Any] = {
    "GET /health": (200, b"Health check is ok", {"X-Model-Build-Id": "b1"}),
    "GET /ready": (200, b"ready", {"X-Model-Runner-Mode": "warm"}),
    "POST /data/add-job": (200, envelope({"id": "j", "status": "Created"}), {}),
    "GET /data/status/j": (200, envelope({"id": "j", "status": "Complete"}), {}),
    "GET /data/result/j": (200, b"A\n", {}),
    "DELETE /data/delete/j": (200, envelope(None), {}),
}
ONE_JOB = ["POST /data/add-job", "GET /data/status/j", "GET /data/result/j", "DELETE /data/delete/j"]
QUESTION = Question("b1", "in.csv", "text/csv", '{"m":1}', b"a\n")
FORM = (
    b'--BB\r\nContent-Disposition: form-data; name="MimeType"\r\n\r\ntext/csv\r\n'
    b'--BB\r\nContent-Disposition: form-data; name="Mappings"\r\n\r\n{"m":1}\r\n'
    b'--BB\r\nContent-Disposition: form-data; name="File"; filename="in.csv"\r\n\r\na\n\r\n--BB--\r\n'
).replace(b"BB", b"b" * 16)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def said(question: Question, url: str = URL) -> tuple[bool, list[Any]]:
    lines: list[str] = []
    passed = probe(url, question, lines.append)
    assert all(line.startswith("probe {") and line.endswith("}\n") for line in lines)
    return passed, [json.loads(line.removeprefix("probe ")) for line in lines]


def checked(name: str, detail: str, *, passed: bool = True, seconds: float = 0.0) -> dict[str, Any]:
    return {"check": name, "passed": passed, "seconds": seconds, "detail": detail}


GOOD = [
    checked("health", f"{URL} answers"),
    checked("build-id", "b1"),
    checked("add-job", "job j"),
    checked("status", "Complete"),
    checked("result", "2 bytes"),
    checked("delete", "the smoke job is gone"),
    checked("repeat", "2 more jobs, the same bytes"),
    checked("runner-mode", "warm"),
]


def test_of_a_good_model_each_check_is_told_and_its_result_once(server: Server) -> None:
    result = {"result": base64.b64encode(b"A\n").decode(), "job": 0}
    assert said(QUESTION, f"{URL}/") == (True, [*GOOD, result, {"end": True}])
    assert server.asked == ["GET /health", "GET /health", *ONE_JOB * 3, "GET /ready"]
    sent = [request for request in server.requests if request[0] == "POST"]
    headers = {"Content-type": f"multipart/form-data; boundary={'b' * 16}"}
    assert sent == [("POST", "/data/add-job", headers, FORM)] * 3
    assert [request[2:] for request in server.requests if request[0] != "POST"] == [({}, None)] * 12
    assert server.closed == len(server.asked)


def test_without_a_mapping_none_is_sent_and_without_a_build_none_is_compared(server: Server) -> None:
    assert said(Question("", "in.csv", "text/csv", "", b"a\n"))[1][0:2] == [GOOD[0], GOOD[2]]
    assert server.asked[1] == "POST /data/add-job"
    assert b"Mappings" not in (server.requests[1][3] or b"")


def test_without_a_sample_only_its_health_and_build_are_asked(server: Server) -> None:
    assert said(Question("b1")) == (True, [*GOOD[:2], {"end": True}])
    assert said(Question("")) == (True, [GOOD[0], {"end": True}])


def test_an_own_key_is_sent_with_each_request(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_API_KEY", "k")
    said(Question("b1"))
    assert [request[2] for request in server.requests] == [{"X-api-key": "k"}] * 2


def test_results_that_differ_are_told_each_in_pieces(server: Server) -> None:
    results = [b"1" * 4500, b"2" * 4501, b"1" * 4500]
    server.answers["GET /data/result/j"] = [(200, result, {}) for result in results]
    passed, lines = said(QUESTION)
    texts = [base64.b64encode(result).decode() for result in results]
    assert lines[6] == checked("repeat", "2 more jobs, the bytes differ from job to job")
    assert lines[8:] == [
        {"result": texts[0], "job": 0},
        {"result": texts[1][:6000], "job": 1},
        {"result": texts[1][6000:], "job": 1},
        {"end": True},
    ]
    assert passed


@pytest.mark.parametrize(("size", "told"), [(65536, True), (65537, False)])
def test_results_of_which_one_is_too_large_are_not_told(server: Server, size: int, told: bool) -> None:
    server.answers["GET /data/result/j"] = [(200, b"x" * size, {}), (200, b"y", {})]
    assert any("job" in line for line in said(QUESTION)[1]) is told


ERROR = envelope({"id": "j"}, error="the data is wrong")
NO_ENVELOPE = "{} answered {} without the envelope"


@pytest.mark.parametrize(
    ("request_line", "answer", "check", "detail"),
    [
        ("GET /health", (200, b"hello", {}), "health", "gave up after 30 s: /health answered 200"),
        ("GET /health", (500, b"", {}), "health", "gave up after 30 s: /health answered 500"),
        (
            "GET /health",
            urllib.error.URLError("refused"),
            "health",
            f"gave up after 30 s: {URL} does not answer: refused",
        ),
        ("GET /health", OSError("reset"), "health", f"gave up after 30 s: {URL} does not answer: reset"),
        (
            "GET /health",
            (200, b"Health check is ok", {}),
            "build-id",
            "another build answers: expected b1, /health says nothing",
        ),
        ("POST /data/add-job", (400, ERROR, {}), "add-job", "/data/add-job answered 400: the data is wrong"),
        ("POST /data/add-job", (503, ERROR, {}), "add-job", "/data/add-job answered 503: the data is wrong"),
        (
            "POST /data/add-job",
            (503, ERROR, {"Retry-After": "5"}),
            "add-job",
            "gave up after 30 s: /data/add-job answered 503: the data is wrong",
        ),
        ("POST /data/add-job", (200, b"x", {}), "add-job", NO_ENVELOPE.format("/data/add-job", 200)),
        ("POST /data/add-job", (200, b"[]", {}), "add-job", NO_ENVELOPE.format("/data/add-job", 200)),
        ("POST /data/add-job", (200, b"{}", {}), "add-job", NO_ENVELOPE.format("/data/add-job", 200)),
        ("POST /data/add-job", (200, envelope("x"), {}), "add-job", NO_ENVELOPE.format("/data/add-job", 200)),
        ("POST /data/add-job", OSError("reset"), "add-job", f"{URL} does not answer: reset"),
        (
            "GET /data/status/j",
            (200, envelope({"status": "Error"}, error="no good"), {}),
            "status",
            "the job ended as Error: no good",
        ),
        (
            "GET /data/status/j",
            (200, envelope({"status": "Deleted"}), {}),
            "status",
            "the job ended as Deleted: no message",
        ),
        (
            "GET /data/status/j",
            (200, envelope({"status": "Created"}), {}),
            "status",
            "gave up after 300 s: the job is still Created",
        ),
        ("GET /data/result/j", (404, b"", {}), "result", "/data/result answered 404"),
        ("DELETE /data/delete/j", (404, ERROR, {}), "delete", "/data/delete/j answered 404: the data is wrong"),
    ],
)
def test_the_first_check_that_fails_says_it_all(
    server: Server, request_line: str, answer: Any, check: str, detail: str
) -> None:
    server.answers[request_line] = [answer]
    passed, lines = said(QUESTION)
    names = [line["check"] for line in GOOD]
    told = [line for line in lines if "check" in line][-1]
    assert not passed
    assert (told["check"], told["passed"], told["detail"]) == (check, False, detail)
    assert [line["check"] for line in lines if "check" in line] == names[: names.index(check) + 1]
    assert lines[-1] == {"end": False}


def test_what_is_not_yet_right_is_asked_again_until_its_time_is_over(server: Server) -> None:
    server.answers["GET /health"] = [(503, b"", {}), OSError("refused"), DEFAULTS["GET /health"]]
    server.answers["POST /data/add-job"] = [(503, ERROR, {"Retry-After": "5"}), DEFAULTS["POST /data/add-job"]]
    server.answers["GET /data/status/j"] = [
        *((200, envelope({"status": "InProgress"}), {}), (503, ERROR, {"Retry-After": "1"})),
        *((500, envelope({"status": "Created"}, error="x"), {}), OSError("reset"), DEFAULTS["GET /data/status/j"]),
    ]
    passed, lines = said(QUESTION)
    assert passed
    assert [line["seconds"] for line in lines[:4]] == [1.0, 0.0, 0.5, 2.0]
    assert server.slept == [0.5] * 7


def test_a_wait_ends_before_it_would_be_too_long(server: Server) -> None:
    server.answers["GET /health"] = [(503, b"", {})]
    assert said(Question("b1", start_timeout=1.0))[1][0] == checked(
        "health", "gave up after 1 s: /health answered 503", passed=False, seconds=1.0
    )
    assert len(server.asked) == 3


def test_a_job_of_the_repeats_that_fails_is_deleted_too(server: Server) -> None:
    failed = (200, envelope({"status": "Error"}, error="no"), {})
    server.answers["GET /data/status/j"] = [DEFAULTS["GET /data/status/j"], failed]
    _, lines = said(QUESTION)
    assert lines[6] == checked("repeat", "the job ended as Error: no", passed=False)
    assert server.asked[-1] == "DELETE /data/delete/j"


def test_a_server_need_not_say_how_its_program_runs(server: Server) -> None:
    server.answers["GET /ready"] = [(200, b"", {})]
    assert said(QUESTION)[1][7] == checked("runner-mode", "the server does not say it")


def packed(**given: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(given).encode())).decode()


def test_a_question_is_read_as_it_was_written() -> None:
    sample = base64.b64encode(b"a\n").decode()
    whole = {"name": "n", "mime_type": "t", "mapping": "m", "start_timeout": 1, "job_timeout": 2}
    assert Question.read(packed(build_id="b", sample=sample, **whole)) == Question("b", "n", "t", "m", b"a\n", 1, 2)
    assert Question.read(packed(build_id="b")) == Question("b", "", "", "", None, 30.0, 300.0)
    assert "sample" not in repr(Question("b", sample=b"secret"))
    for text in ("!", base64.b64encode(b"x").decode(), packed(other=1), packed(build_id="b", sample=1)):
        with pytest.raises(ValueError, match=r"."):
            Question.read(text)


class Stage:
    """A runner of tests that answers as the test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.folder = folder
        self.record: Any = {"imports": []}
        self.outcomes: list[Any] = []
        self.prepared: Exception | None = None
        monkeypatch.setattr(selftest, "RunnerClient", self.client)
        monkeypatch.setattr(selftest, "lend", lambda place, user: self.calls.append(("lend", place.name[:9], user)))
        monkeypatch.setattr(privileges, "harden", lambda: self.calls.append("harden"))
        monkeypatch.setattr(os, "geteuid", lambda: 5)

    def client(self, slot: Any, **limits: int) -> "Stage":
        self.calls.append((slot._command[-1], slot._user, limits))
        return self

    def prepare(self) -> None:
        self.calls.append("prepare")
        if self.prepared is not None:
            raise self.prepared

    def stop(self) -> None:
        self.calls.append("stop")

    def run(self, job_id: str, source: Path, output: Path, timeout: float) -> Outcome:
        self.calls.append((job_id, source, output.name, timeout))
        answer = self.outcomes.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, bytes):
            output.write_bytes(answer)
            return Outcome(None, 1.0)
        return Outcome(answer, 1.0)

    def test(self, *tests: tuple[str, str | None], **variables: str) -> list[str]:
        limits = {"timeout_seconds": 7, "memory_mib": 8, "output_bytes": 9}
        schema = {"output": [{"Path": "A", "DataType": "number"}]}
        path = self.folder / "model.json"
        path.write_text(manifest_text(self.folder, limits=limits, schema=schema), encoding="utf-8")
        chosen = settings.from_environment({"MODEL_MANIFEST": str(path), **variables})
        return selftest.run(chosen, [selftest.Test(*test) for test in tests])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, content in (("in.csv", b"a\n"), ("out.csv", b"A\n1\n")):
        (tmp_path / name).write_bytes(content)
    return Stage(tmp_path, monkeypatch)


def test_each_test_is_a_job_and_each_failure_is_told(stage: Stage, tmp_path: Path) -> None:
    stage.outcomes = [b"A\n1\n", b"A\n2\n", b"A\n1\nmore", "no good", RunnerDiedError("it died"), b"A\nx\n", b"A\n1\n"]
    tests = [("in.csv", "out.csv")] * 3 + [("in.csv", None)] * 4
    failures = stage.test(*tests, ("none.csv", None), ("in.csv", "none.csv"))
    assert failures == [
        "in.csv: the result differs from out.csv at byte 3, line 2: '2\\n' instead of '1\\n' (4 bytes, 4 in the "
        "reference)",
        "in.csv: the result differs from out.csv at byte 5, line 3: 'more' instead of the end (8 bytes, 4 in the "
        "reference)",
        "in.csv: the program failed: no good",
        "in.csv: it died",
        "in.csv: the result does not fit the schema: row 1, A: a number is needed, 'x' is there",
        "none.csv: the input is not in the image",
        "in.csv: the reference none.csv is not in the image",
    ]
    path = str(tmp_path / "model.json")
    jobs = [(f"test-{number}", tmp_path / "in.csv", f"test-{number}", 7) for number in range(1, 8)]
    assert stage.calls == ["harden", (path, None, {"memory_mib": 8, "output_bytes": 9}), "prepare", *jobs, "stop"]
    kept = tmp_path / "self-test.json"
    assert (kept.read_text(encoding="utf-8"), kept.stat().st_mode & 0o777) == ('{"imports": []}\n', 0o644)


def test_a_runner_that_does_not_start_is_told_by_the_tests(stage: Stage, tmp_path: Path) -> None:
    stage.prepared, stage.record, stage.outcomes = RunnerDiedError("it died"), None, [RunnerDiedError("it died again")]
    assert stage.test(("in.csv", None), MODEL_JOB_MEMORY_MIB="1") == ["in.csv: it died again"]
    assert stage.calls[1][2] == {"memory_mib": 1, "output_bytes": 9}
    assert not (tmp_path / "self-test.json").exists()


def test_tests_run_as_the_programs_user(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert stage.test(MODEL_PROGRAM_USER="30:40", MODEL_SERVER_USER="1:1") == []
    assert [call[1] for call in stage.calls if len(call) == 3 and call[0] != "lend"] == [(30, 40)]
    assert ("lend", "selftest-", (30, 40)) in stage.calls


def test_a_record_that_cannot_be_kept_fails_the_build_and_ends_the_runner(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StartError) as caught:
        stage.test()
    assert str(caught.value) == f"cannot write {stage.folder}/self-test.json: No space left on device"
    assert stage.calls[-1] == "stop"


def test_tests_are_a_list_of_inputs_and_results() -> None:
    text = '[{"input": "a", "expected": "b"}, {"input": "c", "expected": null}, {"input": 1}]'
    assert selftest.parse(text) == (selftest.Test("a", "b"), selftest.Test("c", None), selftest.Test("1", None))
    for wrong in ("x", "1", "[1]", '[{"expected": "b"}]'):
        with pytest.raises(StartError) as caught:
            selftest.parse(wrong)
        assert str(caught.value) == 'the tests must be a JSON list of {"input": PATH, "expected": PATH or null}'


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        (b"", b"x\n", "byte 1, line 1: the end instead of 'x\\n' (0 bytes, 2 in the reference)"),
        (b"ab\ncd", b"ab\nce", "byte 5, line 2: 'd' instead of 'e' (5 bytes, 5 in the reference)"),
        (b"x" * 40, b"y" * 40, f"byte 1, line 1: '{'x' * 30}' instead of '{'y' * 30}' (40 bytes, 40 in the reference)"),
        (b"\xff", b"\xfe", "byte 1, line 1: '\ufffd' instead of '\ufffd' (1 bytes, 1 in the reference)"),
    ],
)
def test_a_difference_is_told_with_its_place(given: bytes, expected: bytes, told: str) -> None:
    assert selftest._difference(given, expected, "o") == f"the result differs from o at {told}"
    assert selftest._difference(given, given, "o") is None


def test_only_structured_results_with_a_schema_are_checked(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("nonsense", encoding="utf-8")
    schema = {"output": [{"Path": "A", "DataType": "number"}]}
    json = {"output_types": ["application/json"]}
    for changes, fits in (
        ({}, True),
        ({"schema": schema}, False),
        ({"output_types": ["image/png"]}, True),
        (json, True),
    ):
        model = manifest.parse(manifest_text(tmp_path, **changes))
        assert (selftest._misfit(model, tmp_path / "out") is None) is fits


class Proving:
    """A runner of a proof, in a loop."""

    def __init__(self, folder: Path, *answers: Any) -> None:
        self.folder = str(folder)
        self.answers = list(answers)
        self.calls: list[Any] = []

    async def ready(self) -> None:
        self.calls.append("ready")

    async def work(self, *words: Any) -> Outcome:
        self.calls.append(words)
        source = Path(words[1])
        self.calls.append((source.read_bytes(), source.stat().st_mode & 0o777))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Path):
            answer.replace(words[2])
            return Outcome(None, 1.0)
        return Outcome(*answer)


def make_input(source: Path, target: Path) -> None:
    if source.name == "wrong":
        raise DataError("row 1 is short")
    target.write_bytes(source.read_bytes().upper())


class Told:
    """Notes whether a proof ended in success or failure; its thread runs at once."""

    def __init__(self, proof: SelfProof, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends: list[str] = []
        proof.on_failure = lambda: self.ends.append("failure")
        proof.on_success = lambda: self.ends.append("success")

        class Thread:
            """Does at once what a thread would."""

            def __init__(self, *, target: Callable[[], None], name: str, daemon: bool) -> None:
                assert (name, daemon) == ("not-proved", True)
                self.start = target

        monkeypatch.setattr(self_proof, "threading", SimpleNamespace(Thread=Thread))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("in", "a"), ("out", "A"), ("wrong", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "work").mkdir()
    return tmp_path


def proved(
    folder: Path, monkeypatch: pytest.MonkeyPatch, proof: Proof, *answers: Any, stops: bool = False
) -> tuple[bool, SelfProof, Proving, list[str], list[float]]:
    pauses: list[float] = []
    sleep = asyncio.sleep
    one = SelfProof(proof, folder, make_input, 20.0)
    told = Told(one, monkeypatch)
    assert one.waiting_for == f"the model has not yet answered its sample {proof.input}"

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if stops:
            one.stop()
        await sleep(0)

    monkeypatch.setattr(self_proof, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": pause}))
    monkeypatch.setattr(self_proof, "time", SimpleNamespace(monotonic=lambda: 100.0))
    runner = Proving(folder / "work", *answers)

    async def work() -> bool:
        first, second = await asyncio.gather(one.passes(runner), one.passes(runner))
        assert first is second
        return first

    return asyncio.run(work()), one, runner, told.ends, pauses


@pytest.mark.parametrize(("expected", "what"), [("out", "what out says"), ("", "a result")])
def test_a_model_that_answers_its_sample_is_proved(
    folder: Path, expected: str, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model_server")
    passed, one, runner, ends, _ = proved(folder, monkeypatch, Proof("in", expected), (None, 1.0, b"A"))
    assert (passed, one.failure, one.waiting_for, ends) == (True, None, None, ["success"])
    output = f"{folder}/work/self-proof"
    assert runner.calls == ["ready", ("self-proof", f"{output}-input", output, 20.0, None), (b"A", 0o666)]
    assert list((folder / "work").iterdir()) == []
    assert caplog.messages == [f"proved: in gives {what}, 0.00 s"]
    one.stop()
    assert one.is_stopped is False


@pytest.mark.parametrize(
    ("proof", "answers", "failure"),
    [
        (Proof("in", "out"), [("line 1\nno good", 1.0)], "the program failed: no good"),
        (Proof("wrong"), [], "the sample is not taken: row 1 is short"),
        (Proof("none"), [], "the sample is not in the image"),
        (Proof("in"), [ValueError("ours")], "ValueError: ours"),
    ],
)
def test_a_wrong_answer_is_told_once(
    folder: Path,
    proof: Proof,
    answers: list[Any],
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    passed, one, _, ends, pauses = proved(folder, monkeypatch, proof, *answers)
    assert (passed, one.failure, one.waiting_for, ends, pauses) == (False, failure, failure, ["failure"], [])
    assert caplog.messages == [f"not proved: {proof.input}: {failure}"]
    assert list((folder / "work").iterdir()) == []


def test_a_runner_that_dies_has_two_more_tries(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [RunnerDiedError("it died"), OSError(28, "no room"), RunnerDiedError("it died again")]
    passed, one, _, ends, pauses = proved(folder, monkeypatch, Proof("in"), *faults)
    assert (passed, one.failure, ends, pauses) == (False, "it died again", ["failure"], [1.0, 5.0])
    assert caplog.messages == [
        "the sample could not be run (it died); again in 1 s",
        "the sample could not be run ([Errno 28] no room); again in 5 s",
        "not proved: in: it died again",
    ]


def test_a_server_that_stops_meanwhile_is_not_refuted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [RunnerDiedError("it died")] * 2
    passed, one, _, ends, pauses = proved(folder, monkeypatch, Proof("in"), *faults, stops=True)
    assert (passed, one.failure, ends, pauses) == (False, "the server stops", [], [1.0])
    assert one.is_stopped
    assert caplog.messages == ["the sample could not be run (it died); again in 1 s"]


def test_a_result_that_is_a_file_is_read_so_far_and_no_link_is_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PROOF_BYTES", 2)
    made = folder / "made"
    made.write_text("A", encoding="utf-8")
    assert proved(folder, monkeypatch, Proof("in", "out"), made)[0] is True
    made.write_text("AXXXXX", encoding="utf-8")
    failure = proved(folder, monkeypatch, Proof("in", "out"), made)[1].failure
    assert failure is not None
    assert failure.startswith("not the result of out: ")
    made.symlink_to(folder / "out")
    link = proved(folder, monkeypatch, Proof("in", "out"), *[made] * 1, RunnerDiedError("x"), RunnerDiedError("y"))
    assert link[0] is False
