"""A listening socket that passes on each connection to a target of its own."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

_CONNECT_SECONDS = 5.0
_PIECE = 65536
_UNAVAILABLE = b"HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def bindable(address: str, port: int) -> int:
    """Return `port` if this process may listen on it, else 0: any free one."""
    with socket.socket() as trial:
        try:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))
        except OSError:
            return 0
    return port


class Forwarder:
    """Listens until closed; `choose` names each connection's target, if any."""

    def __init__(self, address: str, port: int, choose: Callable[[], tuple[str, int] | None]) -> None:
        self._choose = choose
        self._socket = socket.create_server((address, port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name=f"listener-{self.port}").start()

    def close(self) -> None:
        """Accept no new connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True, name="connection").start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            chosen = self._choose()
            if chosen is None:
                _refuse(client, _UNAVAILABLE)
                return
            try:
                target = socket.create_connection(chosen, timeout=_CONNECT_SECONDS)
            except OSError:
                _refuse(client, _BAD_GATEWAY)
                return
            with target, contextlib.suppress(OSError):
                target.settimeout(None)
                _splice(client, target)


def _refuse(client: socket.socket, answer: bytes) -> None:
    # Read first: an answer to an unfinished request would be lost.
    with contextlib.suppress(OSError):
        client.settimeout(_CONNECT_SECONDS)
        client.recv(_PIECE)
        client.sendall(answer)


def _splice(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                said = key.fileobj.recv(_PIECE)  # type: ignore[union-attr]
                if not said:
                    return
                key.data.sendall(said)
