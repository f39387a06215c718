"""Finds a failure's cause and remedy in tools' output."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from model_dockerize.image.causes.building import BUILDING, EITHER, RUNNING
from model_dockerize.image.causes.cause import DEBIAN, Cause
from model_dockerize.image.causes.installing import INSTALLING

_LOGIN = "run `docker login`, and build again"
# The Action does not see the job's login, but its engine is the runner's and keeps what was pulled.
_LOGIN_OF_A_JOB = "run `docker login` and `docker pull BASE-IMAGE` in a step before this one"
# What pip and uv print of the package that they are at.
_AT = re.compile(
    r"^\s*(?:error: |cause: )?(?:(?:Collecting|Processing|Building wheel for|Building wheels for collected packages:|"
    r"Failed to (?:download and build|download|build)) `?|Building (?=\S+(?:==| @ )))"
    r"(?P<package>[A-Za-z0-9./][\w./-]*(?:\[[\w, -]*\])?(?:==[\w.!+]+)?)",
    re.MULTILINE,
)
_WIDEST, _LONGEST = 8_000, 200_000  # characters of a line, and of all, in which a cause is looked for
_FRAMES = re.compile(r"^(?P<indent>.*?)Traceback \(most recent call last\):")


@dataclass(frozen=True)
class Diagnosis:
    """A failure's cause. Without a `sentence`, quote the tool's own words."""

    sentence: str = ""
    remedy: str = ""
    line: str = ""  # the one of the evidence that tells


def diagnose(step: str, evidence: Iterable[str], *, runs_in_action: bool = False) -> Diagnosis:
    installing = INSTALLING if "] RUN " in step else ()
    found = _first((*installing, *BUILDING, *EITHER), (step, *evidence))
    login = _LOGIN_OF_A_JOB if runs_in_action else _LOGIN
    return replace(found, remedy=found.remedy.replace("{login}", login))


def diagnose_program(evidence: Iterable[str]) -> Diagnosis:
    return _first((*EITHER, *RUNNING), evidence)


def without_frames(lines: Iterable[str]) -> list[str]:
    """Drop the frames of Python's tracebacks."""
    kept: list[str] = []
    indent: str | None = None
    for line in lines:
        begins = _FRAMES.match(line)
        if begins:
            indent = begins["indent"]
        elif indent is None or not line.startswith(f"{indent} "):
            indent = None
            kept.append(line)
    return kept


def _first(causes: Iterable[Cause], evidence: Iterable[str]) -> Diagnosis:
    words = "\n".join(line[:_WIDEST] for line in evidence)[-_LONGEST:]
    for cause in causes:
        found = re.search(cause.sign, words, re.IGNORECASE | re.MULTILINE)
        if found:
            return _diagnosis(cause, found, words)
    return Diagnosis()


def _diagnosis(cause: Cause, found: re.Match[str], words: str) -> Diagnosis:
    said = {name.rstrip("23456789"): text for name, text in found.groupdict().items() if text}
    known = {"package": _package(words, found.start()), **said}
    if "thing" in known:
        known["debian"] = _debian(known["thing"].rpartition("/")[2])
    # A sign of several lines names its thing in the one that tells.
    at = max((found.start(name) for name in found.groupdict() if name.startswith("thing")), default=-1)
    begin = words.rfind("\n", 0, at if at >= 0 else found.start()) + 1
    line = words[begin:].partition("\n")[0].strip()
    return Diagnosis(_fill(cause.sentence, known), _fill(cause.remedy, known), line)


def _package(words: str, before: int) -> str:
    named = [match["package"] for match in _AT.finditer(words)]
    earlier = [match["package"] for match in _AT.finditer(words, 0, before)]
    return next((name for names in (earlier[::-1], named) for name in names), "a package")


def _debian(thing: str) -> str:
    holder = f"the Debian package that holds {thing} (`apt-file search {thing}`)" if "." in thing else thing.lower()
    return DEBIAN.get(thing, holder)


def _fill(text: str, known: dict[str, str]) -> str:
    # Not str.format: what tools print is no template of ours.
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], match[0]), text)
