"""The log and files of an action as GitHub's runner reads them. Which of its source files a part mirrors: README.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# ExecutionContext.cs
ANNOTATIONS_OF_A_KIND = 10
LONGEST_MESSAGE = 4096
# CreateStepSummaryCommand
LARGEST_SUMMARY = 1024 * 1024

_STOP = "stop-commands"
_KNOWN = frozenset(("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice")) | {
    *("remove-matcher", "save-state", "set-env", "set-output", "warning", _STOP)
}
_V1 = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"}
_V2_DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_V2_PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


class FileCommandError(ValueError):
    """The runner fails the step: the file does not follow the grammar."""


@dataclass(frozen=True)
class Command:
    """One workflow command that the runner obeys."""

    name: str
    properties: Mapping[str, str]
    data: str


def parse_command(line: str, known: frozenset[str] = _KNOWN) -> Command | None:
    """Read `::name k=v,k=v::data` at the start of a line, or the old `##[name k=v;k=v]data` anywhere in it."""
    return _version_2(line, known) or _version_1(line, known)


def _version_2(line: str, known: frozenset[str]) -> Command | None:
    text = line.lstrip()
    end = text.find("::", 2)
    if not text.startswith("::") or end < 0:
        return None
    return _command(text[2:end], text[end + 2 :], known, ",", _V2_PROPERTY, _V2_DATA)


def _version_1(line: str, known: frozenset[str]) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    return _command(line[start + 3 : end], line[end + 1 :], known, ";", _V1, _V1)


def _command(
    head: str, data: str, known: frozenset[str], separator: str, in_properties: dict[str, str], in_data: dict[str, str]
) -> Command | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in {one.lower() for one in known}:
        return None
    pairs = (part.lstrip("=").split("=", 1) for part in rest.strip().split(separator) if part)
    properties = {pair[0].lower(): _unescaped(pair[1], in_properties) for pair in pairs if len(pair) == 2 and pair[1]}
    return Command(name, properties, _unescaped(data, in_data))


def _unescaped(text: str, escapes: dict[str, str]) -> str:
    # In the runner's order: the percent sign last.
    for written, meant in escapes.items():
        text = text.replace(written, meant)
    return text


@dataclass
class Log:
    """The log of one step, read line by line as the runner reads it."""

    commands: list[Command] = field(default_factory=list)  # those obeyed, but for stop-commands and its ends
    masks: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # what people see
    problems: list[str] = field(default_factory=list)
    _token: str = ""

    def feed(self, line: str) -> None:
        """Take one line of either stream of the container."""
        known = _KNOWN | {self._token} if self._token else _KNOWN
        command = parse_command(line, known)
        if command is None or (self._token and command.name.lower() != self._token.lower()):
            self.lines.append(self._masked(line))
        elif self._token:
            self._token = ""
            self.lines.append(self._masked(line))
        elif command.name.lower() == _STOP:
            self._stop(command.data)
            self.lines.append(self._masked(line))
        else:
            self._obey(command)

    def annotations(self, level: str) -> list[Command]:
        """Return the annotations that GitHub shows: the first ten, cut."""
        found = [command for command in self.commands if command.name.lower() == level]
        return [Command(one.name, one.properties, one.data[:LONGEST_MESSAGE]) for one in found[:ANNOTATIONS_OF_A_KIND]]

    def _stop(self, token: str) -> None:
        if not token or token.lower() in _KNOWN:
            self.problems.append(f"stop-commands with the token {token!r}")
            return
        self._token = token
        if len(token) > 6:
            self.masks.append(token)

    def _obey(self, command: Command) -> None:
        self.commands.append(command)
        if command.name == "add-mask":
            if not command.data.strip():
                self.problems.append("add-mask without a value")
                return
            self.masks += [command.data, *(line for line in command.data.splitlines() if line.strip())]
        elif command.name in ("error", "warning", "notice", "debug"):  # the last where debug logging is on
            self.lines.append(self._masked(f"{command.name}: {command.data}"))

    def _masked(self, line: str) -> str:
        for mask in sorted(self.masks, key=len, reverse=True):
            line = line.replace(mask, "***")
        return line


def parse_file(text: str) -> list[tuple[str, str]]:
    """Read GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE: `name=value` lines and `name<<DELIMITER` blocks.

    Raises:
        FileCommandError: with the reason that the runner gives.
    """
    return list(_pairs(text.removeprefix("\ufeff")))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    lines = text.split("\n")
    closed = [True] * (len(lines) - 1) + [False]  # whether a line break follows
    if lines and lines[-1] == "":
        lines.pop()
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line.split("=", 1)
            if not name:
                raise FileCommandError(f"Invalid format '{line}'. Name must not be empty")
            yield name, value
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            if not name or not delimiter:
                raise FileCommandError(f"Invalid format '{line}'. Name and delimiter must not be empty")
            end = _closing(lines, closed, index, delimiter)
            yield name, "\n".join(lines[index:end])
            index = end + 1
        else:
            raise FileCommandError(f"Invalid format '{line}'")


def _closing(lines: Sequence[str], closed: Sequence[bool], start: int, delimiter: str) -> int:
    for index in range(start, len(lines)):
        if lines[index] == delimiter:
            return index
        if not closed[index]:
            raise FileCommandError(f"Invalid value. EOF value is not terminated by a newline: {delimiter}")
    raise FileCommandError(f"Invalid value. Matching delimiter not found '{delimiter}'")


def shown_summary(text: str) -> str | None:
    """Return the part of a step's summary that GitHub shows: all; None: too large, dropped with an error."""
    return text if len(text.encode()) <= LARGEST_SUMMARY else None


def input_variable(name: str) -> str:
    """Return the variable of an input: blanks become underscores, hyphens stay (Handler.cs)."""
    return "INPUT_" + name.replace(" ", "_").upper()


def container_path(path: str, mappings: Sequence[tuple[str, str]]) -> str:
    """Return a host path as the container sees it; any other text as it is. The last mapping added is asked first."""
    for host, container in reversed(mappings):
        if path == host or path.startswith(host + "/"):
            return container + path.removeprefix(host)
    return path


def sanitised(image: str) -> str:
    """Return the image's name as part of the container's (NameValidation.Sanitize)."""
    return re.sub(r"[^A-Za-z0-9_]", "", image)
