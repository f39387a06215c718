"""Mode `library`: a program of the `gravityai` library takes its jobs from a socket.

stand_in.py starts it as `<entry> serve -p PORT --gai`, though nobody listens on that port: the WebSocket's messages go
over the socket, one a line.
"""

import os
import socket
from typing import List

from model_runner.imports import Script
from model_runner.kept import MESSAGE_BYTES, BrokenError, Channel, KeptMode, Program
from model_runner.processes import Strays, read_some
from model_runner.resident import free_port, interpreter, served_on

SEND_SECONDS = 10.0


class Lines(Channel):
    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._socket.setblocking(False)
        self._rest = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, payload: bytes) -> None:
        line = payload + b"\n"
        try:
            line = line[self._socket.send(line) :]
        except BlockingIOError:
            pass
        if line:  # a timeout asks whether there is room, before each piece: a call more for a program that is ready
            self._socket.settimeout(SEND_SECONDS)
            try:
                self._socket.sendall(line)
            finally:
                self._socket.setblocking(False)

    def receive(self) -> List[str]:
        try:
            data = read_some(self._socket.fileno())
        except ConnectionError as error:
            raise EOFError("the connection was reset") from error
        if data == b"":
            raise EOFError("the connection was closed")
        *lines, self._rest = (self._rest + (data or b"")).split(b"\n")
        if len(self._rest) > MESSAGE_BYTES:
            raise BrokenError("it sent a message that is too long")
        return [line.decode("utf-8", "replace") for line in lines]

    def close(self) -> None:
        self._socket.close()


class LibraryMode(KeptMode):
    """Has stand_in.py call the program's function."""

    name = "library"

    def _launch(self, strays: Strays) -> Program:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        stand_in = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stand_in.py")
        argv = [*interpreter(self._script), stand_in, str(theirs.fileno()), self._script.path, *served_on(free_port())]
        try:
            program = Program(argv, self._directory, self._connection, strays, [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        program.talk_over(Lines(ours))
        return program
