"""Runs Lambda's functions, each invocation in a container without rights."""

import io
import json
import posixpath
import signal
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model_sandbox.bridge import OF_FUNCTIONS
from model_sandbox.container_spec import ContainerSpec
from model_sandbox.engine import Engine, PullError, StartError, bounded
from model_sandbox.propagation import is_assumable, is_new
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

#: What Lambda's Python runtimes bring along, from the sandbox's own environment.
_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_PACKAGE_ROOT = "/var/runtime/packages"
_BOOTSTRAP = Path(__file__).with_name("function_bootstrap.py")
_NOBODY = "65534:65534"
#: For the container and the interpreter to start: Lambda does not count that either.
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_ALARM = 128 + signal.SIGALRM
_OK = 200
_DEFAULT_SECONDS, _DEFAULT_MIB = 3, 128
_ANSWER_BYTES = 6291556  # that Lambda takes
_LOG_BYTES = 1024 * 1024
Function = Mapping[str, Any]


class FunctionError(Exception):
    """A function could not answer; `kind` is Lambda's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Functions:
    def __init__(
        self, upstream: Upstream, engine: Engine, sessions: Sessions, refuse: Callable[[str, str], str | None]
    ) -> None:
        # `refuse(action, resource)` says why the caller of this request may not, or None.
        self._upstream, self._engine, self._sessions = upstream, engine, sessions
        self._refuse = refuse

    def install(self) -> None:
        lambdas: Any = self._upstream.functions
        lambdas._execute_function_dispatch = self._invoke
        create, get = lambdas._create_function, lambdas._get_function

        def create_function(request: dict[str, Any]) -> Any:
            return self._refused(request) or create(request)

        def get_function(name: str, qualifier: str | None = None) -> Any:
            return self._without_tags(get(name, qualifier))

        lambdas._create_function, lambdas._get_function = create_function, get_function
        lambdas._spawn_lambda_container = _refuse
        self._upstream.function_workers.Worker._spawn = _refuse
        self._upstream.function_workers.ProvidedWorker._spawn = _refuse

    def _refused(self, request: Mapping[str, Any]) -> Any:
        # AWS answers one thing for a role that Lambda cannot assume, another for one that is too new. Sources:
        # hashicorp/terraform-provider-aws issue 4633, aws/chalice issue 1069.
        arn = str(request.get("Role", ""))
        role = self._upstream.iam._roles.get(arn.rpartition("/")[2])
        if role is None or is_assumable(role, "lambda.amazonaws.com"):
            return None
        message = "The role defined for the function cannot be assumed by Lambda."
        if is_new(role) and (request.get("Environment") or {}).get("Variables"):
            message = (
                "Lambda was unable to configure access to your environment variables because the KMS key is invalid "
                "for CreateGrant. Please check your KMS key settings. KMS Exception: InvalidArnException KMS Message: "
                f"ARN does not refer to a valid principal: {arn}"
            )
        content = {"__type": "InvalidParameterValueException", "Type": "User", "message": message}
        headers = {"Content-Type": "application/json", "x-amzn-errortype": "InvalidParameterValueException"}
        return 400, headers, json.dumps(content).encode()

    def _without_tags(self, answer: Any) -> Any:
        # Who may not list tags gets none from GetFunction. Source: API reference of Lambda, `GetFunction`.
        status, headers, body = answer
        content = json.loads(body)
        arn = content.get("Configuration", {}).get("FunctionArn", "")
        if status != _OK or not (refused := self._refuse("lambda:ListTags", arn)):
            return answer
        content.pop("Tags", None)
        content["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": refused}
        return status, headers, json.dumps(content).encode()

    def _invoke(self, function: Function, configuration: Function, event: Any, request: str, began: float) -> Any:
        log = ""
        try:
            answer, log = self._run(function, configuration, event, request)
            result: dict[str, Any] = {"body": answer["result"]} if "result" in answer else {"body": answer["error"]}
            failed = "result" not in answer
        except FunctionError as error:
            result, failed = {"body": {"errorMessage": str(error), "errorType": error.kind}}, True
        milliseconds = int((time.time() - began) * 1000)
        self._upstream.functions._emit_lambda_logs(function, request, log, failed, milliseconds)
        return {**result, "log": log, **({"error": True} if failed else {})}

    def _run(self, function: Function, configuration: Function, event: Any, request: str) -> tuple[dict[str, Any], str]:
        image, code = _image(configuration), function.get("code_zip") or b""
        seconds = float(configuration.get("Timeout") or _DEFAULT_SECONDS)
        scope, name = self._upstream.scope(), str(configuration["FunctionName"])
        with self._sessions.lent(scope, str(configuration["Role"]), name[:64], OF_FUNCTIONS) as credentials:
            spec = ContainerSpec(
                image=image,
                name=self._engine.container_name("function", name, request[:8]),
                entry_point=("python", "/var/runtime/function_bootstrap.py"),
                environment={
                    **self._upstream.functions._runtime_env_vars(configuration),
                    **credentials,
                    "AWS_LAMBDA_FUNCTION_NAME": name,
                    "PYTHONPATH": _PACKAGE_ROOT,
                    "PYTHONUNBUFFERED": "1",
                    "HOME": "/tmp",  # noqa: S108 - of the container
                },
                labels={"model-dockerize.function": name},
                memory_mib=max(int(configuration.get("MemorySize") or 0), _DEFAULT_MIB),
                binds=_package_binds(),
                user=_NOBODY,
                archive=_archive(code, _told(configuration, event, request, seconds)),
                confined=True,
            )
            try:
                self._engine.pull(image, scope)
                container = self._engine.start(spec)
            except (PullError, StartError) as error:
                raise FunctionError("Runtime.ImageError", f"{image}: {error}") from error
            try:
                code = self._wait(container, seconds)
                log = bounded(self._engine.output(container, follow=False), _LOG_BYTES).decode("utf-8", "replace")
                answer = self._engine.read(container, "/tmp/answer.json", _ANSWER_BYTES)  # noqa: S108 - of the container
            finally:
                self._engine.remove(container)
        if code in (None, _ALARM):
            raise FunctionError("Sandbox.Timedout", f"{request} Task timed out after {seconds:.2f} seconds")
        if code or not answer:
            raise FunctionError("Runtime.ExitError", f"RequestId: {request} Error: Runtime exited with status {code}")
        return _understood(answer), log

    def _wait(self, container: str, seconds: float) -> int | None:
        # None for a container that runs on.
        deadline = time.monotonic() + _START_SECONDS + seconds
        while time.monotonic() < deadline:
            state = self._engine.state(container)
            if state and state.exit_code is not None:
                return state.exit_code
            time.sleep(_LOOK_SECONDS)
        return None


def _understood(answer: bytes) -> dict[str, Any]:
    # The bootstrap wrote it; the function could, too.
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() & {"result", "error"}:
        message = f"The answer is no JSON, or has more than {_ANSWER_BYTES} bytes."
        raise FunctionError("Function.ResponseSizeTooLarge", message)
    return found


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError("the sandbox runs no code on this computer")


def _image(configuration: Function) -> str:
    runtime = str(configuration.get("Runtime", ""))
    if not runtime.startswith("python") or configuration.get("PackageType") == "Image" or configuration.get("Layers"):
        message = "The sandbox runs functions of Python runtimes, from ZIP files without layers."
        raise FunctionError("InvalidRuntimeException", message)
    return f"python:{runtime.removeprefix('python')}-slim-trixie"


def _told(configuration: Function, event: Any, request: str, seconds: float) -> bytes:
    context = {
        "function_name": configuration["FunctionName"],
        "function_version": configuration.get("Version", "$LATEST"),
        "invoked_function_arn": configuration.get("FunctionArn", ""),
        "memory_limit_in_mb": str(configuration.get("MemorySize", _DEFAULT_MIB)),
        "aws_request_id": request,
    }
    told = {"event": event, "handler": configuration["Handler"], "seconds": seconds, "context": context}
    return json.dumps(told).encode()


def _archive(code: bytes, told: bytes) -> bytes:
    # A tar file of code, bootstrap and event, which the engine unpacks.
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        _add(archive, "var/runtime/function_bootstrap.py", _BOOTSTRAP.read_bytes())
        _add(archive, "var/runtime/event.json", told)
        try:
            with zipfile.ZipFile(io.BytesIO(code)) as given:
                for entry in given.infolist():
                    if not entry.is_dir():
                        # As unzip does, which leads nobody out of its folder; newer engines refuse such names.
                        _add(archive, f"var/task{posixpath.normpath(f'/{entry.filename}')}", given.read(entry))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise FunctionError("InvalidZipFileException", f"Could not unzip the function's code: {error}") from error
    return made.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    archive.addfile(info, io.BytesIO(content))


def _package_binds() -> tuple[str, ...]:
    found = []
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        place = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        found.append(f"{place}:{_PACKAGE_ROOT}/{place.name}:ro")
    return tuple(found)
