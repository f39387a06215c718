"""Answers AWS operations in place of ministack."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], dict[str, Any]]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Answer]]


class ApiError(Exception):
    """An AWS error; `code` is the service's."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def by_target(_path: str, headers: Mapping[str, str]) -> str:
    """Return a JSON 1.x request's operation."""
    return headers.get("x-amz-target", "").rsplit(".", 1)[-1]


def by_path(path: str, _headers: Mapping[str, str]) -> str:
    """Return a Batch request's operation, in lower case."""
    return path.rstrip("/").rsplit("/", 1)[-1].lower()


def serve(
    module: ModuleType, operations: Mapping[str, Operation], name_of: Callable[[str, Mapping[str, str]], str]
) -> None:
    """Let `operations`, which may block, answer before ministack's module."""
    others: Handler = module.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        operation = operations.get(name_of(path, headers))
        if operation is None:
            return await others(method, path, headers, body, query)
        try:
            return _json(200, await asyncio.to_thread(operation, json.loads(body or b"{}")))
        except ApiError as error:
            return _error(error)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return _error(ApiError("SerializationException", f"the body is not JSON: {error}"))

    # One handler a service is how ministack finds its modules; there is no other place to step in.
    module.handle_request = handle_request  # type: ignore[attr-defined]


def check_first(
    module: ModuleType,
    checks: Mapping[str, Callable[[dict[str, Any]], None]],
    name_of: Callable[[str, Mapping[str, str]], str],
) -> None:
    """Let `checks` refuse, by ApiError, before ministack's module."""
    others: Handler = module.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        if check := checks.get(name_of(path, headers)):
            try:
                check(json.loads(body or b"{}"))
            except ApiError as error:
                return _error(error)
        return await others(method, path, headers, body, query)

    module.handle_request = handle_request  # type: ignore[attr-defined]


def ask(answer: Any) -> dict[str, Any]:
    """Return ministack's own answer, or raise ApiError."""
    status, _headers, body = answer
    content: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ApiError(content.get("__type", "ClientException"), content.get("message", ""), status)
    return content


def _json(status: int, content: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()


def _error(error: ApiError) -> Answer:
    status, headers, body = _json(error.status, {"__type": error.code, "message": str(error)})
    return status, {**headers, "x-amzn-errortype": error.code}, body
