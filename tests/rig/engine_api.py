"""Docker's own client without an engine: functions answer as its API documents, and every request is kept.

Source: https://docs.docker.com/reference/api/engine/
"""

import io
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import docker
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from model_dockerize.image import Engine

VERSION = "1.45"
_HOST = "http://engine.invalid:2375"


class _Body(io.BytesIO):
    """A body in chunks, as docker's client looks at it."""

    chunked, chunk_left = True, 0
    fp = SimpleNamespace(raw=SimpleNamespace())


class EngineApi:
    """Holds an engine's answers by "METHOD /path"; `asked` are the requests, a body after the place where there is one.

    An answer is a value for JSON, bytes, an exception, a status and its message, or a deque of such answers in turn.
    What has none is answered by 404.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.open: list[Any] = []
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        place = f"{request.method} {unquote(str(request.url)).partition(f'/v{VERSION}')[2]}"
        self.sent.append(request)
        self.asked.append((place, self._body(request)) if request.body else place)
        nothing = (404, "No such image" if " /images/" in place else "No such container")
        answer = self.answers.get(place.partition("?")[0], nothing)
        if isinstance(answer, deque):
            answer = answer.popleft()
        if isinstance(answer, BaseException):
            raise answer
        status = 200
        if isinstance(answer, tuple):
            status, answer = answer[0], {"message": answer[1]}
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        raw = HTTPResponse(_Body(content), {"Content-Type": "application/json"}, status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    @staticmethod
    def _body(request: requests.PreparedRequest) -> Any:
        body: Any = request.body
        if not isinstance(body, (str, bytes)):
            return b"".join(body)
        return json.loads(body)

    def engine(self, **known: Any) -> Engine:
        """Return it as one that was found."""
        said = {"version": "28.0.0", "platform": "linux/amd64", "buildx_version": "0.30.1", "containerd_store": False}
        place = {"cli": Path("/usr/bin/docker"), "host": _HOST, "context": "default", "environment": {}}
        return Engine(**{"api_version": VERSION, **said, **place, **known})


@contextmanager
def engine_api() -> Iterator[EngineApi]:
    """Let all clients of this process ask this engine; at the end, all of them must be closed."""
    api = EngineApi()
    closes = docker.APIClient.close

    def adapter(client: Any, url: str) -> Any:
        if client not in api.open:
            api.open.append(client)
        return api

    def close(client: Any) -> None:
        if client in api.open:
            api.open.remove(client)
        closes(client)

    with patch.object(docker.APIClient, "get_adapter", adapter), patch.object(docker.APIClient, "close", close):
        yield api
        assert not api.open, "whoever connects closes"
