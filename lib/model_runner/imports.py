"""What a script imports, read from its text. Nothing is run."""

import ast
import os
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

#: A line at module level that names one of these may change what later imports do, so they are left to the job.
_SETTINGS = frozenset({"environ", "putenv", "unsetenv", "meta_path", "path_hooks"})
_OPTIONS_WITH_VALUE = frozenset({"-W", "-X"})
_LOCAL_MODULES = 200

Module = Tuple[str, Tuple[str, ...]]  # name, and what is taken from it by `from name import ...`


class Script(NamedTuple):
    """A command that runs a Python script."""

    python: str
    #: Of the interpreter, e.g. "-u".
    options: Tuple[str, ...]
    path: str
    #: What follows the script.
    arguments: Tuple[str, ...]


class Scan(NamedTuple):
    """What was found in a script and in the modules of its own folder."""

    #: Installed modules that are imported before anything else happens, in order.
    modules: List[Module]
    #: First names of all imported modules, also inside functions.
    names: Set[str]
    #: The environment or the import system is changed somewhere.
    changes_settings: bool


def find_script(command: Sequence[str]) -> Optional[Script]:
    """Reads `command` as `python [options] script.py ...`; None if it is something else."""
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


def is_local(folder: str, name: str) -> bool:
    """Tells whether the folder of the script has a module `name` of its own."""
    path = os.path.join(folder, name)
    return os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py"))


def scan(path: str) -> Scan:
    """Reads the script at `path` and every module of its folder that it imports.

    Raises:
        OSError, SyntaxError, ValueError: the script cannot be read.
    """
    folder = os.path.dirname(os.path.abspath(path))
    found = Scan([], set(), False)
    changes = False
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
        changes = changes or any(_is_setting(node) for node in ast.walk(tree))
        for node in ast.walk(tree):
            found.names.update(name.partition(".")[0] for name, _ in _imported(node))
        for name, members in _early(tree.body):
            if not is_local(folder, name.partition(".")[0]):
                found.modules.append((name, members))
        for node in ast.walk(tree):
            for local in _local_files(folder, node):
                if local not in seen:
                    seen.add(local)
                    waiting.append(local)
    return found._replace(changes_settings=changes)


def _early(body: Sequence[ast.stmt]) -> Iterator[Module]:
    """The imports that a module does before anything that may change what an import does."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if any(_is_setting(node) for node in ast.walk(statement)):
            return
        if isinstance(statement, ast.Try):
            yield from _early(statement.body)
        elif not isinstance(statement, ast.If):
            yield from _imported(statement)


def _imported(node: ast.AST) -> Iterator[Module]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, ()
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and node.module != "__future__":
        yield node.module, tuple(alias.name for alias in node.names if alias.name != "*")


def _is_setting(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        in_sys = isinstance(node.value, ast.Name) and node.value.id == "sys"
        return node.attr in _SETTINGS or (in_sys and node.attr in ("path", "modules"))
    return isinstance(node, ast.Name) and node.id in _SETTINGS


def _local_files(folder: str, node: ast.AST) -> Iterator[str]:
    names = [name for name, _ in _imported(node)]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        names = [base] + [(base + "." if base else "") + alias.name for alias in node.names]
    for name in names:
        path = os.path.join(folder, *name.split("."))
        for candidate in (path + ".py", os.path.join(path, "__init__.py")):
            if os.path.isfile(candidate):
                yield candidate
