"""Advises on an answer that is not the expected one."""

import re
from collections.abc import Iterable

from model_dockerize.settings import Settings

#: How a smoke test says it of its first job, and a task of its own proof.
_DIFFERS = re.compile(r"result: not the result of |its model does not answer the sample: .*: not the result of ")
_VARIES = re.compile(r"repeat: not the result of ")


_TWO_ANSWERS = (
    "Correct the program: it answered its sample as expected, and then the same sample otherwise. Set the seed of its "
    "random numbers, and keep nothing from job to job. Or remove smoke/expected.*: then any answer passes."
)
_NEW_ANSWER = (
    "Correct the program. Or, if the new answer is right: `model-dockerize smoke FOLDER --keep` writes it as the "
    "expected one."
)


def remedy(evidence: Iterable[str], settings: Settings) -> str:
    """Return advice where an answer differs from the expected one, which lies in the model's folder."""
    lines = list(evidence)
    if settings.image.from_archive:
        return ""
    if any(map(_VARIES.match, lines)):
        return _TWO_ANSWERS
    return _NEW_ANSWER if any(map(_DIFFERS.match, lines)) else ""
