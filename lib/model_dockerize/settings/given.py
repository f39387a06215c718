"""Holds what a source of inputs says of one of them."""

import os
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.inside import OutsideError, leads_through, resolved
from model_dockerize.settings.declaration import Source

_UNTRUSTED = (Source.FOLDER, Source.CONFIG_INI)


@dataclass(frozen=True)
class Given:
    """One value as it was written: its text, where it stands (for messages), and what relative paths start from.

    Attributes:
        source: of which only some may set an input (declaration.py).
        folder: that nobody vouches for. A path that a file in it names, or that leads through it, must end inside.
        problem: why the source could not take it as a text. Empty when it could.
        needed_by: inputs of which each, when true, forbids that the text is empty.
    """

    text: str
    where: str
    base: Path
    source: Source = Source.CALLER
    folder: Path | None = None
    problem: str = ""
    needed_by: tuple[str, ...] = ()

    def path(self, text: str = "") -> Path:
        """Return `text`, or the whole value, as the path that it leads to, every link followed.

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


def workspace_of(file: Path) -> Path:
    """Return the folder that the neighbors of a Config.ini lie in: its git checkout, else its own folder."""
    own = Path(os.path.abspath(file)).parent  # noqa: PTH100  links are followed where a path is read
    checkout = next((folder for folder in (own, *own.parents) if (folder / ".git").exists()), own)
    # Some people keep their whole home folder in git.
    is_home = checkout in (Path("/"), Path(os.path.expanduser("~")))  # noqa: PTH111  without an error where there is none
    return own if is_home else checkout
