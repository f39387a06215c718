"""The choice of a program's runner mode."""

import os
import socket
from contextlib import closing
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Type, Union

from model_runner.command import CommandMode
from model_runner.imports import Scan, Script, find_script, scan
from model_runner.kept import KeptMode
from model_runner.library import LibraryMode
from model_runner.process_state import Imports
from model_runner.resident import ResidentMode
from model_runner.room import Room
from model_runner.self_test import KEPT_PROCESSES, NEW_PROCESSES, Sample, UnprovedError, prove, prove_cold, prove_kept
from model_runner.warm import START_SECONDS, UnfitError, WarmMode

LIBRARY = "gravityai"
MODES = ("auto", "command", "warm", "resident", "library")
#: For programs of the library, the fastest first.
KEPT = {LibraryMode.name: LibraryMode, ResidentMode.name: ResidentMode}  # type: Dict[str, Type[KeptMode]]
Mode = Union[CommandMode, WarmMode, KeptMode]


class Choice(NamedTuple):
    """A started mode."""

    mode: Mode
    #: Why it is not a faster one; "": nothing is to be said.
    reason: str = ""
    #: What the self-test found, for other runners of the image (see `self_test.read_record`); None: nothing.
    record: Optional[Dict[str, Any]] = None


def choose(
    manifest: Dict[str, Any],
    wanted: str,
    connection: socket.socket,
    room: Room,
    record: Dict[str, Any],
    is_proved: bool = False,
) -> Choice:
    """Return the mode for this program.

    Args:
        is_proved: `record` is of this container.
    """
    directory = manifest["working_directory"]
    command = list(manifest["command"])
    script = find_script(command)
    found, problem = read(script)
    uses_library = bool(manifest.get("uses_library")) or (found is not None and LIBRARY in found.names)
    if script is not None and uses_library and script.arguments[:1] != ("run",):
        command.insert(len(command) - len(script.arguments), "run")
    told = None
    if wanted == "command":
        reason = "as asked"
    elif script is None:
        reason = "because the command is not `python script ...`"
    elif wanted in KEPT:
        return Choice(KEPT[wanted](script, directory, connection), "as asked")
    elif uses_library and wanted == "auto":
        return earn_kept(manifest, command, script, connection, room, record, is_proved)
    elif uses_library:
        reason = "because the program uses {}: it can be library or resident".format(LIBRARY)
    elif found is None:
        reason = "because {}".format(problem)
    else:
        try:
            if wanted == "warm":
                return Choice(WarmMode(script, directory, connection, imports=(), check=False), "as asked")
            return earn(manifest, script, found, connection, room, record, is_proved)
        except UnprovedError as error:
            reason = "because {}".format(error)
        except UnfitError as error:
            reason = "because {}".format(error)
            told = {"reason": str(error)}
    return Choice(CommandMode(command, directory, connection), reason, told)


def earn(
    manifest: Dict[str, Any],
    script: Script,
    found: Scan,
    connection: socket.socket,
    room: Room,
    record: Dict[str, Any],
    is_proved: bool,
) -> Choice:
    """Return mode `warm` if proved, else raise UnfitError."""
    directory = manifest["working_directory"]
    if found.change:
        raise UnfitError(found.change)
    if record.get("reason"):
        raise UnfitError(record["reason"])

    def start(imports: Imports, seconds: float) -> WarmMode:
        return WarmMode(script, directory, connection, imports=imports, check=True, seconds=seconds)

    if is_proved:
        return Choice(start(record["imports"], START_SECONDS), "", record)
    with open_sample(manifest, room) as sample:
        warm = prove(sample, CommandMode(manifest["command"], directory, connection), start, record.get("imports"))
    return Choice(warm, "", {"imports": [name for name in warm.imports if isinstance(name, str)]})


def earn_kept(
    manifest: Dict[str, Any],
    command: List[str],
    script: Script,
    connection: socket.socket,
    room: Room,
    record: Dict[str, Any],
    is_proved: bool,
) -> Choice:
    """Return the fastest mode that the sample proves.

    Without a proof it is `resident`, as the library is meant; `command` if the sample has another result in that.
    """
    directory = manifest["working_directory"]
    known = str(record.get("mode", ""))

    def cold() -> CommandMode:
        return CommandMode(command, directory, connection)

    def start(name: str) -> KeptMode:
        return KEPT[name](script, directory, connection)

    if known and (is_proved or known != LibraryMode.name):
        return Choice(start(known) if known in KEPT else cold(), record.get("reason", ""), record)
    try:
        with open_sample(manifest, room) as sample:
            prove_cold(sample, cold(), 1 if known else NEW_PROCESSES)
            name, mode, reason = fastest_kept(sample, start, 1 if known else KEPT_PROCESSES)
            return Choice(mode or cold(), reason, {"mode": name, "reason": reason})
    except UnfitError as error:
        reason = "because {}".format(error)
        told = {"mode": ResidentMode.name, "reason": reason}
        return Choice(start(ResidentMode.name), reason, None if isinstance(error, UnprovedError) else told)


def fastest_kept(
    sample: Sample, start: Callable[[str], KeptMode], processes: int
) -> Tuple[str, Optional[KeptMode], str]:
    """Return the fastest mode's name, the mode if started, and why not a faster one.

    Raises:
        UnfitError: there was no time to find out.
    """
    reason = ""
    for name in KEPT:
        try:
            return name, prove_kept(sample, partial(start, name), processes), reason
        except UnfitError as error:
            if sample.left() == 0:
                raise
            reason = reason or "because {}".format(error)
    return CommandMode.name, None, reason


def open_sample(manifest: Dict[str, Any], room: Room) -> "closing[Sample]":
    if not manifest.get("sample"):
        raise UnprovedError("there is no sample in the image to prove a faster mode with")
    return closing(Sample(os.path.join(manifest["working_directory"], manifest["sample"]), room))


def read(script: Optional[Script]) -> Tuple[Optional[Scan], str]:
    """Return what the script imports; None, and why, if unreadable."""
    if script is None:
        return None, ""
    try:
        return scan(script.path), ""
    except SyntaxError as error:
        return None, "{} line {} is not valid here: {}".format(script.path, error.lineno, error.msg)
    except (OSError, ValueError) as error:
        return None, "{} cannot be read: {}".format(script.path, error)
