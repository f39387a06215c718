"""The inputs about access to a deployed model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, ClassVar

from model_dockerize.patterns import pattern
from model_dockerize.settings.input import Input
from model_dockerize.settings.variables import ARN, ARN_MEANT

ANYWHERE = "0.0.0.0/0"
OPEN_PATHS = ("/health", "/ready", "/metrics")
#: Variable of the server: the key without a name, and the beginning of the others.
KEY = "MODEL_API_KEY"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,39}", re.ASCII)


def key_variables(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the server's variable and the ARN of each `ARN` or `NAME=ARN`."""
    return tuple((f"{KEY}_{name.upper()}" if name else KEY, arn) for name, arn in map(_split, words))


def _split(word: str) -> tuple[str, str]:
    name, equals, arn = word.partition("=")
    return ("", word) if word.startswith("arn:") or not equals else (name, arn)


def _wrong_key(word: str) -> str:
    name, arn = _split(word)
    if not ARN.fullmatch(arn):
        return f"one is not {ARN_MEANT}, or NAME=ARN. The key itself must not stand here."
    return "a name before = has letters, digits and _ (at most 40)" if name and not _NAME.fullmatch(name) else ""


def _wrong_block(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError as error:
        return f"{text!r} is not a block of IPv4 addresses like 203.0.113.0/24: {error}"
    return "" if "/" in text else f"{text!r} is one address: write {text}/32"


@dataclass(frozen=True)
class Access:
    """Access to the model."""

    TITLE: ClassVar = "Who reaches the model"

    allow_from: Annotated[
        tuple[str, ...],
        Input(
            "Who may connect to the model: blocks of IPv4 addresses, at most five, for the security group of "
            "its load balancer, or of its tasks where there is none. Empty: anybody (0.0.0.0/0) to a new "
            "model, and to others who may already.",
            rule=_wrong_block,
        ),
    ] = ()
    api_key: Annotated[
        tuple[str, ...],
        Input(
            "Who may ask the model: ARN of the secret that holds an API key, which sees all jobs; NAME=ARN "
            "for a client that sees only its own. Anybody who can connect when empty.",
            rule=_wrong_key,
            may_end=True,
            private=True,
        ),
    ] = ()
    open_paths: Annotated[
        tuple[str, ...],
        Input("What is answered without an API key and for any host: some of /health, /ready, /metrics, or none."),
    ] = ("/health", "/ready")
    allowed_hosts: Annotated[
        tuple[str, ...],
        Input(
            "Host names that the model answers for, e.g. models.example.com. Any when empty.",
            rule=pattern(
                r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*",
                "a host name or address without a port, like models.example.com",
            ),
            may_end=True,
        ),
    ] = ()
    job_list: Annotated[bool, Input("Show the list of jobs, in the API and on the pages.")] = True
    retention_days: Annotated[
        int, Input("How many days the service keeps jobs that are over, with their data. 0: forever.", least=0)
    ] = 30
