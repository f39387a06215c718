"""Collects problems with data, to show many at once."""

MOST = 20
NOT_TAKEN = "the data is not what the model takes"


class DataError(ValueError):
    """The data, or its description, is wrong; names the first problems."""

    def __init__(self, *problems: str) -> None:
        more = f"; only the first {MOST} problems are named" if len(problems) >= MOST else ""
        super().__init__("; ".join(problems) + more)
        self.problems = problems


class TooLargeError(DataError):
    """The result would be larger than allowed."""


class Problems:
    """Collects at most MOST problems, then raises them."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, text: str) -> None:
        self._found.append(text)
        if len(self._found) >= MOST:
            raise DataError(*self._found)

    def raise_if_any(self) -> None:
        if self._found:
            raise DataError(*self._found)
