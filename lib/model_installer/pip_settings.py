"""Reads pip's settings from configuration files and PIP_... variables.

Source: https://pip.pypa.io/en/stable/topics/configuration/
"""

import configparser
import os
from typing import Dict, Iterator, List, Mapping

_OF_ALL_USERS = "/etc/pip.conf"


def read(environment: Mapping[str, str], prefix: str) -> Dict[str, str]:
    """Return the settings of `pip install` by long options without dashes.

    Args:
        prefix: of the Python.
    Raises:
        configparser.Error, UnicodeDecodeError: a file is not pip's.
    """
    found = {}  # type: Dict[str, str]
    parsers = [_parse(path) for path in _files(environment, prefix) if os.path.isfile(path)]
    for section in ("global", "install"):  # what is said of a command counts more than what is said of all
        for parser in parsers:
            if parser.has_section(section):
                found.update((_option(key), value or "") for key, value in parser.items(section))
    for name, value in environment.items():
        if name.startswith("PIP_") and name not in ("PIP_CONFIG_FILE", "PIP_VERSION", "PIP_HELP"):
            found[_option(name[len("PIP_") :])] = value
    return found


def _files(environment: Mapping[str, str], prefix: str) -> Iterator[str]:
    # Later files win.
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    home = os.path.expanduser("~")
    folders = environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")  # type: List[str]
    yield from (os.path.join(folder, "pip", "pip.conf") for folder in folders)
    yield _OF_ALL_USERS
    if not os.path.exists(named):
        yield os.path.join(home, ".pip", "pip.conf")
        yield os.path.join(environment.get("XDG_CONFIG_HOME", os.path.join(home, ".config")), "pip", "pip.conf")
    yield os.path.join(prefix, "pip.conf")
    if named:
        yield named


def _parse(path: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return parser


def _option(name: str) -> str:
    plain = name.lower().replace("_", "-")
    return plain[2:] if plain.startswith("--") else plain
