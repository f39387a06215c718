"""HEALTHCHECK's command, which runs often, so imports next to nothing."""

import os
import socket
import time

from model_server import asking

ANSWER = b"Health check is ok"
NOT_READY = b"Not ready: "
STOPPING = b"the server is about to stop"
_MOST = 64 * 1024  # bytes of an answer: whoever sends more is not our server

_EVERY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
_PAUSE = 0.25


def probe(port: int, host: str = "", timeout: float = 3.0) -> str | None:
    try:
        head, _, body = _ask("/health", port, host, timeout).partition(b"\r\n\r\n")
    except OSError as error:
        return f"port {port} does not answer: {error}"
    if head.startswith(b"HTTP/1.1 200 ") and body == ANSWER:
        return None
    return f"port {port} answers something else than {ANSWER.decode()!r}"


def probe_ready(port: int, host: str = "", timeout: float = 3.0, wait: float = 55.0) -> str | None:
    """Return what is wrong with the server or its self-proof, or None."""
    # A scheduler counts failures, and a proof may take longer than it counts: so one call waits.
    deadline = time.monotonic() + wait
    while (problem := probe(port, host, timeout)) is None:
        try:
            head, _, body = _ask("/ready", port, host, timeout).partition(b"\r\n\r\n")
        except OSError as error:
            return f"port {port} does not answer: {error}"
        if not head.startswith(b"HTTP/1.1 "):
            return f"port {port} ends in the middle of an answer"
        if not body.startswith(NOT_READY) or body.endswith(STOPPING):
            return None
        if time.monotonic() > deadline:
            return body.decode("utf-8", "replace")
        time.sleep(_PAUSE)
    return problem


def _ask(path: str, port: int, host: str, timeout: float) -> bytes:
    # An OSError says that there is no answer.
    host = host.strip("[]")
    headers = {"Host": "localhost", "Connection": "close", **asking.headers(os.environ)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((_EVERY.get(host, host), port), timeout) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while len(answer) < _MOST and (chunk := connection.recv(4096)):
            answer += chunk
    return answer
