"""The server's listening socket."""

import errno
import socket

from model_server.errors import StartError

#: Connections that wait to be accepted.
BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Listen on a name or address ("::": all of both kinds), or raise StartError."""
    listener = None
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # With the protocol named asyncio sets TCP_NODELAY; without, each kept-alive answer waits 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # "::" is every address, also of the older protocol
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        port_hint = "free the port, or name another one by MODEL_SERVER_PORT"
        hint = port_hint if is_taken else "name another address by MODEL_SERVER_HOST"
        place = f"[{host.strip('[]')}]" if ":" in host else host
        raise StartError(f"cannot bind {place}:{port}: {error.strerror}; {hint}") from error
    return listener
