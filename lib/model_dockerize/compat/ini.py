"""Reads INI files: values, lines and unknown keys."""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.errors import InputError
from model_dockerize.inside import OutsideError, read_text, why_unread, workspace_of
from model_dockerize.nearest import did_you_mean

Sections = Mapping[str, tuple[str, ...]]
_SECTION = re.compile(r"\[(?P<name>.+)\]")
_KEY = re.compile(r"(?P<name>[^\s=:#;][^=:]*?)\s*[=:]")


@dataclass(frozen=True)
class Entry:
    """A value as written, and its place: `Config.ini, line 3, [ecr] version`."""

    text: str
    where: str


@dataclass(frozen=True)
class Ini:
    """An INI file's known values, and problems at `unknown` places."""

    path: Path
    entries: Mapping[tuple[str, str], Entry]
    unknown: tuple[tuple[str, str], ...]

    def get(self, section: str, key: str) -> Entry:
        """Return the value; if missing, "" and where it would stand."""
        return self.entries.get((section, key)) or Entry("", f"{self.path}, [{section}] {key}")


def read_ini(path: Path, known: Sections) -> Ini:
    """Read the file: keys in any case, values as they are (`%`, `;`, `#`)."""
    try:
        text = read_text(path, workspace_of(path), "utf-8-sig")
    except (OSError, OutsideError, UnicodeDecodeError) as error:
        remedy = "Save it as UTF-8." if isinstance(error, UnicodeDecodeError) else "Check the path."
        raise InputError(f"{path} cannot be read: {why_unread(error)}.", remedy) from error
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        raise InputError(
            f"{path} is not a valid INI file.",
            "Write sections as [name] and values as key = value, each once.",
            tuple(_problems(path, error)),
        ) from error
    lines = _lines(text)
    entries, unknown = {}, []
    for section in parser.sections():
        place = f"{path}, line {lines.get((section, ''), 1)}, [{section}]"
        if section not in known:
            unknown.append((place, f"there is no section of this name.{did_you_mean(section, known)}"))
            continue
        for key, value in parser.items(section):
            where = f"{path}, line {lines.get((section, key), 1)}, [{section}] {key}"
            if key in known[section]:
                entries[section, key] = Entry(value, where)
            else:
                unknown.append((where, f"there is no key of this name.{did_you_mean(key, known[section])}"))
    return Ini(path, entries, tuple(unknown))


def _lines(text: str) -> dict[tuple[str, str], int]:
    # A long value may hold a key again: the first line counts.
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if heading := _SECTION.match(line.strip()):
            section = heading["name"]
            found.setdefault((section, ""), number)
        elif key := _KEY.match(line.strip()):
            found.setdefault((section, key["name"].lower()), number)
    return found


def _problems(path: Path, error: configparser.Error) -> Iterator[str]:
    match error:
        case configparser.DuplicateSectionError():
            yield f"{path}, line {error.lineno}, [{error.section}]: the section stands in the file twice"
        case configparser.DuplicateOptionError():
            place = f"{path}, line {error.lineno}, [{error.section}] {error.option}"
            yield f"{place}: the key stands in the section twice"
        case configparser.MissingSectionHeaderError():
            yield f"{path}, line {error.lineno}: a value stands before the first [section]"
        case configparser.ParsingError():
            # The line's text is left out: it may be a secret.
            yield from (f"{path}, line {number}: neither [section] nor key = value" for number, _ in error.errors)
        case _:
            yield f"{path}: {error.message}"
