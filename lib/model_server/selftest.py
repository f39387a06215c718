"""Self-tests at build time, of the model and its runner mode.

A failed test of `gravityai-build.json` fails the build. The runner's record spares containers its self-test.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_server import manifest, privileges
from model_server.errors import StartError
from model_server.manifest import Manifest
from model_server.runner_client import RunnerClient, RunnerDiedError
from model_server.runner_command import runner_command
from model_server.settings import Settings
from model_server.slots import OwnSlot, lend
from model_server.tabular import convert, mime
from model_server.tabular.problems import DataError

#: Beside the manifest; read by model_runner/self_test.py.
_RECORD = "self-test.json"


@dataclass(frozen=True)
class Test:
    """A data file and the result due for it."""

    #: Relative to the program's folder.
    input: str
    #: The same; None: the model must give a result that fits the schema, whatever it is.
    expected: str | None


def parse(text: str) -> tuple[Test, ...]:
    """Read a JSON list of `{"input", "expected"}`, or raise StartError."""
    try:
        return tuple(Test(str(entry["input"]), entry.get("expected")) for entry in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StartError('the tests must be a JSON list of {"input": PATH, "expected": PATH or null}') from error


def run(settings: Settings, tests: Sequence[Test]) -> list[str]:
    """Run the tests as the program's user; return the failures."""
    model = manifest.read(settings.manifest)
    user = settings.user_apart
    privileges.harden()
    limits = settings.limits_of(model)  # a model that passes only without them is none that works
    runner = RunnerClient(
        OwnSlot(runner_command(model.command, settings.manifest), user=user),
        memory_mib=limits.memory_mib,
        output_bytes=limits.output_bytes,
    )
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="selftest-", dir="/tmp") as folder:
        if user is not None:
            lend(Path(folder), user)
        try:
            with suppress(RunnerDiedError):  # the tests say it; without any, the containers try for themselves
                runner.prepare()
            _keep(runner, settings.manifest)
            for number, test in enumerate(tests, start=1):
                problem = _run(model, runner, test, Path(folder, f"test-{number}"))
                if problem is not None:
                    failures.append(f"{test.input}: {problem}")
        finally:
            runner.stop()
    return failures


def _keep(runner: RunnerClient, manifest_path: Path) -> None:
    if runner.record is None:
        return
    path = manifest_path.with_name(_RECORD)
    try:
        path.write_text(json.dumps(runner.record) + "\n", encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise StartError(f"cannot write {path}: {error.strerror}") from error


def _run(model: Manifest, runner: RunnerClient, test: Test, output: Path) -> str | None:
    folder = Path(model.working_directory)
    source = folder / test.input
    if not source.is_file():
        return "the input is not in the image"
    if test.expected is not None and not (folder / test.expected).is_file():
        return f"the reference {test.expected} is not in the image"
    try:
        outcome = runner.run(output.name, source, output, model.limits.timeout_seconds)
    except RunnerDiedError as error:
        return str(error)
    if outcome.error is not None:
        return f"the program failed: {outcome.error}"
    if test.expected is not None:
        return _difference(output.read_bytes(), (folder / test.expected).read_bytes(), test.expected)
    return _misfit(model, output)


def _difference(given: bytes, expected: bytes, name: str) -> str | None:
    if given == expected:
        return None
    at = next((index for index, pair in enumerate(zip(given, expected, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(given), len(expected)) if at is None else at
    line = expected[:at].count(b"\n") + 1
    return (
        f"the result differs from {name} at byte {at + 1}, line {line}: {_around(given, at)} instead of "
        f"{_around(expected, at)} ({len(given)} bytes, {len(expected)} in the reference)"
    )


def _around(content: bytes, at: int) -> str:
    return repr(content[at : at + 30].decode("utf-8", "replace")) if at < len(content) else "the end"


def _misfit(model: Manifest, output: Path) -> str | None:
    form = mime.form(model.output_types[0])
    if form is None or not model.output_schema:
        return None
    try:
        convert.check(output, form, model.output_schema)
    except DataError as error:
        return f"the result does not fit the schema: {error}"
    return None
