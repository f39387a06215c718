"""A listening socket that passes requests on to targets."""

import contextlib
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable

from model_sandbox.http_answer import Answer

_CONNECT_SECONDS = 5.0
_LINGER_SECONDS = 5.0
_PIECE = 65536
_UNAVAILABLE, _BAD_GATEWAY = "503 Service Temporarily Unavailable", "502 Bad Gateway"
#: Why the load balancer itself answers; AWS tells the two kinds of 502 apart in its metrics and access logs only.
REASON_HEADER = "Sandbox-Reason"
NO_CONNECTION = "no connection to"


def bindable(address: str, port: int) -> int:
    """Return `port` if this process may listen on it, else 0: any."""
    with socket.socket() as trial:
        try:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, port))
        except OSError:
            return 0
    return port


class Requests:
    """Counts the requests that targets have still to answer. Any thread may call."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, address: str) -> None:
        with self._lock:
            self._open[address] += 1

    def end(self, address: str) -> None:
        with self._lock:
            self._open[address] -= 1

    def is_open(self, address: str) -> bool:
        with self._lock:
            return self._open[address] > 0


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
        requests: Requests,
    ) -> None:
        self._choose, self._keeps, self._requests = choose, keeps, requests
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
            _Connection(client, self._choose, self._keeps, self._requests).run()


class _Connection:
    def __init__(
        self,
        client: socket.socket,
        choose: Callable[[], tuple[str, int] | None],
        keeps: Callable[[tuple[str, int]], bool],
        requests: Requests,
    ) -> None:
        self._client, self._choose, self._keeps, self._requests = client, choose, keeps, requests
        self._at: tuple[str, int] = ("", 0)
        self._target: socket.socket | None = None
        self._answer, self._selector = Answer(), selectors.DefaultSelector()
        #: Something of the answer has been passed on.
        self._is_begun = False
        #: The target has to answer.
        self._is_due = False

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
        if said := _said(self._target):
            self._answer.take(said)
            self._is_begun = True
            if self._answer.is_whole:
                self._settle()
            self._client.sendall(said)
            return True
        if not self._answer.is_whole:
            return not self._is_begun and self._refuse(_BAD_GATEWAY, f"{_name(self._at)} closed it unanswered")
        self._leave()
        return True

    def _ask(self, said: bytes) -> bool:
        if self._answer.is_whole and not (self._target and self._keeps(self._at)):
            self._leave()
            if (chosen := self._choose()) is None:
                return self._refuse(_UNAVAILABLE, "no target")
            try:
                self._target, self._at = socket.create_connection(chosen, timeout=_CONNECT_SECONDS), chosen
            except OSError:
                return self._refuse(_BAD_GATEWAY, f"{NO_CONNECTION} {_name(chosen)}")
            self._target.settimeout(None)
            self._selector.register(self._target, selectors.EVENT_READ)
        if self._target:
            self._is_begun = self._is_begun and not self._answer.is_whole
            self._answer.ask()
            if not self._is_due:
                self._is_due = True
                self._requests.begin(self._at[0])
            with contextlib.suppress(OSError):  # its end is read next
                self._target.sendall(said)
        return True

    def _refuse(self, status: str, reason: str) -> bool:
        self._settle()
        head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{REASON_HEADER}: {reason}\r\n\r\n"
        self._client.sendall(head.encode())
        self._client.shutdown(socket.SHUT_WR)
        self._client.settimeout(_LINGER_SECONDS)
        while self._client.recv(_PIECE):  # who still sends would be reset, and not see the answer
            pass
        return False

    def _settle(self) -> None:
        if self._is_due:
            self._is_due = False
            self._requests.end(self._at[0])

    def _leave(self) -> None:
        self._settle()
        if self._target:
            self._selector.unregister(self._target)
            self._target.close()
            self._target = None


def _said(target: socket.socket) -> bytes:
    try:
        return target.recv(_PIECE)
    except OSError:
        return b""


def _name(at: tuple[str, int]) -> str:
    return f"{at[0]}:{at[1]}"
