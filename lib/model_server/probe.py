"""`model-server probe URL`: tests the model at URL.

MODEL_PROBE holds the question; each finding is a line, `probe` and a JSON object.
"""

import base64
import json
import os
import secrets
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar

from model_server import asking
from model_server.health import ANSWER

#: A result that is larger is not told: a line of a log takes some kilobytes.
MOST_BYTES = 64 * 1024
_PIECE = 6000
_MOST_READ = 64 << 20
_PAUSE = 0.5
_SILENCE = 60.0
#: Further jobs with the sample: what a job leaves behind may harm only the one after the next.
_REPEATS = 2

Found = TypeVar("Found")


@dataclass(frozen=True)
class Question:
    """A probe's question; without `sample` no job is tried. Times in seconds."""

    build_id: str
    name: str = ""
    mime_type: str = ""
    mapping: str = ""
    sample: bytes | None = field(default=None, repr=False)
    start_timeout: float = 30.0
    job_timeout: float = 300.0

    @classmethod
    def read(cls, text: str) -> "Question":
        """Read base64 of compressed JSON, or raise ValueError."""
        try:
            given = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
            sample = given.pop("sample", None)
            return cls(**given, sample=None if sample is None else base64.b64decode(sample))
        except (zlib.error, TypeError) as error:
            raise ValueError(str(error)) from error


class _WrongError(Exception):
    pass


class _NotYetError(_WrongError):
    """It may still come right."""


class _BusyError(_NotYetError):
    """The server asks to send the same again."""


def probe(url: str, question: Question, out: Callable[[str], object]) -> bool:
    """Run the checks, told to `out`; return whether all passed."""
    passed = True

    def say(**facts: Any) -> None:
        out(f"probe {json.dumps(facts)}\n")

    def check(name: str, look: Callable[[], str]) -> None:
        nonlocal passed
        if not passed:
            return  # the first that fails says it all
        started = time.monotonic()
        try:
            detail = look()
        except _WrongError as wrong:
            passed, detail = False, str(wrong)
        say(check=name, passed=passed, seconds=round(time.monotonic() - started, 3), detail=detail)

    test = _Test(url.rstrip("/"), question)
    check("health", test.health)
    if question.build_id:
        check("build-id", test.build_id)
    if question.sample is not None:
        check("add-job", test.add_job)
        check("status", test.status)
        check("result", test.result)
        check("delete", test.delete)
        check("repeat", test.repeat)
        check("runner-mode", test.runner_mode)
        for job, told in enumerate(test.told):
            for start in range(0, len(told), _PIECE):
                say(result=told[start : start + _PIECE], job=job)
    say(end=passed)
    return passed


class _Test:
    def __init__(self, url: str, question: Question) -> None:
        self._url, self._question, self._job = url, question, ""
        self._shown = asking.headers(os.environ)  # this task starts with what those of the service start with
        self._results: list[bytes] = []

    @property
    def told(self) -> list[str]:
        # Each result once, in base64; none if one is too large.
        different = list(dict.fromkeys(self._results))
        is_small = max(map(len, different), default=0) <= MOST_BYTES
        return [base64.b64encode(result).decode() for result in different] if is_small else []

    def health(self) -> str:
        def look() -> str:
            status, _, body = self._ask("/health")
            if (status, body) == (200, ANSWER):
                return f"{self._url} answers"
            raise _NotYetError(f"/health answered {status}")

        return _wait(look, self._question.start_timeout)

    def build_id(self) -> str:
        _, headers, _ = self._ask("/health")
        got, want = headers.get("X-Model-Build-Id", ""), self._question.build_id
        if got != want:
            raise _WrongError(f"another build answers: expected {want}, /health says {got or 'nothing'}")
        return str(got)

    def add_job(self) -> str:
        boundary = secrets.token_hex(16)
        asked = self._question
        parts = [_part(boundary, 'name="MimeType"', asked.mime_type.encode())]
        if asked.mapping:
            parts.append(_part(boundary, 'name="Mappings"', asked.mapping.encode()))
        parts.append(_part(boundary, f'name="File"; filename="{asked.name}"', asked.sample or b""))
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()

        def send() -> dict[str, Any]:
            return self._envelope("/data/add-job", body, f"multipart/form-data; boundary={boundary}")

        # A task that has just started takes no job yet. What got no answer is not sent twice: it may have been taken.
        job = _wait(send, asked.start_timeout, _BusyError)
        self._job = str(job.get("id", ""))
        return f"job {self._job}"

    def status(self) -> str:
        def look() -> str:
            job = self._envelope(f"/data/status/{self._job}")
            state = str(job.get("status"))
            if state in ("Error", "Deleted"):
                raise _WrongError(f"the job ended as {state}: {job.get('errorMessage') or 'no message'}")
            if state != "Complete":
                raise _NotYetError(f"the job is still {state}")
            return state

        return _wait(look, self._question.job_timeout)

    def result(self) -> str:
        status, _, body = self._ask(f"/data/result/{self._job}")
        if status != 200:
            raise _WrongError(f"/data/result answered {status}")
        self._results.append(body)
        return f"{len(body)} bytes"

    def delete(self) -> str:
        self._envelope(f"/data/delete/{self._job}", method="DELETE")
        return "the smoke job is gone"

    def repeat(self) -> str:
        for _ in range(_REPEATS):
            self.add_job()
            try:
                self.status()
                self.result()
            finally:
                self.delete()
        are_equal = len(set(self._results)) == 1
        return f"{_REPEATS} more jobs, {'the same bytes' if are_equal else 'the bytes differ from job to job'}"

    def runner_mode(self) -> str:
        _, headers, _ = self._ask("/ready")
        return headers.get("X-Model-Runner-Mode") or "the server does not say it"

    def _envelope(self, path: str, body: bytes | None = None, kind: str = "", method: str = "") -> dict[str, Any]:
        status, headers, answer = self._ask(path, body, kind, method)
        try:
            envelope = json.loads(answer)
            data = envelope["data"] or {}
            if (envelope["isError"] or status != 200) and not data.get("status"):
                said = f"{path} answered {status}: {envelope['errorMessage']}"
                raise _BusyError(said) if status == 503 and "Retry-After" in headers else _WrongError(said)
            return {"errorMessage": envelope["errorMessage"], **{k: v for k, v in data.items() if v is not None}}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _WrongError(f"{path} answered {status} without the envelope") from None

    def _ask(self, path: str, body: bytes | None = None, kind: str = "", method: str = "") -> tuple[int, Any, bytes]:
        headers = {**self._shown, **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(self._url + path, body, headers, method=method or None)  # noqa: S310 - the run's
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_SILENCE) as answer:
                return answer.status, answer.headers, _read(answer, path)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, _read(error, path)
        except OSError as error:
            raise _NotYetError(f"{self._url} does not answer: {getattr(error, 'reason', error)}") from error


def _read(answer: IO[bytes], path: str) -> bytes:
    # An answer must have an end.
    content = answer.read(_MOST_READ + 1)
    if len(content) > _MOST_READ:
        raise _WrongError(f"{path} answered more than {_MOST_READ >> 20} MiB")
    return content


def _part(boundary: str, names: str, content: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n\r\n".encode() + content + b"\r\n"


def _wait(look: Callable[[], Found], timeout: float, passes: type[_WrongError] = _NotYetError) -> Found:
    end = time.monotonic() + timeout
    while True:
        try:
            return look()
        except passes as reason:
            if time.monotonic() + _PAUSE > end:
                raise _WrongError(f"gave up after {timeout:g} s: {reason}") from reason
        time.sleep(_PAUSE)
