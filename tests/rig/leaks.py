"""Looks for secrets in everything that tests make: a test that lets one out fails, whatever else it checks.

Secrets that tests hand in are `planted`: they hold a mark that nothing else on this computer holds. Secrets that the
product itself names to a Progress (registry passwords, keys of a role) are learned. Searched are what a test prints and
logs, the arguments of every process that it starts, what those print as far as it reads that, and at the end of the
session all files in its temporary folders but those in which a secret was planted. Of a sandbox, before it is stopped:
its journal, its log, its state, all of its CloudWatch logs, and what its containers print.
"""

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from tests.rig.processes import command_lines

from model_dockerize import sandbox
from model_dockerize.sandbox import Sandbox, StopReport
from model_dockerize.sandbox.record import CONTAINER_LABEL

_MARK = f"planted{secrets.token_hex(6)}"
#: Shorter ones stand in too many texts that have nothing to do with them.
_SHORTEST = 16
_LARGEST_FILE = 4 * 2**20
_learned: set[str] = set()
_homes: set[Path] = set()
_found: list[str] = []
_lock = threading.Lock()


def planted(kind: str) -> str:
    """Return a secret of this test run, e.g. `planted("session-token")`. The same for the same word."""
    return f"{_MARK}x{kind}"


def planted_file(path: Path, text: str) -> Path:
    """Write a file that is meant to hold planted secrets."""
    path.write_text(text, encoding="utf-8")
    return belongs(path)


def belongs(path: Path) -> Path:
    """Allow the file to hold secrets."""
    _homes.add(path.resolve())
    return path


def learn(secret: str) -> None:
    """Look for `secret`, too, from now on."""
    if len(secret) >= _SHORTEST:
        with _lock:
            _learned.add(secret)


def leaks(text: str) -> list[str]:
    """Return the secrets in `text`, shortened so that telling of them is no leak again."""
    return sorted(_shortened(secret) for secret in _known() if secret in text)


def leaks_in(stream: IO[bytes]) -> list[str]:
    """Return the secrets in something large, e.g. `docker save`."""
    known = {secret.encode() for secret in _known()}
    longest, found, kept = max(map(len, known)), set[bytes](), b""
    while piece := stream.read(1 << 20):
        kept = kept[-longest:] + piece
        found |= {secret for secret in known - found if secret in kept}
    return sorted(_shortened(secret.decode()) for secret in found)


def _known() -> set[str]:
    with _lock:
        return {_MARK, *_learned}


def _shortened(secret: str) -> str:
    return f"{secret[:10]}… ({len(secret)} characters)"


def look(place: str, text: str) -> None:
    """Search `text`; what is found fails the test that is running."""
    if found := leaks(text):
        with _lock:
            _found.append(f"{place} holds {', '.join(found)}")


def search_sandbox(home: Path) -> None:
    """Search what goes with the sandbox of `home` when it is stopped. Nothing where none runs."""
    running = sandbox.status(home)
    if running is None:
        return
    from tests.rig.sandbox_calls import ask_sandbox  # here: see `logged`

    look("the sandbox's journal", json.dumps(ask_sandbox(running, "GET", "/_sandbox/journal")))
    for path in (home / "sandbox.log", *sorted((home / "state").rglob("*"))):
        _look_at(path)
    for group, line in logged(running):
        look(f"CloudWatch log {group}", line)
    asked = ("docker", "ps", "--all", "--quiet", "--filter", f"label={CONTAINER_LABEL}={running.instance}")
    for container in subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split():
        # Read as a whole by our Popen, which searches it.
        subprocess.run(("docker", "logs", container), capture_output=True, check=False)


def logged(running: Sandbox) -> Iterator[tuple[str, str]]:
    """Yield every line of the CloudWatch logs of a sandbox's own account, with its group."""
    import boto3  # here: every test session loads this module, and few have a sandbox

    logs = boto3.client(
        "logs",
        endpoint_url=running.endpoint_url,
        region_name=running.region,
        aws_access_key_id=running.account_id,
        aws_secret_access_key=running.secret_key,
    )
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                yield from ((group["logGroupName"], event["message"]) for event in events["events"])


def _searched_first(stop: Callable[..., StopReport]) -> Callable[..., StopReport]:
    def searched(home: Path, *given: Any) -> StopReport:
        search_sandbox(home)
        return stop(home, *given)

    return searched


@contextmanager
def watched() -> Iterator[None]:
    """Search the arguments of all processes of this computer, whoever started them, while the block runs."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for arguments in command_lines():
                look("the arguments of a process", arguments)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(10)


def _look_at(path: Path) -> None:
    try:
        is_plain = path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_FILE
        if is_plain and path.resolve() not in _homes:
            look(str(path), path.read_text(encoding="utf-8", errors="replace"))
    except OSError:  # it is gone, or not ours to read
        return


def _taken() -> list[str]:
    with _lock:
        found = sorted(set(_found))
        _found.clear()
    return found


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        argv = arguments[1] if isinstance(arguments[1], list | tuple) else [arguments[1]]
        look("the arguments of a process", " ".join(map(_text, argv)))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class _Popen(subprocess.Popen[Any]):
    """Searches what a child printed when it is read as a whole."""

    def communicate(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        both = super().communicate(*args, **kwargs)
        for name, output in zip(("standard output", "standard error"), both, strict=True):
            if output:
                look(f"{name} of {_text(self.args)[:60]}", _text(output))
        return both


def pytest_configure() -> None:
    """Start to listen."""
    sys.addaudithook(_on_event)
    subprocess.Popen = _Popen  # type: ignore[misc]
    sandbox.stop = _searched_first(sandbox.stop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the phase of a test that let a secret out."""
    report = yield
    for name, text in report.sections:
        look(name, text)
    found = _taken()
    if found and report.outcome != "failed":
        report.outcome = "failed"
        report.longrepr = "\n".join(("A secret got out:", *found))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search the files that are left."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)
    for path in sorted(Path(base).rglob("*")) if base else ():
        _look_at(path)
    found = _taken()
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nA secret got out:", *found, sep="\n", file=sys.__stderr__)
