"""The processes of one server: what they tell one another, and the figures that they add up.

What is told only saves time: whoever waits also looks, so a message that finds no room may be lost.
"""

import asyncio
import mmap
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum

#: The figures of a process: when its loop last turned, the bytes that its uploads still need, the jobs that it started;
#: SECONDS is the first of those of `metrics`.
BEAT, RESERVED, ATTEMPTS, SECONDS = range(4)
_FIGURES = 64
_FIGURE_BYTES = 8
_BEAT_SECONDS = 1.0
#: A loop that does not turn for so long answers nobody.
STUCK_SECONDS = 10.0
_MESSAGE_BYTES = 64 * 1024


class News(Enum):
    """The first byte of a message; most name a job behind it."""

    #: There may be a job to start.
    WAITING = b"w"
    ENDED = b"e"
    DELETED = b"d"
    #: There may be a callback to make.
    CALL = b"c"
    #: Who runs this job is to say what its program printed last.
    ASKED = b"a"
    #: That, behind the id.
    SAID = b"s"


class Siblings:
    """A process among those of its server."""

    def __init__(
        self, number: int, inboxes: Sequence[tuple[socket.socket, socket.socket]], figures: "memoryview[float]"
    ) -> None:
        """Take a place.

        Args:
            inboxes: of each process, the end to read and the end to write; none where it is alone.
            figures: of all, in memory that they share.
        """
        self.number = number
        self.count = max(1, len(inboxes))
        self._inboxes = inboxes
        self._others = [inbox[1] for other, inbox in enumerate(inboxes) if other != number]
        self._figures = figures
        self._own = number * _FIGURES
        self._hears: dict[News, Callable[[str], None]] = {}

    def tell(self, news: News, text: str = "") -> None:
        """Tell all others; from any thread."""
        for other in self._others:
            with suppress(OSError):  # it is behind, or gone
                other.send(news.value + text.encode())

    def on(self, news: News, hear: Callable[[str], None]) -> None:
        """Have `hear` called, in the loop, with what others tell behind `news`."""
        self._hears[news] = hear

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear the others in `loop`, and show them that it turns."""
        if self.count > 1:
            inbox = self._inboxes[self.number][0]
            loop.add_reader(inbox.fileno(), self._read, inbox)
            self._beat(loop)

    def leave(self) -> None:
        """Note that the loop has ended as it should."""
        self._figures[self._own + BEAT] = 0

    def add(self, figure: int, value: float) -> None:
        """Add to a figure of this process, from one thread at a time."""
        self._figures[self._own + figure] += value

    def total(self, figure: int) -> float:
        return float(sum(self._figures[figure::_FIGURES]))

    def is_one_stuck(self) -> bool:
        """Tell whether another process has begun and answers nobody."""
        oldest = time.monotonic() - STUCK_SECONDS
        beats = self._figures[BEAT::_FIGURES].tolist()
        return any(0 < beat < oldest for number, beat in enumerate(beats) if number != self.number)

    def _read(self, inbox: socket.socket) -> None:
        with suppress(BlockingIOError):
            while message := inbox.recv(_MESSAGE_BYTES):
                self._hears[News(message[:1])](message[1:].decode())

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._figures[self._own + BEAT] = time.monotonic()
        loop.call_later(_BEAT_SECONDS, self._beat, loop)


def make(count: int) -> list[Siblings]:
    """Make the places of `count` processes, which are to be forked."""
    figures = memoryview(mmap.mmap(-1, count * _FIGURES * _FIGURE_BYTES)).cast("d")
    if count == 1:
        return [Siblings(0, (), figures)]
    inboxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count)]
    for ends in inboxes:
        for end in ends:
            end.setblocking(False)
    return [Siblings(number, inboxes, figures) for number in range(count)]


def alone() -> Siblings:
    return make(1)[0]
