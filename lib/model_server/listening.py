"""The server's listening sockets."""

import errno
import socket
from typing import Any

from model_server.errors import StartError

#: Connections that wait to be accepted.
BACKLOG = 2048


def bind(host: str, port: int, processes: int = 1) -> list[socket.socket]:
    """Listen on a name or address ("::": all of both kinds), or raise StartError.

    The sockets are one for each of `processes`, among which the kernel deals out connections. Only the first listens:
    the others' connections would wait for a process that is not there yet.
    """
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        if processes > 1:  # two servers that share their port would share it with one another, too
            _bound(family, address, is_shared=False).close()
        for _ in range(processes):
            listeners.append(_bound(family, address, is_shared=processes > 1))
            address = listeners[0].getsockname()
        listeners[0].listen(BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.close()
        is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        port_hint = "free the port, or name another one by MODEL_SERVER_PORT"
        hint = port_hint if is_taken else "name another address by MODEL_SERVER_HOST"
        place = f"[{host.strip('[]')}]" if ":" in host else host
        raise StartError(f"cannot bind {place}:{port}: {error.strerror}; {hint}") from error
    return listeners


def _bound(family: int, address: Any, is_shared: bool) -> socket.socket:
    # With the protocol named asyncio sets TCP_NODELAY; without, each kept-alive answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(is_shared))
        if family == socket.AF_INET6:  # "::" is every address, also of the older protocol
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener
