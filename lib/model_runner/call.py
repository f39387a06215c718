"""A job's command, and which of its files is the result.

{output}.png says how the output's name ends, {input}.csv the input's; without that, names have no ending.
"""

import os
import re
from typing import Any, Dict, List, Optional, Sequence

from model_runner.data import remove
from model_runner.room import is_file, names

_MARK = re.compile(r"\{(input|output)\}((?:\.\w+)*)", re.ASCII)
_MOST_NAMES = 10
NOTHING = "The program ended without an error but wrote no output file."
#: To follow it would be to read, with the runner's rights, whatever the program names.
LINK = "The program made a link at its output path. A result is a file: let the program copy what the link leads to."


class Call:
    """The words of a command."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        found = [mark for word in command for mark in _MARK.findall(word)]
        self._input_endings = sorted({ending for name, ending in found if name == "input" and ending})
        outputs = [ending for name, ending in found if name == "output"]
        self._output_ending = "" if "" in outputs else next(iter(outputs), "")

    def fill(self, request: Dict[str, Any]) -> List[str]:
        """Return a job's argv; link its input under every ending."""
        linked = request["output"] + "-input"
        for ending in self._input_endings:
            remove(linked + ending)
            os.symlink(os.path.abspath(request["input"]), linked + ending)

        def path(mark: "re.Match[str]") -> str:
            name, ending = mark.groups()
            base = request["output"] if name == "output" else linked if ending else request["input"]
            return "{}{}".format(base, ending)

        return [_MARK.sub(path, word) for word in self._command]

    def place(self, output: str) -> str:
        return output + self._output_ending


def settle(output: str, place: str) -> Optional[str]:
    """Move the result to `output`; return what is wrong."""
    written = next((path for path in (place, output) if is_file(path)), None)
    if written is None:
        folder, name = os.path.split(output)
        others = sorted(other for other in names(folder) if other.startswith(name + "."))
        others = [other for other in others if is_file(os.path.join(folder, other))]
        if len(others) != 1:
            return _problem(output, place, [other[len(name) :] for other in others])
        written = os.path.join(folder, others[0])
    if written != output:
        remove(output)
        try:
            os.rename(written, output)
        except OSError as failure:  # what the program may have done to the folder
            return "The program's output cannot be kept: {}.".format(failure.strerror)
    return None


def _problem(output: str, place: str, endings: List[str]) -> str:
    if os.path.islink(output) or os.path.islink(place):
        return LINK
    if endings:
        names = ", ".join("{output}" + ending for ending in endings[:_MOST_NAMES])
        return (
            "The program wrote no output file, but several beside it: {}. Name the one that is the result in the "
            "command.".format(names)
        )
    if os.path.isdir(output):
        return "The program made a folder at its output path. A result is one file: let the program pack the folder."
    return NOTHING
