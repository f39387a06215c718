"""A program gets the fastest mode that is proved or asked for, and the reason for a slower one is recorded."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from model_runner import choice
from model_runner.choice import Choice, choose
from model_runner.imports import Script
from model_runner.self_test import UnprovedError
from model_runner.warm import START_SECONDS, UnfitError

CONNECTION: Any = object()


class Made:
    """A mode as it was started; its text is all that it was given."""

    def __init__(self, name: str, *given: Any, **named: Any) -> None:
        assert CONNECTION in given
        self.name, self.given, self.named = name, tuple(one for one in given if one is not CONNECTION), named
        self.imports = ["csv", {"the umask": 1}, "json"]

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{self.name} {self.given} {self.named}"


class Room:
    folder = "/jobs"


class World:
    """Modes that are not started, and a self-test whose outcome is given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.proved: list[Any] = []
        self.outcomes: dict[str, Any] = {}
        self.closed: list[Any] = []
        self.left = 1.0
        world = self
        for name in ("CommandMode", "WarmMode"):
            monkeypatch.setattr(choice, name, partial(Made, name.removesuffix("Mode").lower()))
        monkeypatch.setattr(choice.CommandMode, "name", "command", raising=False)
        monkeypatch.setitem(choice.KEPT, "library", partial(Made, "library"))
        monkeypatch.setitem(choice.KEPT, "resident", partial(Made, "resident"))

        class Sample:
            def __init__(self, path: str, room: object) -> None:
                world.sample = (path, type(room))

            def left(self) -> float:
                return world.left

            def close(self) -> None:
                world.closed.append(world.sample)

        monkeypatch.setattr(choice, "Sample", Sample)
        monkeypatch.setattr(choice, "prove", self.prove)
        monkeypatch.setattr(choice, "prove_cold", self.prove_cold)
        monkeypatch.setattr(choice, "prove_kept", self.prove_kept)

    def tell(self, what: str) -> None:
        if isinstance(self.outcomes.get(what), Exception):
            raise self.outcomes[what]

    def prove(self, _sample: object, cold: Made, start: Callable[..., Made], known: object) -> Made:
        self.proved.append(("warm", cold, known))
        self.tell("warm")
        return start(["x"], 7.0)

    def prove_cold(self, _sample: object, cold: Made, times: int) -> None:
        self.proved.append(("cold", cold, times))
        self.tell("cold")

    def prove_kept(self, _sample: object, start: Callable[[], Made], processes: int) -> Made:
        mode = start()
        self.proved.append((mode.name, processes))
        self.tell(mode.name)
        return mode

    def choose(self, wanted: str, command: str, script: str, record: Any = None, **more: Any) -> Choice:
        (self.folder / "main.py").write_text(script, encoding="utf-8")
        is_proved = more.pop("is_proved", False)
        manifest = {"command": command.split(), "working_directory": str(self.folder), "sample": "s.csv", **more}
        room: Any = Room()
        return choose(manifest, wanted, CONNECTION, room, record or {}, is_proved)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path, monkeypatch)


def commanded(world: World, words: str) -> Made:
    return Made("command", words.split(), str(world.folder), CONNECTION)


RUN = "python main.py {input} {output}"
LIBRARY = "import gravityai"
SCRIPT = Script("python", (), "main.py", ("{input}", "{output}"))


@pytest.mark.parametrize(
    ("wanted", "command", "script", "argv", "reason"),
    [
        ("command", RUN, "", RUN, "as asked"),
        ("command", RUN, LIBRARY, "python main.py run {input} {output}", "as asked"),
        ("command", "python -u main.py", LIBRARY, "python -u main.py run", "as asked"),
        ("command", "python main.py run {input}", LIBRARY, "python main.py run {input}", "as asked"),
        ("command", "python main.py {input} run", LIBRARY, "python main.py run {input} run", "as asked"),
        ("command", "R main.R", LIBRARY, "R main.R", "as asked"),
        *((wanted, "R main.R", LIBRARY, "R main.R", "because the command is not `python script ...`")
          for wanted in ("auto", "warm", "library", "resident")),
        ("warm", RUN, LIBRARY, "python main.py run {input} {output}",
         "because the program uses gravityai: it can be library or resident"),
        ("auto", RUN, "import (", RUN, "because main.py line 1 is not valid here: invalid syntax"),
        ("warm", RUN, "import (", RUN, "because main.py line 1 is not valid here: invalid syntax"),
        ("auto", "python gone.py", "", "python gone.py",
         "because gone.py cannot be read: [Errno 2] No such file or directory: 'gone.py'"),
    ],
)  # fmt: skip
def test_a_program_that_can_have_no_faster_mode_has_new_processes(
    wanted: str, command: str, script: str, argv: str, reason: str, world: World
) -> None:
    assert world.choose(wanted, command, script) == Choice(commanded(world, argv), reason, None)
    assert world.proved == []


def test_the_manifest_may_say_that_the_library_is_used(world: World) -> None:
    found = world.choose("command", RUN, "", uses_library=True)
    assert found.mode == commanded(world, "python main.py run {input} {output}")


@pytest.mark.parametrize("wanted", ["library", "resident"])
def test_who_asks_for_a_kept_program_gets_it_unproved(wanted: str, world: World) -> None:
    found = world.choose(wanted, RUN, "")
    assert found == Choice(Made(wanted, SCRIPT, str(world.folder), CONNECTION), "as asked", None)
    assert world.proved == []


def warm(world: World, imports: Any, check: bool, **seconds: float) -> Made:
    return Made("warm", SCRIPT, str(world.folder), CONNECTION, imports=imports, check=check, **seconds)


def test_who_asks_for_warm_gets_it_unchecked(world: World) -> None:
    assert world.choose("warm", RUN, "") == Choice(warm(world, (), False), "as asked", None)


@pytest.mark.parametrize("known", [None, ["csv"]])
def test_a_program_that_the_sample_proves_is_warm(known: Any, world: World) -> None:
    found = world.choose("auto", RUN, "import csv", {} if known is None else {"imports": known})
    assert found == Choice(warm(world, ["x"], True, seconds=7.0), "", {"imports": ["csv", "json"]})
    assert world.proved == [("warm", commanded(world, RUN), known)]
    assert world.sample == (str(world.folder / "s.csv"), Room)
    assert world.closed == [world.sample]


def test_what_was_proved_in_this_container_is_not_proved_again(world: World) -> None:
    record = {"imports": ["csv"]}
    found = world.choose("auto", RUN, "", record, is_proved=True)
    assert found == Choice(warm(world, ["csv"], True, seconds=START_SECONDS), "", record)
    assert world.proved == []


@pytest.mark.parametrize(
    ("script", "record", "outcome", "reason", "recorded"),
    [
        ("import os\nos.environ = {}", {}, None, "main.py line 2 changes os.environ", True),
        ("", {"reason": "it is so"}, None, "it is so", True),
        ("", {}, UnfitError("it differs"), "it differs", True),
        ("", {}, UnprovedError("it fails"), "it fails", False),
    ],
)
def test_a_program_that_is_unfit_has_new_processes_and_the_reason_is_recorded(
    script: str, record: Any, outcome: Any, reason: str, recorded: bool, world: World
) -> None:
    world.outcomes["warm"] = outcome
    told = {"reason": reason} if recorded else None
    assert world.choose("auto", RUN, script, record) == Choice(commanded(world, RUN), f"because {reason}", told)
    assert len(world.closed) == len(world.proved) == (outcome is not None)


NO_SAMPLE = "because there is no sample in the image to prove a faster mode with"


@pytest.mark.parametrize("sample", [None, ""])
def test_without_a_sample_nothing_is_proved(sample: Any, world: World) -> None:
    assert world.choose("auto", RUN, "", sample=sample) == Choice(commanded(world, RUN), NO_SAMPLE, None)
    resident = Made("resident", SCRIPT, str(world.folder), CONNECTION)
    assert world.choose("auto", RUN, LIBRARY, sample=sample) == Choice(resident, NO_SAMPLE, None)


COLD = "python main.py run {input} {output}"


@pytest.mark.parametrize(
    ("outcomes", "mode", "reason", "proved"),
    [
        ({}, "library", "", ["library"]),
        ({"library": UnfitError("a")}, "resident", "because a", ["library", "resident"]),
        ({"library": UnfitError("a"), "resident": UnfitError("b")}, "command", "because a", ["library", "resident"]),
    ],
)
@pytest.mark.parametrize("known", ["", "library"])
def test_a_program_of_the_library_gets_the_fastest_mode_that_the_sample_proves(
    outcomes: Any, mode: str, reason: str, proved: list[str], known: str, world: World
) -> None:
    world.outcomes = outcomes
    found = world.choose("auto", RUN, LIBRARY, {"mode": known} if known else {})
    made = commanded(world, COLD) if mode == "command" else Made(mode, SCRIPT, str(world.folder), CONNECTION)
    assert found == Choice(made, reason, {"mode": mode, "reason": reason})
    times = 1 if known else 3
    assert world.proved == [("cold", commanded(world, COLD), times), *[(name, times) for name in proved]]
    assert len(world.closed) == 1


@pytest.mark.parametrize(
    ("record", "is_proved", "mode"),
    [
        ({"mode": "library", "reason": "x"}, True, "library"),
        ({"mode": "library"}, True, "library"),
        ({"mode": "resident", "reason": "x"}, False, "resident"),
        ({"mode": "resident"}, True, "resident"),
        ({"mode": "command", "reason": "x"}, False, "command"),
        ({"mode": "other"}, False, "command"),
    ],
)
def test_what_is_known_of_a_program_of_the_library_is_not_proved_again(
    record: Any, is_proved: bool, mode: str, world: World
) -> None:
    found = world.choose("auto", RUN, LIBRARY, record, is_proved=is_proved)
    made = commanded(world, COLD) if mode == "command" else Made(mode, SCRIPT, str(world.folder), CONNECTION)
    assert found == Choice(made, record.get("reason", ""), record)
    assert world.proved == []


@pytest.mark.parametrize(
    ("outcomes", "left", "reason", "recorded"),
    [
        ({"cold": UnprovedError("it fails")}, 1.0, "because it fails", False),
        ({"cold": UnfitError("it differs")}, 1.0, "because it differs", True),
        ({"library": UnfitError("too long")}, 0, "because too long", True),
    ],
)
def test_without_a_proof_it_serves_as_the_library_is_meant(
    outcomes: Any, left: float, reason: str, recorded: bool, world: World
) -> None:
    world.outcomes, world.left = outcomes, left
    made = Made("resident", SCRIPT, str(world.folder), CONNECTION)
    told = {"mode": "resident", "reason": reason} if recorded else None
    assert world.choose("auto", RUN, LIBRARY) == Choice(made, reason, told)
    assert ("resident", 3) not in world.proved  # there is no time for it
