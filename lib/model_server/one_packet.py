"""An answer whose head waits for its body."""

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class OnePacket:
    """One answer's transport: the head waits for the body, to share a packet."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        #: None: it is still to come.
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if not self._cycle.response_started:  # 100 Continue
            self._transport.write(data)
        elif self._head is None:
            self._head = data
        elif self._head:
            self._transport.writelines((self._head, data) if data else (self._head,))
            self._head = b""
        else:
            self._transport.write(data)

    def close(self) -> None:
        if self._head:  # it has no body
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
