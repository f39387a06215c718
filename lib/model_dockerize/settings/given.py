"""An input's value, as a source gives it."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from model_dockerize.inside import OutsideError, leads_through, resolved


class Source(Enum):
    """A value's source, as its heading in docs/inputs.md.

    Caller and environment are trusted. The folder's files are not: their paths stay inside, and what reads or writes
    elsewhere is not theirs to set.
    """

    CALLER = "flag, step's input"
    ENVIRONMENT = "environment"
    FOLDER = "model-dockerize.yml"
    CONFIG_INI = "Config.ini"


_UNTRUSTED = (Source.FOLDER, Source.CONFIG_INI)


@dataclass(frozen=True)
class Given:
    """A value as written, where it stands, and the base of relative paths.

    Attributes:
        folder: untrusted. A path that a file in it names, or that leads through it, must end inside.
        problem: why the source could not take it as a text.
        needed_by: inputs that, when true, forbid an empty text.
    """

    text: str
    where: str
    base: Path
    source: Source = Source.CALLER
    folder: Path | None = None
    problem: str = ""
    needed_by: tuple[str, ...] = ()

    def path(self, text: str = "") -> Path:
        """Return `text`, or the value, as a path with links followed.

        Raises:
            ValueError: it leads where this source may not.
        """
        text = text or self.text.strip()
        try:
            path = self.base / Path(text).expanduser()
            bounded = self.folder and (self.source in _UNTRUSTED or leads_through(path, self.folder))
            if not bounded:
                return path.resolve()
        except (OSError, RuntimeError) as error:  # a home directory that nobody has, or links that go in a circle
            raise ValueError(f"{text!r} is not a path that can be followed ({error})") from error
        assert self.folder  # noqa: S101  it is bounded by it
        try:
            return resolved(path, self.folder)
        except OutsideError as error:
            raise ValueError(f"{error}. {self._instead()}") from error

    def _instead(self) -> str:
        if self.source in _UNTRUSTED:
            return (
                "A file of the folder may name what is in it; what lies elsewhere is named by a flag or a step's input"
            )
        return "Links that lie in the folder may not lead out of it; name what they lead to"
