"""Runs a program of the `gravityai` library with jobs from the runner's socket.

    python [options of the command] stand_in.py DESCRIPTOR SCRIPT ARGUMENT...

All is as by `python [options] SCRIPT ARGUMENT...`, but for the library's `wait_for_requests`. The socket DESCRIPTOR
carries the library's WebSocket messages, one a line, without the statuses that a job has begun.

The function is written anew here, so it replaces only the version that it equals (docs/runner.md).
"""

import json
import os
import socket
import stat
import sys
import zlib
from typing import Any, Callable, Dict, List, Optional

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from model_runner import script

MODULE = "gravityai.gravityai"
#: Of the module's file in version 0.1.4.post2: bytes and check sum. Whoever forges one deceives his own program.
KNOWN = (13407, 3915072223)
OTHER = (
    "The gravityai library in the image is not version 0.1.4.post2, which runner mode library needs. "
    "Install that, or set runner-mode to auto or resident."
)
READ_BYTES = 65536
#: By hand, as `json` takes longer than a small function.
COMPLETE = '{{"requestId": {}, "status": "complete"}}\n'
encode = json.JSONEncoder().encode


class StandIn:
    """Puts our `wait_for_requests` into the library's module."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._library = None  # type: Any
        self._original = None  # type: Optional[Callable[[Any], None]]
        self._rest = b""
        self._waiting = []  # type: List[Dict[str, str]]
        self._waiter = None  # type: Any
        #: The folder of the last input as it was named and as it is, links resolved.
        self._folder = ("", "")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find the library's own module, once; see `importlib.abc.MetaPathFinder`."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)
        if spec is not None:
            if not is_known(spec.origin):
                sys.stderr.write(OTHER + "\n")
                sys.stderr.flush()
                os._exit(1)
            loader = spec.loader  # type: Any

            def exec_module(module: Any) -> None:
                del loader.exec_module
                loader.exec_module(module)
                self._library, self._original = module, module.wait_for_requests
                module.wait_for_requests = self.wait_for_requests

            loader.exec_module = exec_module
        return spec

    def wait_for_requests(self, handler: Any) -> None:
        """Call the program's function for each job, in asyncio as the library does."""
        library = self._library
        if library._port is None:  # the program has set its arguments to others than ours
            self._original(handler)  # type: ignore[misc]
            return
        library._request_handler = handler
        loop = library.asyncio.get_event_loop()
        loop.set_exception_handler(library.handle_loop_exception)
        try:
            loop.run_until_complete(self._listen(loop))
        except Exception as error:
            sys.stderr.write("Failed to start server: {}".format(error))
            library._print_gravity_message("Bad Port")
            sys.exit(2)
        loop.run_until_complete(self._serve(loop, library.asyncio.iscoroutinefunction(handler)))

    async def _listen(self, loop: Any) -> None:
        loop.add_reader(self._channel.fileno(), self._read)
        self._send(status="listening")

    async def _serve(self, loop: Any, is_async: bool) -> None:
        while True:
            if not self._waiting:
                self._waiter = loop.create_future()
                await self._waiter
            request = self._waiting.pop(0)
            try:
                error = await self._call(is_async, request["inputFile"], request["outputFile"])
            except BaseException:
                error = "Unhandle exception during processing"  # the library's spelling
            if os.getpid() != self._pid:  # a child that the function has made, and not ended
                sys.stderr.write(error or "")
                sys.exit(2 if error else 0)
            script.flush(sys.__stdout__)
            script.flush(sys.__stderr__)
            if error is None:
                self._channel.sendall(COMPLETE.format(encode(request["requestId"])).encode("ascii"))
            else:
                self._send(requestId=request["requestId"], status="error", error=error)

    async def _call(self, is_async: bool, source: str, target: str) -> Optional[str]:
        handler = self._library._request_handler
        if not callable(handler):
            return "Request Handler is not callable"
        try:
            if not is_file(source):
                return "Input file not found"
            if is_async:
                problem = await handler(source, target)
            else:
                problem = handler(self._resolve(source), self._resolve(target))
            if problem is not None and problem:
                return "Error returned during processing: {}".format(problem)
            if not is_file(target):
                return "Output file not generated during processing"
        except BaseException as error:
            return "Exception generated during processing: " + str(error)
        return None

    def _resolve(self, path: str) -> str:
        try:
            status = os.lstat(path)
        except OSError:
            return path
        if not stat.S_ISREG(status.st_mode):
            return os.path.realpath(path) if is_file(path) else path
        folder, name = os.path.split(path)
        if folder != self._folder[0]:
            self._folder = (folder, os.path.realpath(folder))
        return os.path.join(self._folder[1], name)

    def _read(self) -> None:
        if os.getpid() != self._pid:
            return
        try:
            data = self._channel.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)  # the runner is gone
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._waiting += [json.loads(line.decode("utf-8")) for line in lines]
        if self._waiting and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _send(self, **status: str) -> None:
        self._channel.sendall(json.dumps(status).encode("ascii") + b"\n")


def is_known(origin: Optional[str]) -> bool:
    try:
        with open(origin or "", "rb") as file:
            content = file.read(KNOWN[0] + 1)
    except OSError:
        return False
    return (len(content), zlib.crc32(content)) == KNOWN


def is_file(path: str) -> bool:
    """Tell whether this is a file, links followed, as `pathlib` does."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def begin(channel: socket.socket, path: str) -> Any:
    """Make this process what Python makes for a script; return its code."""
    at = len(getattr(sys, "orig_argv", ())) - len(sys.argv)
    del sys.argv[:2]
    options = []  # type: List[str]
    if hasattr(sys, "orig_argv"):
        del sys.orig_argv[at : at + 2]
        options = sys.orig_argv[1:at]
    try:
        code = script.load(path)
    except (OSError, SyntaxError, ValueError):
        os.execv(sys.executable, [sys.executable, *options, *sys.argv])  # noqa: S606 - Python shall say what is wrong
    del sys.path[0]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "model_runner"]:
        del sys.modules[name]  # the program may have a module of this name
    channel.set_inheritable(False)
    sys.meta_path.insert(0, StandIn(channel))
    return code


if __name__ == "__main__":
    sys.exit(script.run(begin(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, int(sys.argv[1])), sys.argv[2])))
