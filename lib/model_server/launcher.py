"""The one process that stays root: it starts and ends runners, each as its own user.

Forked before the server answers anybody, it only starts the given command, ends a slot's processes, and removes a dead
server's folder, in which programs leave what only they or root can remove.
"""

import errno
import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from model_server import privileges
from model_server.log import logger
from model_server.slots import OwnSlot

_MESSAGE_BYTES = 256
_INSTANCE = re.compile(r"[0-9a-f]{32}")


class Launcher:
    """The server's end; thread-safe."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._guard = threading.Lock()

    def close(self) -> None:
        """Leave the launcher to another process."""
        self._channel.close()

    def remove_instance(self, instance_id: str) -> None:
        with suppress(OSError):  # as far as it can be
            self.ask(f"remove {instance_id}")

    def ask(self, message: str, descriptors: Sequence[int] = ()) -> None:
        """Have the launcher do it, or raise OSError."""
        with self._guard:
            try:
                socket.send_fds(self._channel, [message.encode()], descriptors)
                number = int(self._channel.recv(_MESSAGE_BYTES))
            except (OSError, ValueError):  # an empty answer is the end of the connection
                logger.error("the launcher of programs is gone: this server stops")
                os.kill(os.getpid(), signal.SIGTERM)
                number = errno.EPIPE
        if number:
            raise OSError(number, os.strerror(number))


class LaunchedSlot:
    """A slot whose runners are the launcher's children."""

    is_own_user = True

    def __init__(self, launcher: Launcher, number: int) -> None:
        self._launcher = launcher
        self._number = number

    def start(self, connection: int) -> None:
        self._launcher.ask(f"start {self._number}", [connection])

    def stop(self) -> None:
        with suppress(OSError):  # the launcher is gone, and all that it had started with it
            self._launcher.ask(f"stop {self._number}")


def launch(command: Sequence[str], users: Sequence[tuple[int, int]], instances: Path) -> Launcher:
    """Fork the launcher, which ends with this process. No thread may run yet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            for descriptor in {int(path.name) for path in Path("/proc/self/fd").iterdir()} - {0, 1, 2, theirs.fileno()}:
                with suppress(OSError):  # that of the list itself
                    os.close(descriptor)
            privileges.harden()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the server, which drains
            _serve(theirs, [OwnSlot(command, user=user) for user in users], os.open(instances, os.O_RDONLY))
        finally:
            os._exit(0)
    theirs.close()
    return Launcher(ours)


def _serve(channel: socket.socket, slots: Sequence[OwnSlot], instances: int) -> None:
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 1)
        if not message:
            break
        number = 0
        try:
            _do(message.decode(), descriptors, slots, instances)
        except OSError as error:
            number = error.errno or errno.EIO
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(str(number).encode())
    for slot in slots:
        slot.stop()


def _do(message: str, descriptors: Sequence[int], slots: Sequence[OwnSlot], instances: int) -> None:
    match message.split():
        case ["start", number]:
            slots[int(number)].start(descriptors[0])
        case ["stop", number]:
            slots[int(number)].stop()
        case ["remove", name] if _INSTANCE.fullmatch(name):
            shutil.rmtree(name, ignore_errors=True, dir_fd=instances)
        case _:
            raise OSError(errno.EINVAL, "this is not what a launcher does")
