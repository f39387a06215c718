"""Runs the model's program, job by job, for the model server.

    python runner.py DESCRIPTOR MANIFEST

DESCRIPTOR is a Unix socket to the server, which says first where jobs have their place. This process answers how it
will run the program, and then one request at a time, JSON lines:

    -> {"folder": path or null, "hidden": path or null, "is_own_user": bool, "record": of an earlier runner}
    <- {"mode": text, "record": what the self-test found (choice.Choice)}
    -> {"job": id, "input": path, "output": path, "timeout": seconds, "memory_mib": limit, "output_bytes": limit,
        "small_bytes": limit, "content": size or null, "told": id or absent}
    <- {"said": [text], "job": id}, now and then if "told" is there: what the program printed last
    <- {"job": id, "status": "complete" | "error" | "refused", "exit": code or null, "error": text or null,
        "seconds": float, "errno": number or null, "content": size or null}

Where "content" is a size, so many bytes follow: the input, at its path only while the job runs, or an output of at
most "small_bytes", taken away from its path. If the input cannot be written, the job is refused before it begins, and
"errno" says why.

"folder" is made, and all in it but the output is removed after a job; with null, input and output lie elsewhere.
"hidden" holds the server's data: where the kernel can hide it, the program sees only "folder" in it. "is_own_user":
no other process has this user, so what is his in /tmp is a job's (room.py).

"memory_mib" and "output_bytes" of 0, or none, are no limit; without "small_bytes" no output comes with a reply.
MANIFEST is the image's model.json; "command", "working_directory", "runner_mode", "sample" and "uses_library" are read
from it. The program's lines are copied to standard output behind the job's id. It ends when the server goes away.

MODEL_RUNNER_MODE names a mode (command.py, warm.py, resident.py, library.py) or `auto`, and overrides "runner_mode".
The model's interpreter may be as old as Python 3.6: standard library only, no newer syntax.
"""

import errno
import json
import os
import signal
import socket
import sys
import time
from typing import Any, Dict, Optional, Sequence, Tuple

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from model_runner.choice import MODES, Mode, choose
from model_runner.data import remove, show, take_output, write_input
from model_runner.job import decode, encode
from model_runner.kept import KeptMode
from model_runner.landlock import confine
from model_runner.logs import log
from model_runner.processes import adopt_orphans, death_signal_setter, hide_memory, kill_orphans
from model_runner.room import Room
from model_runner.self_test import read_record

#: All wait for the server's one loop: where processors are short it goes before its programs (docs/adr/0015).
NICENESS = 10


def answer(mode: Mode, room: Room, request: Dict[str, Any], given: Optional[bytes]) -> bytes:
    """Do one job and return the reply."""
    started = time.monotonic()
    if given is not None:
        try:
            write_input(request["input"], given)
        except OSError as failure:
            remove(request["input"])
            return reply(request, "refused", started, number=failure.errno or errno.EIO)
    code, error = mode.run(request)
    content = None
    if given is not None:
        remove(request["input"])
    if error is None:
        try:
            if request.get("small_bytes"):
                content = take_output(request["output"], request["small_bytes"])
            if content is None:
                show(request["output"])
        except OSError as failure:
            error = "The program's output cannot be kept: {}.".format(failure.strerror)
    room.clear(request["output"])
    return reply(request, "complete" if error is None else "error", started, code, error, content=content)


def reply(
    request: Dict[str, Any],
    status: str,
    started: float,
    code: Optional[int] = None,
    error: Optional[str] = None,
    number: Optional[int] = None,
    content: Optional[bytes] = None,
) -> bytes:
    line = (
        '{{"job": {}, "status": "{}", "exit": {}, "error": {}, "seconds": {:.6f}, "errno": {}, "content": {}}}'.format(
            encode(request["job"]),
            status,
            "null" if code is None else code,
            "null" if error is None else encode(error),
            time.monotonic() - started,
            "null" if number is None else number,
            "null" if content is None else len(content),
        )
    )
    return line.encode("utf-8") + b"\n" + (content or b"")


def receive(connection: socket.socket) -> Tuple[Dict[str, Any], Optional[bytes]]:
    """Return a request and its input; the server then waits for the reply."""
    data = more(connection)
    while b"\n" not in data:
        data += more(connection)
    line, _, content = data.partition(b"\n")
    request, _ = decode(line.decode("utf-8"))
    size = request.get("content")
    if size is None:
        return request, None
    while len(content) < size:
        content += more(connection)
    return request, content


def more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise EOFError("the server is gone")
    return data


def serve(connection: socket.socket, mode: Mode, room: Room) -> None:
    try:
        while True:
            mode.attend()
            connection.sendall(answer(mode, room, *receive(connection)))
            if not isinstance(mode, KeptMode):  # its program goes on, with what it has
                room.renew()
    except (EOFError, ConnectionError):
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this is the end that it asks for
    mode.stop()
    kill_orphans(())
    room.leave()


def lower_priority() -> None:
    try:
        os.nice(NICENESS)
    except OSError:
        pass  # a sandbox may forbid it


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("usage: runner.py DESCRIPTOR MANIFEST\n")
        return 2
    hide_memory()
    # Whether the server was gone before that, the connection will tell.
    death_signal_setter(signal.SIGTERM, os.getppid())()
    with open(arguments[1], encoding="utf-8") as file:
        manifest = json.load(file)
    wanted = os.environ.get("MODEL_RUNNER_MODE", "").strip() or manifest.get("runner_mode") or "auto"
    if wanted not in MODES:
        log("runner: MODEL_RUNNER_MODE={} is not one of {}; it counts as auto".format(wanted, ", ".join(MODES)))
        wanted = "auto"
    # Ctrl+C goes to the server, which drains. Not ignored: the program would inherit that.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    lower_priority()
    adopt_orphans()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, int(arguments[0])) as connection:
        connection.set_inheritable(False)
        try:
            place, _ = receive(connection)
            room = Room(place)
        except (EOFError, ConnectionError):
            log("runner: the server is gone")
            return 1
        except OSError as error:
            log("runner: there is no place for jobs: {}: {}".format(error.filename, error.strerror))
            return 1
        os.environ["HOME"] = room.home
        hide(place)
        try:
            os.chdir(manifest["working_directory"])
        except OSError:
            pass  # the mode `command` says so, in every job

        def on_terminate(number: int, _frame: object) -> None:
            # Not by way of the mode: it may be in the midst of waiting for its program, which it cannot do twice.
            kill_orphans(())
            room.leave()
            os._exit(128 + number)

        signal.signal(signal.SIGTERM, on_terminate)
        try:
            mine = place.get("record")
            known = mine or read_record(arguments[1])
            mode, reason, record = choose(manifest, wanted, connection, room, known, is_proved=bool(mine))
        except EOFError:  # in the midst of the self-test
            kill_orphans(())
            room.leave()
            return 1
        name = "{} ({})".format(mode.name, reason) if reason else mode.name
        log("runner: mode {}, Python {} at {}".format(name, sys.version.split()[0], sys.executable))
        connection.sendall((json.dumps({"mode": name, "record": record}) + "\n").encode("utf-8"))
        room.settle()
        serve(connection, mode, room)
    return 0


def hide(place: Dict[str, Any]) -> None:
    if place["hidden"] is None:
        return
    problem = confine(place["hidden"], *filter(None, [place["folder"]]))
    if problem:
        what = "by file permissions alone" if place["is_own_user"] else "not at all"
        log("runner: the server's data is kept from the program {}: {}".format(what, problem))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
