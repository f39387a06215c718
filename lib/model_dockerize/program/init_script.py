"""Finds what an init script reads: only changes of that rerun it."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from model_dockerize.program.files import Listing

#: Commands that fetch and install. They read no file of the folder but those that are named to them.
_FETCHING = frozenset(
    ("apt", "apt-get", "curl", "echo", "export", "mkdir", "pip", "pip3", "python", "python3", "set", "true", "wget")
)
_CLEANS = re.compile(r"\brm -rf /var/lib/apt/lists/\*(?=\s|;|$)")
_QUOTED = re.compile(r"""'[^'\n]*'|"[^"$`\\\n]*\"""")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_SEPARATOR = re.compile(r"&&|\|\||[;|\n]")
#: What a shell makes other words, lines or files of.
_EXPANDED = re.compile(r"""[$`*?\[\]{}~<>()&\\'"]""")
#: The whole folder, or what is outside of it.
_WHOLE = re.compile(r"(?:^|.*=)(?:\.{1,2}/?|-)|.*\.\..*|/program.*")
#: Ways of Python to read files or modules that are not named.
_UNNAMED = re.compile(
    r"\b(?:glob|rglob|listdir|scandir|walk|iterdir|import_module|__import__|exec|eval|runpy|chdir|getcwd|cwd|subprocess|"
    r"system|popen|find_packages)\b"
)
_WORD = re.compile(r"[\w.-]+")
#: Only code and lists: what a script may change of the folder's other files must not be copied over afterwards.
_KINDS = (".py", ".txt")


def reads(name: str, script: str, listing: Listing, content: Callable[[str], str]) -> tuple[str, ...] | None:
    """Return the script and the files that it reads; None: any."""
    if not _only_fetches(script) or _UNNAMED.search(script):
        return None
    paths = [file.path for file in listing.files if file.path != name]
    found, todo = {name}, [script]
    while todo:
        dotted = _WORD.findall(todo.pop())
        words = {*dotted, *(part for word in dotted for part in word.split("."))}
        for path in paths:
            if path in found or not _is_named(path, words):
                continue
            if not path.endswith(_KINDS):
                return None
            text = content(path)
            if _UNNAMED.search(text):
                return None
            found.add(path)
            todo.append(text)
    return tuple(sorted(found))


def _only_fetches(script: str) -> bool:
    # Known commands, and nothing that a shell would expand.
    plain = _CLEANS.sub("true", _COMMENT.sub("", _QUOTED.sub("quoted", script.replace("\\\n", " "))))
    commands = [command.split() for command in _SEPARATOR.split(plain)]
    return not _EXPANDED.search(_SEPARATOR.sub(" ", plain)) and all(
        words[0] in _FETCHING and not any(_WHOLE.fullmatch(word) for word in words[1:]) for words in commands if words
    )


def _is_named(path: str, words: set[str]) -> bool:
    parts = PurePosixPath(path).parts
    module = parts[-1].removesuffix(".py")
    return parts[-1] in words or not words.isdisjoint(parts[:-1]) or (parts[-1].endswith(".py") and module in words)
