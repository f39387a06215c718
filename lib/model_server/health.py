"""The command of HEALTHCHECK. It runs every few seconds in every container, so it imports next to nothing."""

import os
import socket

from model_server import asking

ANSWER = b"Health check is ok"
_MOST = 64 * 1024  # bytes of an answer: whoever sends more is not our server


_EVERY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here


def probe(port: int, host: str = "", timeout: float = 3.0) -> str | None:
    """Ask the server at `host` for /health; return None when it is well, else what is wrong."""
    host = host.strip("[]")
    headers = {"Host": "localhost", "Connection": "close", **asking.headers(os.environ)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        with socket.create_connection((_EVERY.get(host, host), port), timeout) as connection:
            connection.sendall(f"GET /health HTTP/1.1\r\n{head}\r\n".encode())
            answer = b""
            while len(answer) < _MOST and (chunk := connection.recv(4096)):
                answer += chunk
    except OSError as error:
        return f"port {port} does not answer: {error}"
    if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n" + ANSWER):
        return None
    return f"port {port} answers something else than {ANSWER.decode()!r}"
