"""Conversions in a process of their own, the trial of joined records, messages of runners, and prepared folders."""

import asyncio
import io
import json
import os
import pickle
import socket
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server import batch_proof, bounds, converters, manifest, prepare, privileges, runner_line
from model_server.converters import ConverterDiedError, Converters
from model_server.errors import StartError
from model_server.jobs.batches import Rules
from model_server.manifest import Limits
from model_server.orphans import ORPHANS
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.runner_line import Line
from model_server.tabular.mime import Form
from model_server.tabular.problems import DataError, TooLargeError
from tests.functional.server.conftest import manifest_text


def told(path: Path, *words: Any, **named: Any) -> Any:
    """Give back what it was given, or raise it."""
    for word in words:
        if isinstance(word, Exception):
            raise word
    return [path.name, *words, named]


class Processes:
    """Starts no process; each answers what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.answer, self.returncode = b'{"result": 7}', 0
        self.pid = 4711
        monkeypatch.setattr(subprocess, "Popen", self.start)
        monkeypatch.setattr(ORPHANS, "enter", lambda pid: self.calls.append(("enter", pid, ORPHANS.guard.locked())))
        monkeypatch.setattr(ORPHANS, "leave", lambda pid: self.calls.append(("leave", pid)))
        monkeypatch.setattr(os, "environ", {"A": "1", "LD_PRELOAD": "x"})
        monkeypatch.setattr(sys, "path", ["/a", "", "/b"])

    def start(self, command: list[str], **options: Any) -> "Processes":
        assert ORPHANS.guard.locked()
        options["env"].pop("PYTEST_CURRENT_TEST")
        self.calls.append((command, options))
        return self

    def communicate(self, given: bytes) -> tuple[bytes, None]:
        self.calls.append(pickle.loads(given))  # noqa: S301 - of this test
        return self.answer, None

    def kill(self) -> None:
        self.calls.append("kill")


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    return Processes(monkeypatch)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "x").write_bytes(b"x" * bounds.QUICK_BYTES)
    return tmp_path / "x"


def test_what_is_short_is_converted_here(processes: Processes, source: Path) -> None:
    assert Converters().do(told, source, 1, a=2) == ["x", 1, {"a": 2}]
    assert processes.calls == []


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_longer_is_converted_by_a_process_of_its_own(
    processes: Processes, source: Path, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    source.write_bytes(b"x" * (bounds.QUICK_BYTES + 1))
    one = Converters()
    assert one.do(told, source, 1, a=2) == 7
    command = [sys.executable, "convert"] if frozen else [sys.executable, "-m", "model_server", "convert"]
    environment = {"A": "1", "MODEL_LD_PRELOAD": "x", **({} if frozen else {"PYTHONPATH": "/a:/b"})}
    assert processes.calls == [
        (command, {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}),
        *(("enter", 4711, True), (told, source, (1,), {"a": 2}), ("leave", 4711)),
    ]
    one.stop()
    assert processes.calls[-1] == ("leave", 4711), "none runs any more"
    with pytest.raises(ConverterDiedError, match=r"^the server stops$"):
        one.do(told, source)


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (b"", -9, ConverterDiedError("the process that converted the data was killed (often: out of memory)")),
        (b"", 1, RuntimeError("a conversion met an error of its own; it is above in the log")),
        (b'{"problems": ["a", "b"], "is_too_large": false}', 0, DataError("a", "b")),
        (b'{"problems": ["a"], "is_too_large": true}', 0, TooLargeError("a")),
        (b'{"errno": 28, "text": "no room"}', 0, OSError(28, "no room")),
    ],
)
def test_a_conversion_that_fails_is_an_error_here(
    processes: Processes, source: Path, answer: bytes, code: int, error: Exception
) -> None:
    processes.answer, processes.returncode = answer, code
    with pytest.raises(type(error)) as caught:
        Converters().do_apart(told, source)
    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert processes.calls[-1] == ("leave", 4711)


def test_the_conversions_that_run_end_with_the_server(processes: Processes, source: Path) -> None:
    one = Converters()
    processes.communicate = lambda _: [one.stop(), (b'{"result": 7}', None)][1]  # type: ignore[method-assign, assignment, return-value]
    one.do_apart(told, source)
    assert processes.calls[2:] == ["kill", ("leave", 4711)]


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        (1, {"result": ["x", 1, {"a": 2}]}),
        (DataError("a", "b"), {"problems": ["a", "b"], "is_too_large": False}),
        (TooLargeError("a"), {"problems": ["a"], "is_too_large": True}),
        (OSError(28, "no room"), {"errno": 28, "text": "no room"}),
    ],
)
def test_a_process_that_converts_is_less_urgent_and_answers_in_json(
    word: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(os, "nice", calls.append)
    monkeypatch.setattr(privileges, "harden", lambda: calls.append("harden"))
    monkeypatch.setattr(privileges, "die_with_parent", lambda: calls.append("dies with parent"))
    given, said = io.BytesIO(pickle.dumps((told, Path("/x"), (word,), {"a": 2}))), io.StringIO()
    assert converters.main(given, said) == 0
    assert calls == [10, "harden", "dies with parent"]
    assert json.loads(said.getvalue()) == answer


class Trial:
    """A runner that answers by a function of the records."""

    folder = "/f"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[Any] = []

    async def work(self, *words: Any) -> Outcome:
        self.calls.append(words)
        found = self.answer(words[-1])
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Outcome) else Outcome(None, 1.0, found)


RULES = Rules(10, 0.01, Form.CSV, Form.CSV)


def objected(sample: Path | None, answer: Any, rules: Rules = RULES) -> tuple[str | None, list[Any]]:
    runner = Trial(answer)
    found = asyncio.run(batch_proof.objection(runner, sample, rules, 5.0))  # type: ignore[arg-type]
    return found, runner.calls


def test_a_samples_records_are_answered_apart_and_joined(tmp_path: Path) -> None:
    sample = tmp_path / "in"
    sample.write_bytes(b"a\n1\n2\n3\n")
    found, calls = objected(sample, bytes.upper)
    assert found is None
    parts = [b"a\n1\n", b"a\n3\n2\n1\n", b"a\n1\n2\n3\n", b"a\n1\n3\n2\n1\n1\n2\n3\n"]
    assert calls == [("batch-proof", "/f/batch-proof-input", "/f/batch-proof", 5.0, part) for part in parts]


def test_of_many_records_some_are_tried(tmp_path: Path) -> None:
    sample = tmp_path / "in"
    sample.write_bytes(b"a\n" + b"".join(b"%d\n" % number for number in range(40)))
    _, calls = objected(sample, bytes.upper)
    assert [call[-1].count(b"\n") - 1 for call in calls] == [16, 32, 32, 80]


def numbered(content: bytes) -> bytes:
    head, *rows = content.splitlines()
    return b"\n".join([head, *(b"%d" % number for number, _ in enumerate(rows))]) + b"\n"


@pytest.mark.parametrize(
    ("content", "answer", "told_of_it"),
    [
        (b"a\n1\n", bytes.upper, "the sample has no two records"),
        (b"a\x00\n", bytes.upper, "the sample is not plainly text/csv; header=present with records of one kind"),
        (b"a\n1\n2\n", lambda _: b"a\n1\n", "the result of its sample is not one record for each record"),
        (
            b"a\n1\n2\n",
            lambda content: b"a\n" + b"1\n" * (content.count(b"\n") - 1),
            "all records of its sample have the same answer, so it does not show that their order is kept",
        ),
        (b"a\n1\n2\n", lambda _: Outcome("x\nno good", 1.0), "the program fails with records of its sample: no good"),
        (
            b"a\n1\n2\n",
            lambda _: Outcome(None, 1.0),
            "the program fails with records of its sample: the result is too large",
        ),
        (b"a\n1\n2\n", lambda _: RunnerDiedError("it died"), "it died"),
        (b"a\n1\n2\n", lambda _: OSError(28, "no room"), "[Errno 28] no room"),
    ],
)
def test_records_that_must_not_be_joined_are_told_with_the_reason(
    tmp_path: Path, content: bytes, answer: Any, told_of_it: str
) -> None:
    sample = tmp_path / "in"
    sample.write_bytes(content)
    assert objected(sample, answer)[0] == told_of_it


def test_an_answer_that_depends_on_others_is_told(tmp_path: Path) -> None:
    sample = tmp_path / "in"
    sample.write_bytes(b"a\n1\n2\n")
    found, _ = objected(sample, numbered)
    assert found is not None
    assert found.startswith("records of its sample are answered otherwise in one run with others: ")


def test_without_a_sample_or_with_a_large_one_nothing_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert objected(None, bytes.upper)[0] == "the image carries no sample that the program takes as it is"
    assert str(objected(tmp_path / "none", bytes.upper)[0]).startswith("[Errno 2] No such file or directory")
    monkeypatch.setattr(batch_proof, "BATCH_RESULT_BYTES", 6)
    sample = tmp_path / "in"
    for content, expected in ((b"a\n1\n2\n", None), (b"a\n1\n2\n3", "the sample is larger than 6 bytes")):
        sample.write_bytes(content)
        assert objected(sample, bytes.upper)[0] == expected


@pytest.mark.parametrize(("limit", "seconds"), [(7, 7), (3600, 60.0)])
def test_batches_have_the_rules_of_the_manifest(tmp_path: Path, limit: int, seconds: float) -> None:
    model = manifest.parse(manifest_text(tmp_path, output_types=["application/json"], sample="s"))
    limits = Limits(timeout_seconds=limit, batch_records=5, batch_wait_ms=20)
    runners: Any = [SimpleNamespace(mode="")]
    made = batch_proof.batches(runners, model, limits, tmp_path)
    folder = Path(made.folder)
    assert (folder.parent, stat.S_IMODE(folder.stat().st_mode)) == (tmp_path, 0o700)
    assert made._rules == Rules(5, 0.02, Form.CSV, Form.JSON)
    objection: Any = made._objection
    assert objection.keywords == {"sample": tmp_path / "s", "rules": made._rules, "timeout": seconds}
    plain = manifest.parse(manifest_text(tmp_path))
    other: Any = batch_proof.batches(runners, plain, limits, tmp_path)._objection
    assert other.keywords["sample"] is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", None),
        (b'{"a": 1}', None),
        (b'{"a": 1}\n', ({"a": 1}, None)),
        (b'{"a": 1, "content": null}\nx', ({"a": 1, "content": None}, None)),
        (b'{"content": 2}\nx', None),
        (b'{"content": 2}\nxy', ({"content": 2}, b"xy")),
        (b'{"content": 0}\n', ({"content": 0}, b"")),
    ],
)
def test_a_message_is_a_line_and_perhaps_its_content(data: bytes, message: Any) -> None:
    assert runner_line.whole(data) == message


def test_what_is_no_message_is_told() -> None:
    for data in (b"[]\n", b"x\n", b"\xff\n"):
        with pytest.raises(ValueError, match=r"."):
            runner_line.whole(data)
    with pytest.raises(ValueError, match=r"^a message must be an object$"):
        runner_line.whole(b"1\n")


def test_a_message_is_received_in_pieces() -> None:
    pieces = [b'{"con', b'tent": 3}\na', b"bc"]
    connection: Any = SimpleNamespace(recv=lambda count: pieces.pop(0) if count == 65536 else b"")
    assert runner_line.receive(connection) == ({"content": 3}, b"abc")
    pieces += [b"{", b""]
    with pytest.raises(ConnectionError, match=r"^the runner closed the connection$"):
        runner_line.receive(connection)


def talk(*sent: bytes | None) -> tuple[Any, list[Any], Line]:
    """Send this, None for a hang-up; return the answer or the error, what was heard, and the line."""
    heard: list[Any] = []

    async def work() -> tuple[Any, Line]:
        ours, theirs = socket.socketpair()
        line = Line(ours, heard.append)
        answer = asyncio.create_task(line.ask(b"question\n", 3600))
        await asyncio.sleep(0)
        assert theirs.recv(100) == b"question\n"
        for piece in sent:
            if piece is None:
                theirs.close()
            else:
                theirs.sendall(piece)
            for _ in range(5):
                await asyncio.sleep(0)
        try:
            found: Any = await asyncio.wait_for(answer, 60)
        except (OSError, ValueError) as error:
            found = error
        if line.is_open:
            line.hang_up()
            while line.is_open:
                await asyncio.sleep(0.001)
        assert ours.fileno() == -1
        line.hang_up()
        theirs.close()
        return found, line

    found, line = asyncio.run(work())
    return found, heard, line


def test_what_is_said_is_heard_before_the_answer() -> None:
    said = b'{"said": ["a"], "job": "j"}\n'
    answer, heard, _ = talk(said + said[:5], said[5:] + b'{"ok": 1, "content": 2}\nx', b"y")
    assert answer == ({"ok": 1, "content": 2}, b"xy")
    assert heard == [{"said": ["a"], "job": "j"}] * 2


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ((None,), "the runner closed the connection"),
        ((b"[]\n",), "a message must be an object"),
        ((b'{"said"' + b":" + b"[" * 100_000 + b"\n",), "it is nested too deeply"),
    ],
)
def test_a_line_that_breaks_is_closed_and_told(sent: tuple[bytes | None, ...], error: str) -> None:
    found, _, line = talk(*sent)
    assert (str(found), line.is_open) == (error, False)


def test_a_question_that_is_not_answered_in_time_ends_the_line() -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        line = Line(ours, lambda _: None)
        with pytest.raises(ConnectionError, match="closed the connection"):
            await asyncio.wait_for(line.ask(b"x", 0), 60)
        assert not line.is_open
        theirs.close()

    asyncio.run(work())


def test_a_long_question_is_sent_whole() -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        line = Line(ours, lambda _: None)
        question = bytes(range(256)) * 10_000 + b"\n"
        asking = asyncio.create_task(line.ask(question, 3600))
        loop, received = asyncio.get_running_loop(), b""
        while len(received) < len(question):
            received += await asyncio.wait_for(loop.sock_recv(theirs, 1 << 20), 60)
        assert received == question
        theirs.send(b"{}\n")
        assert await asyncio.wait_for(asking, 60) == ({}, None)
        theirs.close()
        while line.is_open:
            await asyncio.sleep(0.001)

    asyncio.run(work())


class Folder:
    """A program's folder, and a compiler that is only called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "program"
        self.path.mkdir()
        self.calls: list[Any] = []
        self.known = {"python3": "/bin/python3"}
        monkeypatch.setattr(prepare.shutil, "which", self.known.get)
        monkeypatch.setattr(subprocess, "run", lambda *words, **options: self.calls.append((words, options)))
        self.temporary, self.found, self.etc = folder / "tmp", folder / "s/found.json", folder / "etc"
        self.found.parent.mkdir()
        self.etc.mkdir()

    def prepare(self, program: str = "python") -> None:
        prepare.prepare(program, self.path, self.temporary, self.found, self.etc)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def test_a_folder_is_compiled_and_its_program_noted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    folder.prepare()
    assert json.loads(folder.found.read_text(encoding="utf-8")) == {"python": "/bin/python3"}
    ((words, options),) = folder.calls
    assert words == (["/bin/python3", "-m", "compileall", "-q", str(folder.path)],)
    environment = options.pop("env")
    assert (environment["A"], environment["PYTHONHASHSEED"]) == ("1", "0")
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    assert options == {"cwd": "/", **quiet, "check": False}


@pytest.mark.parametrize(
    ("program", "known", "compiler"),
    [
        ("pypy3.10", {"pypy3.10": "/x/pypy3.10", "python3": "/bin/python3"}, "/x/pypy3.10"),
        ("Rscript", {"Rscript": "/bin/Rscript", "python": "/bin/python"}, "/bin/python"),
        ("Rscript", {"Rscript": "/bin/Rscript"}, None),
        ("python-x", {"python-x": "/bin/python-x", "python3": "/bin/python3"}, "/bin/python3"),
    ],
)
def test_the_compiler_is_the_programs_own_python_or_the_images(
    folder: Folder, program: str, known: dict[str, str], compiler: str | None
) -> None:
    folder.known.clear()
    folder.known |= known
    folder.prepare(program)
    assert [words[0][0] for words, _ in folder.calls] == ([] if compiler is None else [compiler])
    assert json.loads(folder.found.read_text(encoding="utf-8")) == {program: known[program]}


def test_all_may_read_and_run_what_the_folder_has_and_its_times_stay(folder: Folder) -> None:
    modes = {"deep": (0o700, 0o755), "deep/a": (0o600, 0o644), "run": (0o700, 0o755), "b": (0o604, 0o604)}
    modes |= {"c": (0o705, 0o705), "d": (0o200, 0o644), "e": (0o704, 0o755)}
    (folder.path / "deep").mkdir()
    for name in modes:
        if name != "deep":
            (folder.path / name).touch()
    (folder.path / "link").symlink_to("/nowhere")
    for number, (name, (before, _)) in enumerate(modes.items()):
        (folder.path / name).chmod(before)
        os.utime(folder.path / name, ns=(number, number))
    os.utime(folder.path, ns=(99, 99))
    folder.path.chmod(0o700)
    folder.prepare()
    for number, (name, (_, after)) in enumerate(modes.items()):
        found = (folder.path / name).lstat()
        assert (name, oct(stat.S_IMODE(found.st_mode)), found.st_mtime_ns) == (name, oct(after), number)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.temporary.stat().st_mode) == 0o1777
    for place in (folder.path, folder.temporary, folder.found, folder.found.parent, folder.etc):
        assert place.stat().st_mtime_ns == 99


@pytest.mark.parametrize(
    ("program", "mode", "told_of_it"),
    [
        ("python", None, "the image has no python and no python3, which the model's command calls"),
        ("run", None, "the image has no run, which the model's command calls"),
        ("run", 0o755, "run is not on PATH, but in the folder: write ./run into the model's command"),
        (
            "run",
            0o644,
            "./run, which the model's command calls, is not executable: chmod +x it, or name its interpreter",
        ),
        (
            "./run",
            0o644,
            "./run, which the model's command calls, is not executable: chmod +x it, or name its interpreter",
        ),
    ],
)
def test_a_program_that_is_missing_is_told_with_the_remedy(
    folder: Folder, program: str, mode: int | None, told_of_it: str
) -> None:
    folder.known.clear()
    if mode is not None:
        (folder.path / "run").touch()
        (folder.path / "run").chmod(mode)
    with pytest.raises(StartError) as caught:
        folder.prepare(program)
    assert str(caught.value) == told_of_it


def test_what_cannot_be_written_is_told(folder: Folder) -> None:
    folder.found = folder.path / "none/found.json"
    with pytest.raises(StartError) as caught:
        folder.prepare()
    assert str(caught.value) == f"cannot make {folder.found}: No such file or directory"
