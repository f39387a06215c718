"""Sorts a program folder into shipped and excluded files."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_dockerize.program import credentials, reading
from model_dockerize.program.dockerignore import DockerIgnore, Matched, PatternError, patterns_of
from model_dockerize.program.ignore import CREDENTIAL, tool_reason
from model_dockerize.program.lfs import is_pointer
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Excluded, ProgramFile
from model_dockerize.progress import Progress, counted

#: Why a file stays out that the folder's own file names.
IGNORED = ".dockerignore"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Listing:
    """The folder's files, sorted by path."""

    files: tuple[ProgramFile, ...]
    excluded: tuple[Excluded, ...]
    ignore_patterns: tuple[str, ...]
    pointers: tuple[str, ...]  # paths of those that are Git LFS pointers

    def holds(self, path: str) -> bool:
        return any(file.path == path for file in self.files)


def list_files(root: Path, private: tuple[Path, ...], problems: Problems, progress: Progress) -> Listing:
    """Sort everything below `root` into shipped and excluded.

    Args:
        root: absolute, without symbolic links.
    """
    patterns: tuple[str, ...] = ()
    files: tuple[ProgramFile, ...] = ()
    hashed = counted("reading the folder", 0, progress)
    walk = _Walk(root, DockerIgnore(()), frozenset(_real(path) for path in private), problems, hashed)
    try:
        patterns = patterns_of(reading.text(root, ".dockerignore", problems) or "")
        walk.ignore = DockerIgnore(patterns)
        files = tuple(sorted(walk.folder("", ()), key=lambda file: file.path))
    except PatternError as error:
        problems.wrong_folder(f".dockerignore: {error} is no pattern, and Docker refuses the file. Correct that line.")
    progress.transfer("", 0, 0)
    excluded = tuple(sorted(walk.excluded, key=lambda item: item.path))
    pointers = tuple(file.path for file in files if not file.link_target and is_pointer(root / file.path))
    return Listing(files, excluded, patterns, pointers)


class _Walk:
    def __init__(
        self,
        root: Path,
        ignore: DockerIgnore,
        private: frozenset[Path],
        problems: Problems,
        hashed: Callable[[int], None],
    ) -> None:
        self.excluded: list[Excluded] = []
        self.ignore = ignore
        self._root, self._private, self._problems = root, private, problems
        self._hashed = hashed

    def folder(self, path: str, matched: Matched) -> Iterator[ProgramFile]:
        try:
            names = sorted(entry.name for entry in (self._root / path).iterdir())
        except OSError as error:
            self._problems.wrong_folder(f"{path or '.'} cannot be read: {error.strerror}.")
            return
        for name in names:
            yield from self._entry(f"{path}/{name}" if path else name, matched)

    def _entry(self, path: str, above: Matched) -> Iterator[ProgramFile]:
        file = self._root / path
        try:
            mode = file.lstat().st_mode
        except OSError as error:
            self._problems.wrong_folder(f"{path!r} cannot be read: {error.strerror}.")
            return
        ignored, matched = self.ignore.look(path, above)
        reason = self._reason(path, file, ignored)
        if reason:
            self.excluded.append(Excluded(path, reason))
            if stat.S_ISDIR(mode) and reason == IGNORED and self.ignore.takes_back:
                yield from self.folder(path, matched)
        elif not _is_plain(path):
            self._problems.wrong_folder(
                f"{path!r} has control characters or bytes that are not UTF-8 in its name; rename it."
            )
        elif stat.S_ISLNK(mode):
            yield from self._link(path, file)
        elif stat.S_ISDIR(mode):
            yield from self.folder(path, matched)
        elif stat.S_ISREG(mode):
            yield from self._regular(path, file, mode)
        else:
            self.excluded.append(Excluded(path, "neither a file nor a folder"))

    def _reason(self, path: str, file: Path, ignored: bool) -> str:
        reason = tool_reason(path, file)
        if reason:
            return reason
        if ignored:
            return IGNORED
        if _real(file) in self._private:
            return CREDENTIAL
        if credentials.is_named_so(path) and not self.ignore.names(path):
            return CREDENTIAL
        return ""

    def _link(self, path: str, file: Path) -> Iterator[ProgramFile]:
        target = file.readlink().as_posix()
        inside = os.path.normpath(PurePosixPath(path).parent / target)
        leaves = PurePosixPath(target).is_absolute() or inside == ".." or inside.startswith("../")
        if leaves or not _real(file).is_relative_to(self._root):
            self._problems.wrong_folder(
                f"the symbolic link {path!r} leaves the folder (it points to {target!r}); copy the file in instead."
            )
        elif not _is_plain(target):
            self._problems.wrong_folder(f"the symbolic link {path!r} points to a name with control characters.")
        else:
            yield ProgramFile(path, 0, False, "", target)

    def _regular(self, path: str, file: Path, mode: int) -> Iterator[ProgramFile]:
        try:
            with file.open("rb") as stream:
                begins = stream.read(credentials.MOST_SEARCHED)
                stream.seek(0)
                digest = hashlib.sha256()
                while content := stream.read(_CHUNK):
                    digest.update(content)
                    self._hashed(len(content))
                size = stream.tell()
        except OSError as error:
            self._problems.wrong_folder(f"{path!r} cannot be read: {error.strerror}.")
            return
        secret, line = credentials.found_in(path, begins) if size == len(begins) else ("", 0)
        if secret and not self.ignore.names(path):
            if not credentials.is_source(path):
                self.excluded.append(Excluded(path, CREDENTIAL))
                return
            self._problems.wrong_folder(
                f"{path} line {line} holds {secret}, which everybody could read in the image. Let the program take it "
                "from a variable (input secrets), or give it a role (task-role). "
                f"If it is none, a line !{path} in .dockerignore takes the file in."
            )
        yield ProgramFile(path, size, bool(mode & stat.S_IXUSR), digest.hexdigest())


_LINE_BREAKING = ("Cc", "Zl", "Zp")  # control characters, line and paragraph separators


def _real(path: Path) -> Path:
    # Path.resolve() raises for links in a circle.
    return Path(os.path.realpath(path))


def _is_plain(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return not any(unicodedata.category(char) in _LINE_BREAKING for char in path)
