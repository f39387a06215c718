"""Reads YAML files of sections, with the line of each key."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from model_dockerize.errors import InputError
from model_dockerize.inside import workspace_of
from model_dockerize.nearest import did_you_mean
from model_dockerize.patterns import Pattern
from model_dockerize.yaml_file import compose

_LONGEST_NUMBER = 9
_PLAIN = "it must be one plain value"
_MERGE = "tag:yaml.org,2002:merge"
_Entries = list[tuple[yaml.Node, yaml.Node]]


@dataclass
class Section:
    """A section; a wrong value is noted in `problems` and counts as not given."""

    where: str  # "BatchConfig.yml, line 3, job_def"
    file: Path
    name: str
    problems: list[str] = field(repr=False)
    nodes: dict[str, tuple[str, yaml.Node]] = field(default_factory=dict)  # right key -> key as written, value

    def has(self, key: str) -> bool:
        return key in self.nodes and not _is_empty(self.nodes[key][1])

    def is_list(self, key: str) -> bool:
        return key in self.nodes and isinstance(self.nodes[key][1], yaml.SequenceNode)

    def require(self, keys: Collection[str]) -> None:
        """Note all keys without a value."""
        self.problems += [f"{self.where}: {key} is missing or empty" for key in keys if not self.has(key)]

    def give(self, key: str, text: str) -> None:
        mark = yaml.Mark("", 0, 0, 0, "", 0)
        self.nodes[key] = (key, yaml.ScalarNode("tag:yaml.org,2002:str", text, mark, mark))

    def wrong(self, key: str, problem: str) -> None:
        written, node = self.nodes[key]
        line = node.start_mark.line + 1
        self.problems.append(f"{self.file}, line {line}, {self.name}.{written}: {problem}")

    def text(self, key: str, form: Pattern | None = None) -> str:
        """Return the text of this form; empty: not given."""
        if not self.has(key):
            return ""
        node = self.nodes[key][1]
        if not isinstance(node, yaml.ScalarNode):
            self.wrong(key, _PLAIN)
            return ""
        text: str = node.value.strip()
        if form and not form.regex.fullmatch(text):
            self.wrong(key, f"{text!r} is not {form.meaning}")
            return ""
        return text

    def number(self, key: str, least: int, most: int = 10**_LONGEST_NUMBER - 1) -> int | None:
        """Return the whole number; None: not given."""
        text = self.text(key)
        if not text:
            return None
        if not re.fullmatch(rf"[0-9]{{1,{_LONGEST_NUMBER}}}", text) or not least <= int(text) <= most:
            limit = f"from {least} to {most}" if most < 10**_LONGEST_NUMBER - 1 else f"of at least {least}"
            self.wrong(key, f"{text!r} is not a whole number {limit}")
            return None
        return int(text)

    def words(self, key: str, form: Pattern) -> tuple[str, ...]:
        """Return texts of this form; split a plain one."""
        if not self.has(key):
            return ()
        node = self.nodes[key][1]
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(item, yaml.ScalarNode) for item in items):
            self.wrong(key, "it must be a list of plain values")
            return ()
        words = [item.value for item in items] if self.is_list(key) else re.split(r"[\s,]+", node.value.strip())
        for word in (word for word in words if not form.regex.fullmatch(word)):
            self.wrong(key, f"{word!r} is not {form.meaning}")
        return tuple(words)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return pairs of a mapping or of AWS's `{name: ..., value: ...}`."""
        if not self.has(key):
            return ()
        node = self.nodes[key][1]
        found: list[tuple[str, str]] = []
        for name, value in _named_values(node):
            if not name or not isinstance(value, yaml.ScalarNode):
                self.wrong(key, "it must be a mapping of names to plain values, or a list of {name: ..., value: ...}")
                return ()
            if name in dict(found):
                self.wrong(key, f"{name} stands there twice")
            found.append((name, "" if _is_null(value) else value.value))
        return tuple(found)


def read_sections(
    path: Path, known: Mapping[str, Collection[str]], spelling: Callable[[str], str], problems: list[str]
) -> dict[str, Section]:
    """Return the file's sections with a value.

    Args:
        spelling: returns the known key for a written one.
    """
    return _sections(_mapping(path), path, known, spelling, problems)


def sections_of(
    values: Mapping[str, Any], known: Mapping[str, Collection[str]], spelling: Callable[[str], str], problems: list[str]
) -> dict[str, Section]:
    """Return sections of a program's values, as if from a file."""
    try:
        root = yaml.compose(yaml.safe_dump(dict(values)), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            "The dictionaries hold what no YAML can hold.", "Give texts, numbers, lists, mappings."
        ) from error
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - it was a dict
    return _sections(root, Path(), known, spelling, problems)


def _sections(
    root: yaml.MappingNode | None,
    path: Path,
    known: Mapping[str, Collection[str]],
    spelling: Callable[[str], str],
    problems: list[str],
) -> dict[str, Section]:
    sections: dict[str, Section] = {}
    for key, value in _entries(root) if root else ():
        name, line = _key(key), key.start_mark.line + 1
        where = f"{path}, line {line}, {name}"
        if name not in known:
            problems.append(f"{where}: there is no section of this name.{did_you_mean(name, known)}")
        elif name in sections:
            problems.append(f"{where}: the section stands in the file twice")
        elif isinstance(value, yaml.MappingNode):
            sections[name] = Section(where, path, name, problems)
            _read_keys(sections[name], value, known[name], spelling)
        elif not _is_empty(value):
            problems.append(f"{where}: it must hold `key: value` lines")
    return sections


def section_names(path: Path) -> set[str]:
    """Return the top-level keys; empty if unreadable."""
    try:
        root = _mapping(path)
    except InputError:
        return set()
    return {_key(key) for key, _ in _entries(root)} if root else set()


def _read_keys(
    section: Section, node: yaml.MappingNode, known: Collection[str], spelling: Callable[[str], str]
) -> None:
    for key, value in _entries(node):
        written, line = _key(key), key.start_mark.line + 1
        right = spelling(written)
        place = f"{section.file}, line {line}, {section.name}.{written}"
        if right not in known:
            section.problems.append(f"{place}: there is no key of this name.{did_you_mean(right, known)}")
        elif right in section.nodes:
            section.problems.append(f"{place}: the key stands in the section twice")
        else:
            section.nodes[right] = (written, value)


def _mapping(path: Path) -> yaml.MappingNode | None:
    node = compose(path, workspace_of(path))
    if node is None or _is_empty(node):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise InputError(
            f"{path} must hold sections, e.g. `job_def:`.", "Put each key under the section that it belongs to."
        )
    return node


def _entries(node: yaml.MappingNode) -> _Entries:
    """Put merge keys (`<<`) last."""
    return _merged(node, {})


def _merged(node: yaml.MappingNode, done: dict[int, _Entries]) -> _Entries:
    # Each mapping once, however often it is merged: nested, that would be a bomb.
    if id(node) in done:  # also the mapping that merges itself
        return done[id(node)]
    done[id(node)] = []
    found = [(key, value) for key, value in node.value if key.tag != _MERGE]
    seen = {_key(key) for key, _ in found}
    for merged in (value for key, value in node.value if key.tag == _MERGE):
        for other in merged.value if isinstance(merged, yaml.SequenceNode) else [merged]:
            if isinstance(other, yaml.MappingNode):
                fresh = [(key, value) for key, value in _merged(other, done) if _key(key) not in seen]
                seen.update(_key(key) for key, _ in fresh)
                found += fresh
    done[id(node)] = found
    return found


def _named_values(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the name "" for what is in no form of `pairs`."""
    if isinstance(node, yaml.MappingNode):
        yield from ((_key(key), value) for key, value in _entries(node))
        return
    for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        parts = {_key(key): value for key, value in _entries(item)} if isinstance(item, yaml.MappingNode) else {}
        name = parts.get("name")
        if parts.keys() == {"name", "value"} and isinstance(name, yaml.ScalarNode):
            yield name.value, parts["value"]
        else:
            yield "", node


def _key(node: yaml.Node) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else "?"


def _is_null(node: yaml.Node) -> bool:
    return node.tag.endswith(":null")


def _is_empty(node: yaml.Node) -> bool:
    return _is_null(node) or not node.value
