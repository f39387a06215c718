"""Advises on an answer that is not the expected one."""

from collections.abc import Iterable

_DIFFERS = "result: not the result of "


def remedy(evidence: Iterable[str]) -> str:
    """Return advice where a test's first answer differs from the expected one."""
    if not any(line.startswith(_DIFFERS) for line in evidence):
        return ""
    return (
        "Correct the program. Or, if the new answer is right: `model-dockerize smoke FOLDER --keep` writes it as the "
        "expected one."
    )
