"""The probe of HEALTHCHECK. It runs every few seconds in every container, so it imports next to nothing."""

import socket

ANSWER = b"Health check is ok"


def probe(port: int, timeout: float = 3.0) -> str | None:
    """Asks the server on this host for /health; returns None when it is well, else what is wrong."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
    except OSError as error:
        return f"port {port} does not answer: {error}"
    if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n" + ANSWER):
        return None
    return f"port {port} answers something else than {ANSWER.decode()!r}"
