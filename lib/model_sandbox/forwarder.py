"""A listening socket that passes requests on to targets."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from model_sandbox.http_answer import Answer

_CONNECT_SECONDS = 5.0
_PIECE = 65536
_UNAVAILABLE = b"HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def bindable(address: str, port: int) -> int:
    """Return `port` if this process may listen on it, else 0: any."""
    with socket.socket() as trial:
        try:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))
        except OSError:
            return 0
    return port


class Forwarder:
    """Listens until closed.

    `choose` names a target; `keeps` tells whether one may have another request. A connection stays with its target
    while it may, and moves on between two requests.
    """

    def __init__(
        self,
        address: str,
        port: int,
        choose: Callable[[], tuple[str, int] | None],
        keeps: Callable[[tuple[str, int]], bool],
    ) -> None:
        self._choose, self._keeps = choose, keeps
        self._socket = socket.create_server((address, port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name=f"listener-{self.port}").start()

    def close(self) -> None:
        """Accept no new connections; open ones end by themselves."""
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
        with client, contextlib.suppress(OSError):
            _Connection(client, self._choose, self._keeps).run()


class _Connection:
    def __init__(
        self,
        client: socket.socket,
        choose: Callable[[], tuple[str, int] | None],
        keeps: Callable[[tuple[str, int]], bool],
    ) -> None:
        self._client, self._choose, self._keeps = client, choose, keeps
        self._at: tuple[str, int] = ("", 0)
        self._target: socket.socket | None = None
        self._answer, self._selector = Answer(), selectors.DefaultSelector()

    def run(self) -> None:
        with self._selector:
            self._selector.register(self._client, selectors.EVENT_READ)
            try:
                while all(self._pass_on(key.fileobj) for key, _ in self._selector.select()):
                    pass
            finally:
                self._leave()

    def _pass_on(self, sender: object) -> bool:
        if sender is self._client:
            said = self._client.recv(_PIECE)
            return bool(said) and self._ask(said)
        if self._target is None or sender is not self._target:
            return True  # it was left in the same moment
        if said := self._target.recv(_PIECE):
            self._answer.take(said)
            self._client.sendall(said)
        elif self._answer.is_whole:
            self._leave()
        return bool(said) or self._answer.is_whole

    def _ask(self, said: bytes) -> bool:
        if self._answer.is_whole and not (self._target and self._keeps(self._at)):
            self._leave()
            if (chosen := self._choose()) is None:
                self._client.sendall(_UNAVAILABLE)
                return False
            try:
                self._target, self._at = socket.create_connection(chosen, timeout=_CONNECT_SECONDS), chosen
            except OSError:
                self._client.sendall(_BAD_GATEWAY)
                return False
            self._target.settimeout(None)
            self._selector.register(self._target, selectors.EVENT_READ)
        if self._target:
            self._answer.ask()
            self._target.sendall(said)
        return True

    def _leave(self) -> None:
        if self._target:
            self._selector.unregister(self._target)
            self._target.close()
            self._target = None
