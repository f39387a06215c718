"""Checks the inputs about who can reach a deployed model: their forms, and what does not go together."""

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

ANYWHERE = "0.0.0.0/0"
OPEN_PATHS = ("/health", "/ready", "/metrics")
#: Variable of the server: the key without a name, and the beginning of the others.
KEY = "MODEL_API_KEY"
#: Rules of a security group that one template has room for.
_MOST_BLOCKS = 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,39}", re.ASCII)


def key_variables(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read `ARN` or `NAME=ARN`, one for each key, as the variable that the server knows it by, and the ARN."""
    return tuple((f"{KEY}_{name.upper()}" if name else KEY, arn) for name, arn in map(_split, words))


def problems(parsed: Mapping[str, Any], given: Collection[str]) -> Iterable[tuple[str, str]]:
    """Yield names of inputs, and what is wrong with what they say. `given`: those that somebody wrote."""
    yield from _of_the_keys(parsed)
    yield from _of_the_blocks(parsed, given)
    paths = parsed["open-paths"] or ()
    if paths != ("none",) and (wrong := [path for path in paths if path not in OPEN_PATHS]):
        yield "open-paths", f"{', '.join(wrong)}: it may name {', '.join(OPEN_PATHS)}, or be none"
    elif "/health" not in paths and parsed["api-key"] and parsed["load-balancer"] != "false":
        yield "open-paths", "a load balancer asks for /health without an API key: name it"


def _of_the_keys(parsed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    words = parsed["api-key"] or ()
    if any(name and not _NAME.fullmatch(name) for name, _ in map(_split, words)):
        yield "api-key", "a name before = has letters, digits and _ (at most 40)"
    names = [name for name, _ in key_variables(words)]
    if len(set(names)) < len(names):
        yield "api-key", "several keys need a name each, NAME=ARN; one may have none, and sees all jobs"
    if words and parsed["smoke-url"] and parsed["smoke-test"] in (True, "service") and not parsed["smoke-api-key"]:
        yield "api-key", "smoke-url is asked from here, which takes a key: smoke-api-key"


def _of_the_blocks(parsed: Mapping[str, Any], given: Collection[str]) -> Iterable[tuple[str, str]]:
    blocks = parsed["allow-from"] or ()
    for block in blocks:
        if wrong := _wrong_block(block):
            yield "allow-from", wrong
    if not blocks and "allow-from" in given:
        yield "allow-from", "name one block at least"
    if len(set(blocks)) < len(blocks):
        yield "allow-from", "a block stands there twice"
    if len(blocks) > _MOST_BLOCKS:
        yield "allow-from", f"there is room for {_MOST_BLOCKS} blocks"
    if "allow-from" not in given:
        return
    if parsed["load-balancer"] not in ("true", "false"):
        yield "allow-from", "who reaches a load balancer that is there is a matter of its own security groups"
    elif parsed["security-groups"] and parsed["load-balancer"] == "false":
        yield "allow-from", "security-groups is given: who is admitted is a matter of theirs"


def _split(word: str) -> tuple[str, str]:
    name, equals, arn = word.partition("=")
    return ("", word) if word.startswith("arn:") or not equals else (name, arn)


def _wrong_block(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError as error:
        return f"{text!r} is not a block of IPv4 addresses like 203.0.113.0/24: {error}"
    return "" if "/" in text else f"{text!r} is one address: write {text}/32"
