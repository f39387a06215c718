"""Lambda's functions in the sandbox: the container of an invocation, and what becomes of its answers."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import six

from model_sandbox import function_bootstrap, functions
from model_sandbox.bridge import OF_FUNCTIONS
from model_sandbox.container_spec import ContainerSpec
from model_sandbox.engine import ContainerState, PullError, StartError
from model_sandbox.functions import Functions
from model_sandbox.tokens import Scope

SCOPE = Scope("123456789012", "eu-west-1")
ROLE = "arn:aws:iam::123456789012:role/f"
CONFIGURATION = {
    **{"FunctionName": "f", "Role": ROLE, "Runtime": "python3.12", "Handler": "model.handler", "Timeout": 7},
    **{"MemorySize": 256, "Version": "3", "FunctionArn": "arn:f"},
}
REQUEST = "0123456789abcdef"
IMAGE = "python:3.12-slim-trixie"


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def state(code: int | None) -> ContainerState:
    return ContainerState(code, out_of_memory=False, health="", address="")


class Engine:
    """An engine that runs nothing. `states`: what it tells, one look after the other; the last one stays."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.spec: ContainerSpec
        self.pull_fails = self.start_fails = ""
        self.states: list[ContainerState | None] = [state(0)]
        self.answer = b'{"result": [1]}'
        self.log = [b"line\n", b"\xff"]

    @staticmethod
    def container_name(*parts: str) -> str:
        return "-".join(parts)

    def pull(self, image: str, scope: Scope) -> str:
        self.calls.append(("pull", image, scope))
        if self.pull_fails:
            raise PullError(self.pull_fails)
        return ""

    def start(self, spec: ContainerSpec) -> str:
        self.spec = spec
        self.calls.append(("start",))
        if self.start_fails:
            raise StartError(self.start_fails)
        return "id"

    def state(self, container: str) -> ContainerState | None:
        assert container == "id"
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def output(self, container: str, follow: bool) -> list[bytes]:
        self.calls.append(("output", container, follow))
        return self.log

    def read(self, *asked: Any) -> bytes:
        self.calls.append(("read", *asked))
        return self.answer

    def remove(self, container: str) -> None:
        self.calls.append(("remove", container))


class Sessions:
    """The credentials that containers are lent, and whether they have ended."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    @contextmanager
    def lent(self, *asked: Any) -> Iterator[dict[str, str]]:
        self.calls.append(asked)
        try:
            yield {"AWS_ACCESS_KEY_ID": "ASIA1", "PYTHONPATH": "lent"}
        finally:
            self.calls.append(("ended",))


class Lambda:
    """The stand-in of ministack's Lambda, with ours installed."""

    def __init__(self) -> None:
        self.engine, self.sessions = Engine(), Sessions()
        self.logs: list[tuple[Any, ...]] = []
        self.refusal: str | None = None
        self.refusals: list[tuple[str, str]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.roles: dict[str, Any] = {}
        self.shown: Any = (200, {}, b"{}")
        self.module: Any = SimpleNamespace(
            _create_function=lambda request: ("created", request),
            _get_function=self._get,
            _emit_lambda_logs=lambda *told: self.logs.append(told),
            _runtime_env_vars=lambda told: {"OWN": told["FunctionName"], "HOME": "/", "AWS_ACCESS_KEY_ID": "own"},
        )
        workers = SimpleNamespace(Worker=SimpleNamespace(), ProvidedWorker=SimpleNamespace())
        upstream: Any = SimpleNamespace(
            **{"functions": self.module, "function_workers": workers, "scope": lambda: SCOPE},
            iam=SimpleNamespace(_roles=self.roles),
        )
        Functions(upstream, self.engine, self.sessions, self._refuse).install()  # type: ignore[arg-type]

    def _refuse(self, action: str, resource: str) -> str | None:
        self.refusals.append((action, resource))
        return self.refusal

    def _get(self, *asked: Any) -> Any:
        self.asked.append(asked)
        return self.shown

    def invoke(self, event: Any = None, code: bytes | None = None, **configuration: Any) -> dict[str, Any]:
        """Invoke a function; `configuration` without what is None."""
        function = {"name": "f", "code_zip": zipped(**{"model.py": "pass"}) if code is None else code}
        told = {name: value for name, value in {**CONFIGURATION, **configuration}.items() if value is not None}
        answer: dict[str, Any] = self.module._execute_function_dispatch(function, told, event, REQUEST, 98.5)
        assert self.logs[-1] == (function, REQUEST, answer["log"], "error" in answer, self.logs[-1][4])
        return answer


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(functions, "time", made)
    return made


@pytest.fixture
def service(clock: Clock) -> Lambda:
    return Lambda()


# ---- invocations


def laid_in(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of the files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {entry.name: (entry.mode, opened.extractfile(entry).read()) for entry in opened}  # type: ignore[union-attr]


def test_an_invocation_has_a_container_of_its_own_without_rights(service: Lambda) -> None:
    code = zipped(**{"model.py": "pass", "folder/": "", "folder/data": "1", "../../etc/passwd": "2", "in/./b": "3"})
    assert service.invoke({"a": 1}, code) == {"body": [1], "log": "line\n\ufffd"}
    assert service.logs[0][4] == 1500
    assert service.engine.calls == [
        ("pull", IMAGE, SCOPE),
        ("start",),
        ("output", "id", False),
        ("read", "id", "/tmp/answer.json", 6291556),
        ("remove", "id"),
    ]
    assert service.sessions.calls == [(SCOPE, ROLE, "f", OF_FUNCTIONS), ("ended",)]
    spec = service.engine.spec
    told = {
        **{"event": {"a": 1}, "handler": "model.handler", "seconds": 7.0},
        "context": {
            **{"function_name": "f", "function_version": "3", "invoked_function_arn": "arn:f"},
            **{"memory_limit_in_mb": "256", "aws_request_id": REQUEST},
        },
    }
    files = laid_in(spec.archive)
    assert json.loads(files.pop("var/runtime/event.json")[1]) == told
    assert files == {
        "var/runtime/function_bootstrap.py": (0o755, Path(function_bootstrap.__file__).read_bytes()),
        "var/task/model.py": (0o755, b"pass"),
        "var/task/folder/data": (0o755, b"1"),
        "var/task/etc/passwd": (0o755, b"2"),
        "var/task/in/b": (0o755, b"3"),
    }
    assert spec == ContainerSpec(
        image=IMAGE,
        name="function-f-01234567",
        entry_point=("python", "/var/runtime/function_bootstrap.py"),
        environment={
            **{"OWN": "f", "HOME": "/tmp", "AWS_ACCESS_KEY_ID": "ASIA1", "AWS_LAMBDA_FUNCTION_NAME": "f"},
            **{"PYTHONPATH": "/var/runtime/packages", "PYTHONUNBUFFERED": "1"},
        },
        labels={"model-dockerize.function": "f"},
        memory_mib=256,
        binds=spec.binds,
        user="65534:65534",
        archive=spec.archive,
        confined=True,
    )
    assert f"{Path(boto3.__file__).parent}:/var/runtime/packages/boto3:ro" in spec.binds
    assert f"{six.__file__}:/var/runtime/packages/six.py:ro" in spec.binds
    names = [bind.split(":")[1].rpartition("/")[2] for bind in spec.binds]
    assert names == ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"]


def test_a_package_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> Any:
        return SimpleNamespace(origin=None) if name == "boto3" else None

    monkeypatch.setattr(functions, "find_spec", found)
    assert functions._package_binds() == ()


def test_what_a_configuration_leaves_out_is_as_on_aws(service: Lambda) -> None:
    service.invoke(Timeout=None, MemorySize=None, Version=None, FunctionArn=None, FunctionName="f" * 70)
    told = json.loads(laid_in(service.engine.spec.archive)["var/runtime/event.json"][1])
    context = {
        **{"function_name": "f" * 70, "function_version": "$LATEST", "invoked_function_arn": ""},
        **{"memory_limit_in_mb": "128", "aws_request_id": REQUEST},
    }
    assert told == {"event": None, "handler": "model.handler", "seconds": 3.0, "context": context}
    assert service.engine.spec.memory_mib == 128
    assert service.sessions.calls[0][2] == "f" * 64
    service.invoke(MemorySize=127)
    assert service.engine.spec.memory_mib == 128
    service.invoke(MemorySize=129)
    assert service.engine.spec.memory_mib == 129


def test_an_error_of_the_handler_is_the_body_and_marked(service: Lambda) -> None:
    service.engine.answer = b'{"error": {"errorType": "ValueError"}}'
    answer = {"body": {"errorType": "ValueError"}, "log": "line\n\ufffd", "error": True}
    assert service.invoke() == answer


def test_a_log_has_at_most_a_mebibyte(service: Lambda) -> None:
    service.engine.log = [b"x" * (1024 * 1024), b"y"]
    assert service.invoke()["log"] == "x" * (1024 * 1024)


def failed(kind: str, message: str) -> dict[str, Any]:
    return {"body": {"errorMessage": message, "errorType": kind}, "log": "", "error": True}


ENDED = "RequestId: 0123456789abcdef Error: Runtime exited with status"
TOO_LARGE = failed("Function.ResponseSizeTooLarge", "The answer is no JSON, or has more than 6291556 bytes.")
LATE = failed("Sandbox.Timedout", "0123456789abcdef Task timed out after 7.00 seconds")


@pytest.mark.parametrize(
    ("code", "answer", "told"),
    [
        (1, b'{"result": 1}', failed("Runtime.ExitError", f"{ENDED} 1")),
        (0, b"", failed("Runtime.ExitError", f"{ENDED} 0")),
        (142, b'{"result": 1}', LATE),
        (141, b'{"result": 1}', failed("Runtime.ExitError", f"{ENDED} 141")),
        (0, b'{"resu', TOO_LARGE),
        (0, b"[]", TOO_LARGE),
        (0, b'{"other": 1}', TOO_LARGE),
    ],
)
def test_a_function_that_ended_otherwise_is_told_as_lambda_does(
    service: Lambda, code: int, answer: bytes, told: dict[str, Any]
) -> None:
    service.engine.states, service.engine.answer = [state(code)], answer
    assert service.invoke() == told
    assert service.engine.calls[-1] == ("remove", "id")
    assert service.sessions.calls[-1] == ("ended",)


def test_a_function_is_waited_for_a_minute_longer_than_its_time(service: Lambda, clock: Clock) -> None:
    service.engine.states = [None, state(None), state(0)]
    assert service.invoke()["body"] == [1]
    assert len(clock.pauses) == 2
    service.engine.states = [state(None)]
    assert service.invoke() == LATE
    assert service.engine.calls[-1] == ("remove", "id")
    assert 66.9 < sum(clock.pauses[2:]) < 67.2
    assert max(clock.pauses) <= 0.1, "an answer is not held back"


def test_an_image_that_cannot_be_had_or_started_is_named(service: Lambda) -> None:
    service.engine.pull_fails = "no such image"
    assert service.invoke() == failed("Runtime.ImageError", f"{IMAGE}: no such image")
    assert service.engine.calls == [("pull", IMAGE, SCOPE)]
    service.engine.pull_fails, service.engine.start_fails = "", "no room"
    assert service.invoke() == failed("Runtime.ImageError", f"{IMAGE}: no room")
    assert service.sessions.calls[-1] == ("ended",)


NO_RUNTIME = failed(
    "InvalidRuntimeException", "The sandbox runs functions of Python runtimes, from ZIP files without layers."
)


@pytest.mark.parametrize(
    "configuration", [{"Runtime": "nodejs22.x"}, {"Runtime": None}, {"PackageType": "Image"}, {"Layers": [{}]}]
)
def test_other_functions_are_refused_before_anything_is_lent(service: Lambda, configuration: dict[str, Any]) -> None:
    assert service.invoke(**configuration) == NO_RUNTIME
    assert (service.engine.calls, service.sessions.calls) == ([], [])


@pytest.mark.parametrize("configuration", [{"PackageType": "Zip"}, {"Layers": []}])
def test_a_zip_file_without_layers_is_run(service: Lambda, configuration: dict[str, Any]) -> None:
    assert service.invoke(**configuration)["body"] == [1]


@pytest.mark.parametrize(("code", "why"), [(b"", "File is not a zip file"), (b"no ZIP", "File is not a zip file")])
def test_code_that_is_no_zip_file_is_refused(service: Lambda, code: bytes, why: str) -> None:
    told = failed("InvalidZipFileException", f"Could not unzip the function's code: {why}")
    assert service.invoke(code=code) == told
    assert service.engine.calls == []


# ---- roles and tags


def role(seconds: float, service: str = "lambda.amazonaws.com") -> dict[str, Any]:
    made = datetime.now(UTC) - timedelta(seconds=seconds)
    return {"AssumeRolePolicyDocument": json.dumps({"Service": service}), "CreateDate": made.isoformat()}


CANNOT = "The role defined for the function cannot be assumed by Lambda."
NO_KEY = (
    "Lambda was unable to configure access to your environment variables because the KMS key is invalid for "
    "CreateGrant. Please check your KMS key settings. KMS Exception: InvalidArnException KMS Message: ARN does not "
    f"refer to a valid principal: {ROLE}"
)
VARIABLES = {"Environment": {"Variables": {"a": "b"}}}


@pytest.mark.parametrize(
    ("known", "request_", "why"),
    [
        (None, {}, ""),
        (role(3600), {}, ""),
        (role(3600, "ecs-tasks.amazonaws.com"), VARIABLES, CANNOT),
        (role(-3600), {}, CANNOT),
        (role(-3600), {"Environment": None}, CANNOT),
        (role(-3600), {"Environment": {"Variables": {}}}, CANNOT),
        (role(-3600), VARIABLES, NO_KEY),
    ],
)
def test_a_role_that_lambda_cannot_assume_is_refused(
    service: Lambda, known: dict[str, Any] | None, request_: dict[str, Any], why: str
) -> None:
    if known:
        service.roles["f"] = known
    request = {"FunctionName": "f", "Role": ROLE, **request_}
    answer = service.module._create_function(request)
    if not why:
        assert answer == ("created", request)
        return
    status, headers, body = answer
    name = "InvalidParameterValueException"
    assert (status, headers) == (400, {"Content-Type": "application/json", "x-amzn-errortype": name})
    assert json.loads(body) == {"__type": name, "Type": "User", "message": why}


def test_a_function_without_a_role_is_ministacks_to_refuse(service: Lambda) -> None:
    assert service.module._create_function({}) == ("created", {})


def test_tags_are_shown_to_who_may_list_them(service: Lambda) -> None:
    content = {"Configuration": {"FunctionArn": "arn:f"}, "Tags": {"a": "b"}}
    service.shown = (200, {"h": "v"}, json.dumps(content).encode())
    assert service.module._get_function("f") == service.shown
    service.refusal = "why"
    status, headers, body = service.module._get_function("f", "3")
    told = {"TagsError": {"ErrorCode": "AccessDeniedException", "Message": "why"}}
    assert (status, headers) == (200, {"h": "v"})
    assert json.loads(body) == {"Configuration": content["Configuration"], **told}
    assert service.refusals == [("lambda:ListTags", "arn:f")] * 2
    assert service.asked == [("f", None), ("f", "3")]
    service.shown = (200, {}, b"{}")
    assert json.loads(service.module._get_function("f")[2]) == told
    assert service.refusals[2] == ("lambda:ListTags", "")
    service.shown = (404, {}, b'{"Message": "no function"}')
    assert service.module._get_function("f") == service.shown
    assert len(service.refusals) == 3
