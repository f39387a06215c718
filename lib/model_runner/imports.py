"""A script's command and imports, read, not run."""

import ast
import os
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

#: What later imports depend on. Whoever only reads them changes nothing.
_SETTINGS = frozenset({"environ", "meta_path", "path_hooks"})
_SETTINGS_OF_SYS = frozenset({"path", "modules"})
_READERS = frozenset({"get", "copy", "items", "keys", "values", "index", "count"})
_SETTERS = frozenset({"putenv", "unsetenv"})
_OPTIONS_WITH_VALUE = frozenset({"-W", "-X"})
_LOCAL_MODULES = 200


class Script(NamedTuple):
    python: str
    #: Of the interpreter, e.g. "-u".
    options: Tuple[str, ...]
    path: str
    #: What follows the script.
    arguments: Tuple[str, ...]


class Scan(NamedTuple):
    #: First names of all imported modules, also inside functions.
    names: Set[str]
    #: The first line that changes the environment or the import system, as "main.py line 3 changes os.environ"; "".
    change: str


def find_script(command: Sequence[str]) -> Optional[Script]:
    """Read `command` as `python [options] script.py ...`; None if it is none."""
    if not os.path.basename(command[0]).startswith("python"):
        return None
    at = 1
    while at < len(command) and command[at].startswith("-"):
        if command[at][1:2] in ("c", "m") or command[at] in ("-", "-i", "-V", "-h"):
            return None
        at += 2 if command[at] in _OPTIONS_WITH_VALUE else 1
    if at >= len(command) or "{input}" in command[at] or "{output}" in command[at]:
        return None
    return Script(command[0], tuple(command[1:at]), command[at], tuple(command[at + 1 :]))


def scan(path: str) -> Scan:
    """Read the script and every module of its folder that it imports.

    Raises:
        OSError, SyntaxError, ValueError: the script cannot be read.
    """
    folder = os.path.dirname(os.path.realpath(path))
    names = set()  # type: Set[str]
    change = ""
    waiting, seen = [path], {path}
    while waiting and len(seen) < _LOCAL_MODULES:
        current = waiting.pop(0)
        try:
            with open(current, "rb") as file:
                tree = ast.parse(file.read(), current)
        except (OSError, SyntaxError, ValueError):
            if current == path:
                raise
            continue
        for node in ast.walk(tree):
            names.update(name.partition(".")[0] for name in _imported(node))
            setting = _changed(node)
            if setting and not change:
                change = "{} line {} changes {}".format(os.path.basename(current), node.lineno, setting)  # type: ignore[attr-defined]
            for local in _local_files(folder, node):
                if local not in seen:
                    seen.add(local)
                    waiting.append(local)
    return Scan(names, change)


def _imported(node: ast.AST) -> List[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module]
    return []


def _changed(node: ast.AST) -> str:
    if isinstance(node, (ast.Assign, ast.Delete)):
        return next(filter(None, map(_target, node.targets)), "")
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return _target(node.target)
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Attribute):
            return (
                "os.environ" if called.attr in _SETTERS else "" if called.attr in _READERS else _setting(called.value)
            )
        return "os.environ" if isinstance(called, ast.Name) and called.id in _SETTERS else ""
    return ""


def _target(node: ast.AST) -> str:
    return _setting(node.value if isinstance(node, ast.Subscript) else node)


def _setting(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        in_sys = isinstance(node.value, ast.Name) and node.value.id == "sys" and node.attr in _SETTINGS_OF_SYS
        if in_sys or node.attr in _SETTINGS:
            return "{}.{}".format("os" if node.attr == "environ" else "sys", node.attr)
    return "os.environ" if isinstance(node, ast.Name) and node.id == "environ" else ""


def _local_files(folder: str, node: ast.AST) -> Iterator[str]:
    names = _imported(node)
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        names = [base] + [(base + "." if base else "") + alias.name for alias in node.names]
    for name in names:
        path = os.path.join(folder, *name.split("."))
        for candidate in (path + ".py", os.path.join(path, "__init__.py")):
            if os.path.isfile(candidate):
                yield candidate
