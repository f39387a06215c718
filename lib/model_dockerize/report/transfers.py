"""Transfers, and silent stages that are due for a line."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

EVERY = 15.0  # seconds of silence after which a stage says that it still runs
LATER = 60.0  # the same for one that has run this long and moves no bytes
#: How a stage says that it counts: "13/20 done, 1 failed".
_COUNTED = re.compile(r"(\d{1,9})/([1-9]\d{0,8}) done\b")


@dataclass(frozen=True)
class Transfer:
    """Bytes moved since `started`, by the display's clock; `total` 0: unknown."""

    what: str
    started: float
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float | None:
        return min(self.done / self.total, 1.0) if self.total else None

    def words(self, now: float) -> str:
        """Return "sending layers 45%, 512 of 1100 MB, 85.1 MB/s, 7 s left"."""
        if not self.done:
            return self.what
        share, rate = self.share, self.done / max(now - self.started, 0.001)
        size = f"{self.done / 1e6:.0f} MB" if share is None else f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB"
        words = [f"{self.what} {share:.0%}" if share is not None else self.what, size, f"{rate / 1e6:.1f} MB/s"]
        if share is not None and share < 1:
            words.append(f"{_span((self.total - self.done) / rate)} left")
        return ", ".join(words)


class Running:
    """Running stages and their last words."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}
        self._transfers: dict[str, Transfer] = {}
        self._seen: dict[str, str] = {}  # the last line of each, shown or not

    def __bool__(self) -> bool:
        return bool(self._began)

    def __iter__(self) -> Iterator[tuple[str, float, float | None, str]]:
        # Each with its seconds, the part that is done of what it moves or counts, and its last words.
        now = self._clock()
        for name, since in list(self._began.items()):
            transfer = self._transfers.get(name)
            share = transfer.share if transfer else _counted(self._seen.get(name, ""))
            yield name, now - since, share, self._words(name, now)

    def begin(self, stage: str) -> None:
        self._began[stage] = self._spoke[stage] = self._clock()

    def end(self, stage: str) -> None:
        for kept in (self._began, self._spoke, self._transfers, self._seen):
            kept.pop(stage, None)

    def saw(self, stage: str, text: str) -> None:
        self._seen[stage] = text.strip()

    def spoke(self, stage: str) -> None:
        if stage in self._spoke:
            self._spoke[stage] = self._clock()

    def transfer(self, stage: str, what: str, done: int, total: int) -> None:
        """Note a stage's transfer; an empty `what` ends it."""
        if not what:
            self._transfers.pop(stage, None)
            return
        known = self._transfers.get(stage)
        if known is None or known.what != what or done < known.done:
            known = Transfer(what, self._clock())
        self._transfers[stage] = replace(known, done=done, total=total)

    def due(self) -> list[tuple[str, str, str]]:
        """Return silent stages (name, words, time), which then count as having spoken."""
        now = self._clock()
        late = [name for name, last in self._spoke.items() if now - last >= self._patience(name, now)]
        for name in late:
            self._spoke[name] = now
        return [(name, self._words(name, now), _span(now - self._began[name])) for name in late]

    def _patience(self, stage: str, now: float) -> float:
        return EVERY if stage in self._transfers or now - self._began[stage] < LATER + EVERY else LATER

    def _words(self, stage: str, now: float) -> str:
        transfer = self._transfers.get(stage)
        return transfer.words(now) if transfer else self._seen.get(stage, "still running")


def _counted(words: str) -> float | None:
    found = _COUNTED.match(words)
    return min(int(found[1]) / int(found[2]), 1.0) if found else None


def _span(seconds: float) -> str:
    # E.g. "45 s", "3 min 20 s".
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
