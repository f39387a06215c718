"""Problems with data, collected so that the user sees all of them, or the first of very many, at once."""

MOST = 20
NOT_TAKEN = "the data is not what the model takes"


class DataError(ValueError):
    """The data, or what was said about it, is wrong; the text names every problem found."""

    def __init__(self, *problems: str) -> None:
        more = f"; only the first {MOST} problems are named" if len(problems) >= MOST else ""
        super().__init__("; ".join(problems) + more)
        self.problems = problems


class TooLargeError(DataError):
    """Tells that what is made of the data would be larger than it may be."""


class Problems:
    """Collects problems up to MOST, then raises them."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, text: str) -> None:
        """Add a problem; raise DataError once there are MOST."""
        self._found.append(text)
        if len(self._found) >= MOST:
            raise DataError(*self._found)

    def raise_if_any(self) -> None:
        """Raise DataError if a problem was noted."""
        if self._found:
            raise DataError(*self._found)
