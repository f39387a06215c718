"""The choice of a program's runner mode."""

import os
import socket
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from model_runner.command import CommandMode
from model_runner.imports import Scan, Script, find_script, scan
from model_runner.process_state import Imports
from model_runner.resident import ResidentMode
from model_runner.room import Room
from model_runner.self_test import Sample, UnprovedError, prove
from model_runner.warm import START_SECONDS, UnfitError, WarmMode

LIBRARY = "gravityai"
MODES = ("auto", "command", "warm", "resident")
Mode = Union[CommandMode, WarmMode, ResidentMode]


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
        wanted: one of MODES.
        record: what an earlier self-test of this image has found.
        is_proved: that was here, in this container.
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
    elif wanted == "resident" or (wanted == "auto" and uses_library):
        return Choice(ResidentMode(script, directory, connection))
    elif uses_library:
        reason = "because the program uses {}: it can be resident".format(LIBRARY)
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
    """Return mode `warm` if the sample proves it.

    Raises:
        UnfitError: it is not right for this program, or that cannot be shown.
    """
    directory = manifest["working_directory"]
    if found.change:
        raise UnfitError(found.change)
    if record.get("reason"):
        raise UnfitError(record["reason"])
    if not manifest.get("sample"):
        raise UnprovedError("there is no sample in the image to prove a faster mode with")

    def start(imports: Imports, seconds: float) -> WarmMode:
        return WarmMode(script, directory, connection, imports=imports, check=True, seconds=seconds)

    if is_proved:
        return Choice(start(record["imports"], START_SECONDS), "", record)
    sample = Sample(os.path.join(directory, manifest["sample"]), room)
    try:
        warm = prove(sample, CommandMode(manifest["command"], directory, connection), start, record.get("imports"))
    finally:
        sample.close()
    return Choice(warm, "", {"imports": [name for name in warm.imports if isinstance(name, str)]})


def read(script: Optional[Script]) -> Tuple[Optional[Scan], str]:
    """Return what the script imports; None, and why, if it cannot be read."""
    if script is None:
        return None, ""
    try:
        return scan(script.path), ""
    except SyntaxError as error:
        return None, "{} line {} is not valid here: {}".format(script.path, error.lineno, error.msg)
    except (OSError, ValueError) as error:
        return None, "{} cannot be read: {}".format(script.path, error)
