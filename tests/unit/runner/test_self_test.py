"""The self-test: what it runs how often, what it compares, and what remains."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_runner import self_test
from model_runner.kept import KeptMode
from model_runner.self_test import Sample, UnprovedError, digest, prove, prove_cold, prove_kept, read_record
from model_runner.warm import UnfitError

from .conftest import Clock, tree


@pytest.mark.parametrize(
    ("text", "record"),
    [('{"imports": ["é"]}', {"imports": ["é"]}), ("[1]", {}), ("{", {}), (None, {}), (b"\xff", {})],
)
def test_the_record_of_the_build_lies_beside_the_manifest(text: Any, record: dict[str, Any], tmp_path: Path) -> None:
    if text is not None:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "self-test.json").write_bytes(content)
    assert read_record(str(tmp_path / "model.json")) == record


class Room:
    """Notes what is asked of it."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.done: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.done.append((name, *arguments))


class Mode:
    """Gives its outputs, one a run: a text, or None for a failure; a number is the seconds that it takes before."""

    name = "fake"

    def __init__(self, clock: Clock, *outputs: Any) -> None:
        self.clock, self.outputs = clock, list(outputs)
        self.requests: list[Any] = []
        self.done: list[str] = []
        self.lessons: list[float] = []

    def run(self, request: dict[str, Any]) -> tuple[int, str | None]:
        self.requests.append((Path(request["input"]).read_bytes(), request))
        output = self.outputs.pop(0)
        if isinstance(output, float):
            self.clock.now += output
            output = self.outputs.pop(0)
        if isinstance(output, OSError):
            raise output
        if output is None:
            return 1, "why\nit is so"
        Path(request["output"]).write_text(output, encoding="utf-8")
        return 0, None

    def improve(self, seconds: float) -> bool:
        self.done.append(f"improve {seconds:g}")
        return bool(self.lessons and self.lessons.pop(0))

    def stop_learning(self) -> None:
        self.done.append("stop learning")

    def leave(self) -> None:
        self.done.append("leave")

    def stop(self) -> None:
        self.done.append("stop")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(self_test, "log", found.append)
    return found


@pytest.fixture
def sample(tmp_path: Path, clock: Clock) -> Sample:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "s.csv").write_bytes(b"a,b\n")
    room: Any = Room(str(tmp_path / "jobs"))
    return Sample(str(tmp_path / "s.csv"), room)


def test_a_sample_is_run_in_the_place_of_jobs_and_nothing_remains(sample: Sample, tmp_path: Path, clock: Clock) -> None:
    mode = Mode(clock, "out", "out", "out")
    clock.now += 50
    for seconds in (30, 150, sample.left()):
        sample.run(mode, "a fork", seconds)
    request = {"job": "self-test", "input": f"{tmp_path}/jobs/sample-input", "output": f"{tmp_path}/jobs/sample"}
    assert mode.requests == [(b"a,b\n", {**request, "timeout": seconds}) for seconds in (30, 100, 100)]
    assert tree(tmp_path) == {"jobs/": "", "s.csv": "a,b\n"}
    room: Any = sample._room
    assert room.done == [("settle",), *[("clear", None), ("renew",)] * 3]
    assert (sample.error, sample.left()) == (None, 100)
    sample.close()
    sample.renew()
    assert room.done[-1] == ("renew",)
    clock.now += 101
    assert sample.left() == 0


def test_a_room_without_a_folder_gets_one_for_the_sample(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "s.csv").touch()
    room: Any = Room(None)
    sample = Sample(str(tmp_path / "s.csv"), room)
    mode = Mode(clock, "x")
    sample.run(mode, "a fork", 10)
    folder = Path(mode.requests[0][1]["input"]).parent
    assert folder.parent == Path("/tmp")
    assert folder.name.startswith("model-self-test-")
    assert folder.is_dir()
    sample.close()
    assert not folder.exists()


def test_a_sample_that_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    room: Any = Room(None)
    path = tmp_path / "gone"
    with pytest.raises(UnprovedError, match=f"^its sample {path} cannot be read: No such file or directory$"):
        Sample(str(path), room)


@pytest.mark.parametrize(
    ("outputs", "kind", "error"),
    [
        ([None], UnprovedError, "its sample fails in run 0, see the log"),
        (["a", None], UnfitError, "its sample fails in run 1, see the log"),
        (["a", "a", "b"], UnfitError, "its sample has another result in run 2"),
        ([30.0, "a"], UnfitError, "its sample takes longer than 30 s"),
        ([29.75, "a", 30.0, "a"], UnfitError, "its sample takes longer than 30 s"),
        ([150.0, "a"], UnfitError, "the self-test takes longer than 150 s"),
        ([150.0, None], UnfitError, "the self-test takes longer than 150 s"),
        ([149.0, "a"], UnfitError, "its sample takes longer than 30 s"),
        ([OSError(28, "No space left on device")], UnprovedError, "its sample cannot be run: No space left on device"),
    ],
)
def test_why_a_sample_proves_nothing_is_told(
    outputs: list[Any], kind: type, error: str, sample: Sample, clock: Clock, lines: list[str], tmp_path: Path
) -> None:
    mode = Mode(clock, *outputs)
    with pytest.raises(UnfitError) as raised:
        for number in range(9):
            sample.run(mode, f"run {number}", 30)
    assert (type(raised.value), str(raised.value)) == (kind, error)
    failed = [f"runner: the sample fails in run {len(mode.requests) - 1}: why\nit is so"] if None in outputs else []
    assert lines == failed
    assert sample.error == ("why\nit is so" if failed else None)
    assert tree(tmp_path / "jobs") == {}


def test_an_output_that_is_no_file_proves_nothing(sample: Sample, clock: Clock) -> None:
    class Folder(Mode):
        def run(self, request: dict[str, Any]) -> tuple[int, str | None]:
            os.mkfifo(request["output"])
            return 0, None

    with pytest.raises(UnprovedError, match="its sample fails in a fork, see the log"):
        sample.run(Folder(clock), "a fork", 30)


def test_a_kept_program_keeps_its_places(sample: Sample, clock: Clock) -> None:
    class Kept(Mode, KeptMode):
        __init__ = Mode.__init__  # type: ignore[assignment]
        run = Mode.run  # type: ignore[assignment]
        stop = Mode.stop
        _launch: Any = None

    sample.run(Kept(clock, "x"), "a fork", 10)
    room: Any = sample._room
    assert room.done == [("settle",), ("clear", None)]


Prove = Callable[..., Any]


@pytest.mark.parametrize(("known", "times", "imports"), [(None, 3, []), ([], 1, []), (["csv"], 1, ["csv"])])
def test_forks_are_compared_with_new_processes(
    known: Any, times: int, imports: list[str], sample: Sample, clock: Clock
) -> None:
    cold, warm = Mode(clock, *["a"] * times), Mode(clock, *["a"] * 3)
    started: list[Any] = []
    clock.now += 50

    def start(names: Any, seconds: float) -> Any:
        started.append((names, seconds))
        return warm

    given: list[Any] = [sample, cold, start, known]
    assert prove(*given) is warm
    assert started == [(imports, 100)]
    assert (cold.outputs, cold.done) == ([], ["leave"])
    assert (warm.outputs, warm.done) == ([], [*["improve 100"] * 3, "stop learning"])
    assert {request["timeout"] for _, request in cold.requests} == {30}
    assert {request["timeout"] for _, request in warm.requests} == {100}


def test_a_lesson_begins_the_count_of_forks_again(sample: Sample, clock: Clock) -> None:
    cold, warm = Mode(clock, "a"), Mode(clock, *["a"] * 7)
    warm.lessons = [0, 1, 0, 0, 0]
    given: list[Any] = [sample, cold, lambda *_: warm, []]
    prove(*given)
    assert len(warm.outputs) == 2


@pytest.mark.parametrize(
    ("cold_outputs", "warm_outputs", "error", "left"),
    [
        (["a", "b"], [], "its sample has another result in another new process", []),
        ([None], [], "its sample fails in a new process, see the log", []),
        (["a", "a", "a"], ["a", "b"], "its sample has another result in a fork", ["improve 150", "leave"]),
    ],
)
def test_what_differs_is_left_to_new_processes(
    cold_outputs: list[Any],
    warm_outputs: list[Any],
    error: str,
    left: list[str],
    sample: Sample,
    clock: Clock,
    lines: list[str],
) -> None:
    cold, warm = Mode(clock, *cold_outputs), Mode(clock, *warm_outputs)
    given: list[Any] = [sample, cold, lambda *_: warm, None]
    with pytest.raises(UnfitError, match=f"^{error}$"):
        prove(*given)
    assert (cold.done, warm.done) == (["leave"], left)


def test_a_sample_may_take_so_long_in_new_processes(sample: Sample, clock: Clock) -> None:
    cold: Any = Mode(clock, 29.0, "a", 29.0, "a")
    prove_cold(sample, cold, 2)
    assert cold.outputs == []


def test_each_of_some_kept_processes_does_some_jobs(sample: Sample, clock: Clock) -> None:
    modes = [Mode(clock, "a", "a") for _ in range(4)]
    left: Any = list(modes)
    clock.now += 50
    assert prove_kept(sample, lambda: left.pop(0), 3) is modes[2]  # type: ignore[arg-type,return-value]
    assert [(mode.outputs, mode.done) for mode in modes[:3]] == [([], ["stop"]), ([], ["stop"]), ([], [])]
    assert len(left) == 1
    assert {request["timeout"] for mode in modes[:3] for _, request in mode.requests} == {100}
    room: Any = sample._room
    assert room.done.count(("renew",)) == 6 + 2


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        (["a", "b"], "its sample has another result in mode fake, the second job of one process"),
        (["a", None], "its sample fails in mode fake, the second job of one process, see the log: it is so"),
        (["b"], "its sample has another result in mode fake, one process for all jobs"),
    ],
)
def test_a_kept_program_that_differs_is_stopped_and_says_why(
    outputs: list[Any], error: str, sample: Sample, clock: Clock, lines: list[str]
) -> None:
    sample.run(Mode(clock, "a"), "a new process", 30)
    mode: Any = Mode(clock, *outputs)
    with pytest.raises(UnfitError, match=f"^{error}$"):
        prove_kept(sample, lambda: mode, 1)
    assert mode.done == ["stop"]
    room: Any = sample._room
    assert room.done[-3:] == [("clear", None), ("renew",), ("renew",)]


def test_a_reason_is_short_however_much_a_program_says(sample: Sample, clock: Clock, lines: list[str]) -> None:
    class Loud(Mode):
        def run(self, request: dict[str, Any]) -> tuple[int, str | None]:
            return 1, "x" * 10_000

    sample.run(Mode(clock, "a"), "a new process", 30)
    mode: Any = Loud(clock)
    with pytest.raises(UnfitError) as raised:
        prove_kept(sample, lambda: mode, 1)
    said = "its sample fails in mode fake, one process for all jobs, see the log: "
    assert str(raised.value) == said + "x" * (500 - len(said))


def test_a_result_is_known_by_all_of_its_bytes(tmp_path: Path) -> None:
    content = b"x" * (3 * 1024 * 1024 + 1)
    (tmp_path / "out").write_bytes(content)
    assert digest(str(tmp_path / "out")) == hashlib.sha256(content).digest()
    (tmp_path / "link").symlink_to("out")
    os.mkfifo(tmp_path / "pipe")
    assert digest(str(tmp_path / "pipe")) is None
    with pytest.raises(OSError, match="symbolic links"):
        digest(str(tmp_path / "link"))
