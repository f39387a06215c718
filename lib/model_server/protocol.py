"""HTTP as uvicorn speaks it, without its two copies of every body."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """Hands a piece of a body on as it is; uvicorn gathers all in a bytearray, and copies that for the application."""

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if not cycle.body:
            cycle.body = b""  # type: ignore[assignment]  # b"" + body is body itself, and so is bytes(body)
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body)  # else each of many small pieces would copy all that came before it
        super().on_body(body)
