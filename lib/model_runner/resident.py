"""Mode `resident`: a program of the `gravityai` library serves as the library does.

`<entry> serve -p PORT --gai` listens on 127.0.0.1 for WebSockets. It ends half a minute after its last connection
closed, so the connection stays open.
"""

import random
import socket
from typing import List, Sequence

from model_runner.imports import Script
from model_runner.kept import BrokenError, KeptMode, Program
from model_runner.processes import Strays
from model_runner.websocket import WebSocket

PORTS = (20000, 32000)  # below those that the kernel gives to outgoing connections
HANDSHAKE_SECONDS = 10.0


class Server(Program):
    def __init__(self, script: Script, port: int, directory: str, connection: socket.socket, strays: Strays) -> None:
        super().__init__([*interpreter(script), script.path, *served_on(port)], directory, connection, strays)
        self._port = port

    def reach(self) -> bool:
        if self.channel is None:
            try:
                self.talk_over(WebSocket(self._port, HANDSHAKE_SECONDS))
            except (OSError, BrokenError):
                return False
            self.is_listening = True
        return True


class ResidentMode(KeptMode):
    """Talks over the library's own WebSocket."""

    name = "resident"

    def _launch(self, strays: Strays) -> Program:
        return Server(self._script, free_port(), self._directory, self._connection, strays)


def interpreter(script: Script) -> List[str]:
    return [script.python, *script.options]


def served_on(port: int) -> Sequence[str]:
    return ("serve", "-p", str(port), "--gai")


def free_port() -> int:
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(*PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
