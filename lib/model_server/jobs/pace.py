"""Keeps short jobs to few workers."""

#: For programs that take less, a worker for each processor, and one more, do as many jobs as this server can take in.
_SHORT_SECONDS = 0.002
_WEIGHT = 1 / 32


class Pace:
    """Knows how short the last jobs were, to keep short ones to few workers.

    More would only have the processors change from one program to the other: with 8 workers on 2 processors a job costs
    its programs half as much again.
    """

    def __init__(self, processors: int | None) -> None:
        """Know nothing yet; None: all workers may always have jobs."""
        self._processors = processors
        #: What a program takes that is not held up: a shorter time counts at once, a longer one little by little.
        self._seconds = 1.0
        #: Jobs that have ended.
        self.ends = 0

    def ended(self, seconds: float) -> None:
        """Take in how long a program ran."""
        self.ends += 1
        self._seconds = min(seconds, self._seconds + (seconds - self._seconds) * _WEIGHT)

    def is_enough(self, running: int) -> bool:
        """Tell whether a new job should wait for one of those that run."""
        return self._processors is not None and running > self._processors and self._seconds < _SHORT_SECONDS
