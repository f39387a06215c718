"""Reads a job's progress from its program's lines."""

import re
from collections.abc import Sequence

_STEPS = re.compile(r"(?<![\d./])(\d{1,9})\s*(?:/|of)\s*(\d{1,9})(?![\d./])", re.ASCII)
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,4})?)\s?%", re.ASCII)


def share(lines: Sequence[str]) -> float | None:
    """Return the part done, 0 to 1, by the newest line."""
    for line in reversed(lines):
        for done, total in reversed(_STEPS.findall(line)):
            if int(total) > 0 and int(done) <= int(total):
                return int(done) / int(total)
        for percent in reversed(_PERCENT.findall(line)):
            if float(percent) <= 100:
                return float(percent) / 100
    return None
