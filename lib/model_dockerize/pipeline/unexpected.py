"""Advises on an answer that is not the expected one."""

import re
from collections.abc import Iterable

from model_dockerize.settings import Settings

#: How a smoke test says it of its first job, and a task of its own proof.
_DIFFERS = re.compile(r"result: not the result of |its model does not answer the sample: .*: not the result of ")


def remedy(evidence: Iterable[str], settings: Settings) -> str:
    """Return advice where a first answer differs from the expected one, which lies in the model's folder."""
    if settings.image.from_archive or not any(map(_DIFFERS.match, evidence)):
        return ""
    return (
        "Correct the program. Or, if the new answer is right: `model-dockerize smoke FOLDER --keep` writes it as the "
        "expected one."
    )
