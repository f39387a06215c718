"""Streams a file through a model's `/data/run-job`, and waits for the job."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import requests
import urllib3
from requests.utils import get_environ_proxies

from model_dockerize.errors import DeployedSmokeError, InputError
from model_dockerize.patterns import server_address

_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 24 * 3600.0  # the model may think for long
_CHUNK = 1 << 20
_MOST_TOLD = 64 * 1024  # of a refusal, or of a job's state
_LOOK_SECONDS, _PAUSE_SECONDS = 50, 1.0  # a look waits so long at the server, and so long passes between two
_GOES_ON = ("Created", "InProgress")
_NO_ANSWER = 0  # in place of a status
_AWAY, _AWAY_SECONDS = (_NO_ANSWER, 502, 503, 504), 60.0  # what passes, and how long without one good answer
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)

Found = TypeVar("Found")


class JobFailed(Exception):  # noqa: N818 - it is no fault of ours, but how a job ended
    """The job ended as Error; the text is the program's."""

    def __init__(self, said: str, job: str = "") -> None:
        super().__init__(said)
        self.job = job  # its id, if the server said it


@contextmanager
def ask(url: str, file: Path, as_json: bool, api_key: str) -> Iterator[Iterator[bytes]]:
    """Send the file; yield the result's parts once it is there.

    Raises:
        JobFailed: the program failed.
    """
    if server_address(url):
        raise InputError(f"{url} is no address of a model.", "Give http://HOST or https://HOST, or a service's name.")
    url, job = url.rstrip("/"), ""
    headers = {"Accept": "application/json" if as_json else "*/*", **({"x-api-key": api_key} if api_key else {})}
    with requests.Session() as session, _Form(file) as form:
        session.headers.update(headers)
        session.trust_env = False  # a .netrc is for nobody here
        session.proxies = get_environ_proxies(url)
        try:
            answer = _send(session, url, form)
            job = quote(answer.headers.get("X-Job-Id", ""), safe="")
            if answer.status_code == 202 and job:  # it takes longer than the server waits
                answer.close()
                answer = _wait(session, url, job)
            with answer:
                _check(url, answer, as_json, job)
                yield answer.iter_content(_CHUNK)
        except _BROKEN as error:
            remedy = "Send the file again." if job else "Is it the right address? model-dockerize list shows all."
            raise DeployedSmokeError(f"{url} does not answer{_of(job)}: {_cause(error)}", remedy) from error


def _send(session: requests.Session, url: str, form: "_Form") -> requests.Response:
    return session.post(
        f"{url}/data/run-job", data=form, headers={"Content-Type": form.content_type}, **_options(_SILENT_SECONDS)
    )


def _wait(session: requests.Session, url: str, job: str) -> requests.Response:
    """Look at the job until it ended; return its result."""

    def look() -> requests.Response:
        return session.get(f"{url}/data/status/{job}?wait={_LOOK_SECONDS}", **_options(2 * _LOOK_SECONDS))

    def result() -> requests.Response:
        return session.get(f"{url}/data/result/{job}", **_options(_SILENT_SECONDS))

    while True:
        state, error = _persist(url, job, look, lambda found: _job(_text(found)))
        if state == "Complete":
            return _persist(url, job, result, lambda found: found)
        if state == "Error":
            raise JobFailed(error, job)
        if state not in _GOES_ON:
            raise _unknown(url, job, "")
        time.sleep(_PAUSE_SECONDS)


def _persist(
    url: str, job: str, request: Callable[[], requests.Response], take: Callable[[requests.Response], Found]
) -> Found:
    """Ask until the answer is good: a job goes on while its server, or what is before it, is away for a moment."""
    away_since = 0.0
    while True:
        try:
            answer = request()
            if answer.status_code == 200:
                return take(answer)
            with answer:
                code, said = answer.status_code, _job(_text(answer))[1] or f"HTTP {answer.status_code}"
        except _BROKEN as error:
            code, said = _NO_ANSWER, _cause(error)
        if code == 404:
            raise DeployedSmokeError(
                f"{url} does not know the job {job} any more: the task that had it was replaced, "
                "and it shares no queue.",
                "Send the file again.",
            )
        if code not in _AWAY:
            raise _unknown(url, job, said)
        away_since = away_since or time.monotonic()
        if time.monotonic() - away_since >= _AWAY_SECONDS:
            raise DeployedSmokeError(
                f"{url} has said nothing of the job {job} for {_AWAY_SECONDS:.0f} seconds: {said}",
                "The job may go on there. See whether the model runs (model-dockerize list), then send the file again.",
            )
        time.sleep(_PAUSE_SECONDS)


def _unknown(url: str, job: str, said: str) -> DeployedSmokeError:
    end = f": {said}" if said else "."
    return DeployedSmokeError(f"{url} does not say what became of the job {job}{end}", "Send the file again.")


def _options(silent: float) -> dict[str, Any]:
    return {"stream": True, "timeout": (_CONNECT_SECONDS, silent), "allow_redirects": False}


def _check(url: str, answer: requests.Response, as_json: bool, job: str) -> None:
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code == 200:
        if as_json and "json" not in kind:
            raise InputError(f"The model answers {kind or 'no type'}{_of(job)}, not JSON.", "Leave --json out.")
        return
    if answer.is_redirect:
        where = answer.headers["Location"].partition("/data/run-job")[0]
        raise InputError(f"{url} leads to {where[:200]!r}.", "Give that address, if it is the model's.")
    state, error = _job(_text(answer))
    if state == "Error":
        raise JobFailed(error, job)
    said = error or f"HTTP {answer.status_code}"
    if answer.status_code in (401, 403):
        raise InputError(f"{url} does not let us in: {said}", "Give its key: --smoke-api-key.")
    if answer.status_code in (404, 405):
        raise InputError(f"{url} is no model: {said}", "Give the address of a model, without a path of its API.")
    if answer.status_code < 500:
        raise InputError(f"The model refuses the file: {said}", f"What it takes stands at {url}/swagger")
    lines = said.splitlines()
    raise DeployedSmokeError(f"The model failed: {lines[-1]}", "model-dockerize logs shows more.", tuple(lines[:-1]))


def _of(job: str) -> str:
    return f" of the job {job}" if job else ""


def _text(answer: requests.Response) -> str:
    return answer.raw.read(_MOST_TOLD, decode_content=True).decode("utf-8", "replace")


def _job(text: str) -> tuple[str, str]:
    """Return state and error of the job that an envelope tells of; of a refusal, no state."""
    try:
        found: Any = json.loads(text)
        job = found["data"] if isinstance(found.get("data"), dict) else {}
        return str(job.get("status") or ""), str(found.get("errorMessage") or "").strip()
    except (ValueError, AttributeError, RecursionError):
        return "", ""


def _cause(error: BaseException) -> str:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


class _Form:
    """A form that is read as it is sent, of known length."""

    def __init__(self, path: Path) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        # A name may hold anything; in a header it may not.
        name = "".join(char if char.isprintable() and char not in '"\\' else "_" for char in path.name)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="File"; filename="{name}"\r\n\r\n'
        self._parts = [head.encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()]
        self._path = path
        self._sent = 0

    def __enter__(self) -> "_Form":
        try:
            self._file: BinaryIO = self._path.open("rb")
            self._size = self._path.stat().st_size
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}.", "Correct its path.") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + self._size

    def read(self, size: int = -1) -> bytes:
        wanted = _CHUNK if size < 0 else size
        head, tail = self._parts
        begin = self._sent
        if begin < len(head):
            found = head[begin : begin + wanted]
        elif begin < len(head) + self._size:
            found = self._file.read(min(wanted, len(head) + self._size - begin))
            if not found:
                raise OSError(f"{self._path} became shorter while it was sent")
        else:
            begin -= len(head) + self._size
            found = tail[begin : begin + wanted]
        self._sent += len(found)
        return found
