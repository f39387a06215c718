"""Recognizes files with credentials by name and content."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

#: In lower case.
NAMES = (
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "id_rsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".aws",
    ".ssh",
    "awsconfig.ini",
    "aws_config.ini",
    "aws-config.ini",
    "credentials",
    "credentials.csv",
    "*accesskeys.csv",
    "rootkey.csv",
    ".netrc",
    ".pypirc",
    ".git-credentials",
    "pip.conf",
    "pip.ini",
    "*.gai_key",
)
PATHS = (".docker/config.json",)
#: Bytes of the largest file that is searched: keys stand in small ones.
MOST_SEARCHED = 1 << 20
_SOURCES = (".py", ".r", ".sh", ".jl")

# AWS's documentation writes EXAMPLE into keys that are none. Each kind: words in lower case of which one must be there,
# which is a fast look, and the pattern.
_KINDS = {
    "an AWS access key": (
        (b"akia", b"asia"),
        re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}(?![A-Z0-9])"),
    ),
    "an AWS secret access key": (
        (b"secret",),
        re.compile(
            rb"(?:aws[_-]?secret[_-]?(?:access[_-]?)?key|secret[_-]?access[_-]?key)"
            rb"[\"']?\s*[=:,]\s*[\"']?(?![a-z0-9/+]*EXAMPLE)[a-z0-9/+]{40}(?![a-z0-9/+=])",
            re.IGNORECASE,
        ),
    ),
    "a private key": (
        (b"private key",),
        re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/]"),
    ),
    "a token of GitHub": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b"),
    ),
}


def is_named_so(path: str) -> bool:
    """Tell whether a path is named like a secret."""
    lower = path.lower()
    name = lower.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in NAMES) or any(f"/{lower}".endswith(f"/{p}") for p in PATHS)


def found_in(path: str, content: bytes) -> tuple[str, int]:
    """Return the kind of a file's secret and its line (1-based), else "" and 0."""
    text = content.replace(b"\0", b"")  # PowerShell writes two bytes a letter
    lower = text.lower()
    for kind, (words, pattern) in _KINDS.items():
        if any(word in lower for word in words) and (match := pattern.search(text)):
            return kind, text.count(b"\n", 0, match.start()) + 1
    if path.lower().endswith(".json") and b"private_key" in lower and _is_service_account(text):
        return "the key of a service account", 1
    return "", 0


def is_source(path: str) -> bool:
    """Tell whether a program would break without the file."""
    return PurePosixPath(path).suffix.lower() in _SOURCES


def any_case(pattern: str) -> str:
    """Return a .dockerignore pattern for any letter case."""
    return "".join(f"[{char.upper()}{char}]" if char.isalpha() else char for char in pattern)


def _is_service_account(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "private_key" in document and "type" in document
