"""The end of an HTTP/1.1 answer, after which a load balancer may switch targets."""

_LONGEST_HEAD = 65536
_HEAD_END = b"\r\n\r\n"


class Answer:
    """Reads along. If its head tells no end, it is never whole: its connection ends it."""

    def __init__(self) -> None:
        self._begin()
        self.is_whole = True

    def ask(self) -> None:
        if self.is_whole:
            self._begin()

    def _begin(self) -> None:
        self.is_whole = self._is_read = self._is_chunked = False
        self._head, self._left, self._tail = b"", -1, b""  # bytes left of a body of known length; end of a chunked one

    def take(self, piece: bytes) -> None:
        if not self._is_read:
            piece = self._read_head(piece)
        if not self._is_read:
            return
        if self._is_chunked:
            self._tail = (self._tail + piece)[-7:]
            self.is_whole = self._tail.endswith(b"\r\n0\r\n\r\n") or self._tail == b"0\r\n\r\n"
        elif self._left >= 0:
            self._left -= len(piece)
            self.is_whole = self._left <= 0

    def _read_head(self, piece: bytes) -> bytes:
        self._head = (self._head + piece)[:_LONGEST_HEAD]
        while _HEAD_END in self._head:
            head, _, rest = self._head.partition(_HEAD_END)
            status = head.split(b" ", 2)[1:2]
            if status != [b"100"]:
                self._frame(head.lower())
                return rest
            self._head = rest
        return b""

    def _frame(self, head: bytes) -> None:
        self._is_read = True
        fields = dict(line.partition(b":")[::2] for line in head.split(b"\r\n")[1:])
        self._is_chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
        length = fields.get(b"content-length", b"").strip()
        self._left = int(length) if length.isdigit() else -1
