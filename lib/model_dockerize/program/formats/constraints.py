"""Translates version constraints into PEP 440."""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from model_dockerize.program.formats.folder import UnusableError

_CARET = re.compile(r"\^\s*(\d+(?:\.\d+)*)(\S*)")
_TILDE = re.compile(r"~(?!=)\s*(\d+(?:\.\d+)*)(\S*)")
_PLAIN = re.compile(r"={0,1}(\d[\w.!+*-]*)")


def pep440(constraint: str, file: str, what: str) -> str:
    """Translate Poetry's constraint; of alternatives (`||`) the last counts."""
    last = re.split(r"\s*\|\|?\s*", constraint.strip())[-1]
    parts = [part for part in re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", last) if part and part != "*"]
    text = ",".join(_translated(part) for part in parts)
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise UnusableError(f"{file}: {constraint!r} of {what} is no version constraint.") from error


def conda_python(spec: str) -> str:
    """Translate conda's version, such as `=3.11`; empty if unknown."""
    # After another space or `=` stands a build: `3.11.4 h1_0`, `==3.11.4=h1_0`.
    version = re.sub(r"(?<=[\w*])(?:=| +(?=\w))[^=<>!~,]*$", "", spec.strip())
    clauses = []
    for clause in version.replace(" ", "").split(","):
        if match := re.fullmatch(r"=?(\d+(?:\.\d+)*)(?:\.\*|\*)?", clause):
            clauses.append(f"=={match[1]}.*")
        elif clause:
            clauses.append(clause)
    try:
        return str(SpecifierSet(",".join(clauses)))
    except InvalidSpecifier:
        return ""


def _translated(part: str) -> str:
    if match := _CARET.fullmatch(part):
        numbers = [int(number) for number in match[1].split(".")]
        significant = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        return f">={match[1]}{match[2]},<{_next(numbers[: significant + 1])}"
    if match := _TILDE.fullmatch(part):
        return f">={match[1]}{match[2]},<{_next([int(number) for number in match[1].split('.')][:2])}"
    if match := _PLAIN.fullmatch(part):
        return f"=={match[1]}"
    return part


def _next(numbers: list[int]) -> str:
    return ".".join(map(str, (*numbers[:-1], numbers[-1] + 1)))
