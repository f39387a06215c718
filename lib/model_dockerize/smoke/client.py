"""A client of the container API."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

#: The header that names the build of a server, and of whoever did a job.
BUILD_ID = "X-Model-Build-Id"
_TIMEOUT = (3.0, 60.0)  # seconds: to connect, and of silence
_PROBE_TIMEOUT = (3.0, 5.0)
_MOST_REDIRECTS = 5
_MOST_BYTES = 64 << 20  # of an answer; a result may be larger than all others
_MOST_RESULT = 1 << 30
_LONGEST = 600.0  # seconds until an answer has come whole: one that trickles is none
_CHUNK = 1 << 16
_SHOWN = 200  # characters of an answer that an error quotes


class CheckFailed(Exception):  # noqa: N818  it is no fault of the program but the outcome of a check
    """A failed check; the text is one line of evidence, no secret."""


class Unanswered(CheckFailed):
    """There was no HTTP answer."""


class NotYet(CheckFailed):
    """A wrong answer that may still become right."""


class Busy(NotYet):
    """The server asks to send the same again."""


@dataclass(frozen=True)
class Job:
    """A job as the API shows it."""

    id: str
    status: str
    error: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    url: str

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse JSON, else raise ValueError."""
        try:
            return json.loads(self.text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


class ModelClient:
    """Talks to the model at `base`, which may end in a path."""

    def __init__(self, base: str, api_key: str = "") -> None:
        self.base = base.rstrip("/")
        self._session = requests.Session()
        if api_key:
            self._session.headers["x-api-key"] = api_key
            self._session.max_redirects = 0  # the key is for nobody else
        self._session.trust_env = False  # neither a proxy nor a .netrc stands between us and our own container

    def close(self) -> None:
        self._session.close()

    def probe(self) -> None:
        """Raise Unanswered unless something answers in HTTP."""
        self._request("GET", "/health", timeout=_PROBE_TIMEOUT)

    def get(self, path: str) -> Answer:
        """Return the answer, whatever its status."""
        return self._request("GET", path)

    def spec(self) -> dict[str, Any]:
        answer = self.get("/swagger/v1/swagger.json")
        _expect(answer, 200, "/swagger/v1/swagger.json")
        try:
            spec = answer.json()
        except ValueError as error:
            raise CheckFailed(f"/swagger/v1/swagger.json is no JSON: {error}") from error
        if not isinstance(spec, dict):
            raise CheckFailed("/swagger/v1/swagger.json is no JSON object")
        return spec

    def licensed(self) -> bool:
        answer = self.get("/api/license")
        _expect(answer, 200, "/api/license")
        try:
            found = answer.json()
            return bool(not found["isError"] and str(found["data"]).startswith("Licensed To:"))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckFailed(f"/api/license answered without the envelope: {quote(answer.text)}") from error

    def apply_license(self, key: str) -> str:
        """Apply a license key; return why it was refused."""
        answer = self._request("POST", "/api/license", json={"license": key})
        return "" if answer.status_code == 200 else _message(answer)

    def add_job(self, name: str, content: bytes, mime_type: str, mapping: str = "") -> Job:
        """Submit a file; an empty `mime_type` is the model's choice."""
        data = {"MimeType": mime_type, **({"Mappings": mapping} if mapping else {})}
        answer = self._request("POST", "/data/add-job", files={"File": (name, content)}, data=data)
        return _job(answer, "/data/add-job")

    def status(self, job: str) -> Job:
        """Return the job; `Error` is a state, not an exception."""
        return _job(self.get(f"/data/status/{job}"), "/data/status", failed_job_is_answer=True)

    def result(self, job: str) -> tuple[bytes, str]:
        """Return the result, and its build, if the server says it."""
        answer = self._request("GET", f"/data/result/{job}", most=_MOST_RESULT)
        _expect(answer, 200, "/data/result")
        return answer.content, answer.headers.get(BUILD_ID, "")

    def delete(self, job: str) -> Job:
        return _job(self._request("DELETE", f"/data/delete/{job}"), "/data/delete")

    def mapping(self, name: str, content: bytes, mime_type: str) -> str:
        files, data = {"File": (name, content)}, {"MimeType": mime_type}
        answer = self._request("POST", "/data/mapping", files=files, data=data)
        if answer.status_code != 200:
            raise CheckFailed(_message(answer))
        return answer.text

    def _request(self, method: str, path: str, most: int = _MOST_BYTES, **options: Any) -> Answer:
        # A redirect to another address is an answer, and is not followed.
        if not path.startswith("/"):
            raise CheckFailed(f"the path {quote(path)} does not begin with a slash")
        url, asked = self.base + path, {"timeout": _TIMEOUT, **options, "allow_redirects": False, "stream": True}
        for _ in range(_MOST_REDIRECTS):
            try:
                with self._session.request(method, url, **asked) as response:
                    target = _target(url, response)
                    answer = Answer(response.status_code, response.headers, _read(response, most), url)
            except OSError as error:  # requests' own errors, and a CA bundle that is missing
                raise Unanswered(f"{method} {url} got no answer: {_cause(error)}") from error
            if method != "GET" or _origin(target) != _origin(self.base):
                break
            url = target
        return answer


def _read(response: requests.Response, most: int) -> bytes:
    # An answer that does not end fails the check.
    content, end = bytearray(), time.monotonic() + _LONGEST
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > most or time.monotonic() > end:
            why = f"is larger than {most >> 20} MiB" if len(content) > most else f"takes longer than {_LONGEST:g} s"
            raise CheckFailed(f"the answer to {response.request.method} {response.request.path_url} {why}")
    return bytes(content)


def _target(url: str, answer: requests.Response) -> str:
    try:
        return urljoin(url, answer.headers["Location"]) if answer.is_redirect else ""
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str | None, int | None]:
    # The user that an address may name is left out.
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None
    return ("", None, None) if "@" in parts.netloc else (parts.scheme, parts.hostname, port)


def _expect(answer: Answer, status: int, path: str) -> None:
    if answer.status_code != status:
        raise CheckFailed(f"{path} answered {answer.status_code}: {quote(answer.text)}")


def _job(answer: Answer, path: str, failed_job_is_answer: bool = False) -> Job:
    try:
        envelope = answer.json()
        failed, message = envelope["isError"], envelope["errorMessage"]
        data = envelope["data"] or {}
        job = Job(str(data.get("id", "")), str(data.get("status", "")), str(data.get("errorMessage") or message or ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckFailed(f"{path} answered {answer.status_code} without the envelope: {quote(answer.text)}") from error
    if failed and failed_job_is_answer and job.status:
        return job
    if failed or answer.status_code != 200:
        said = f"{path} answered {answer.status_code}: {quote(job.error)}"
        raise Busy(said) if answer.status_code == 503 and "Retry-After" in answer.headers else CheckFailed(said)
    return job


def _message(answer: Answer) -> str:
    try:
        return str(answer.json()["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}: {quote(answer.text)}"


def quote(text: str) -> str:
    """Shorten an answer to one line."""
    return json.dumps(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…", ensure_ascii=False)


def _cause(error: BaseException) -> str:
    # The wrapping layers only repeat the address.
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__
